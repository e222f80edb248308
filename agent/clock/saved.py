# SPDX-License-Identifier: Apache-2.0
"""What did the machine know of the time before the power went? One page written in place, now and then.

    file = two slots, 4096 bytes apart, written in turn; the newer whole one counts
    slot = "SPCLK1 ", JSON [turn, boot, mono_ms, wall_ms, offset or null, good_ms, error_ms, source], " ",
           CRC-32

A write in place of a file that exists costs the card one page and no metadata; a torn one leaves the other
slot.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path

from agent.clock.offset import Offset

_MAGIC = b"SPCLK1 "
_SLOT_BYTES = 4096
_SLOTS = 2
_MAX_MS = 2**53


@dataclass(frozen=True, slots=True)
class Saved:
    """What was known at one instant.

    Attributes:
        wall_ms: it was this late, or later.
        offset: what was known of true time in that boot, None when nothing was.
    """

    boot: str
    mono_ms: int
    wall_ms: int
    offset: Offset | None


class SavedClock:
    """The file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = 0

    def load(self) -> Saved | None:
        """What was saved last; None when there is nothing, or nothing whole."""
        try:
            data = self._path.read_bytes()[: _SLOTS * _SLOT_BYTES]
        except OSError:
            return None
        found = [s for i in range(_SLOTS) if (s := _read_slot(data[i * _SLOT_BYTES :][:_SLOT_BYTES]))]
        if not found:
            return None
        self._turn, saved = max(found, key=lambda pair: pair[0])
        return saved

    def save(self, saved: Saved) -> None:
        """Make it survive a power cut.

        Raises:
            OSError: the disk does not take it.
        """
        self._turn += 1
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o640)
        try:
            is_new = os.fstat(fd).st_size < _SLOTS * _SLOT_BYTES
            if is_new:
                os.ftruncate(fd, _SLOTS * _SLOT_BYTES)
            os.pwrite(fd, _slot(self._turn, saved), self._turn % _SLOTS * _SLOT_BYTES)
            os.fdatasync(fd)
        finally:
            os.close(fd)
        if is_new:
            _sync_directory(self._path.parent)


def _slot(turn: int, saved: Saved) -> bytes:
    offset = saved.offset
    known = (
        [None, 0, 0, ""] if offset is None else [offset.ms, offset.good_ms, offset.error_ms, offset.source]
    )
    plain = [turn, saved.boot, saved.mono_ms, saved.wall_ms, *known]
    body = _MAGIC + json.dumps(plain, separators=(",", ":")).encode() + b" "
    return (body + b"%08x" % zlib.crc32(body)).ljust(_SLOT_BYTES, b"\0")


def _read_slot(slot: bytes) -> tuple[int, Saved] | None:
    body, _, crc = slot.rstrip(b"\0").rpartition(b" ")
    body += b" "
    if not body.startswith(_MAGIC) or crc != b"%08x" % zlib.crc32(body):
        return None
    with contextlib.suppress(ValueError, TypeError, RecursionError):
        turn, boot, mono_ms, wall_ms, offset_ms, good_ms, error_ms, source = json.loads(body[len(_MAGIC) :])
        numbers = (turn, mono_ms, wall_ms, offset_ms or 0, good_ms, error_ms)
        if isinstance(boot, str) and all(type(n) is int and abs(n) < _MAX_MS for n in numbers):
            known = None if offset_ms is None else Offset(offset_ms, good_ms, error_ms, str(source))
            return turn, Saved(boot, mono_ms, wall_ms, known)
    return None


def _sync_directory(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
