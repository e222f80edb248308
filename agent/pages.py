# SPDX-License-Identifier: Apache-2.0
"""How does a little state survive a power cut at the cost of one page? Two slots, written in place in turn.

    file = two slots, 4096 bytes apart; the newer whole one counts
    slot = magic, JSON [turn, ...], " ", CRC-32

A write in place of a file that exists costs the card one page and no metadata; a torn one leaves the other
slot.
"""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any

_SLOT_BYTES = 4096
_SLOTS = 2
_MAX_TURN = 2**53


class Pages:
    """The file."""

    def __init__(self, path: Path, magic: bytes) -> None:
        self._path = path
        self._magic = magic
        self._turn = 0

    def load(self) -> list[Any] | None:
        """What was saved last; None when there is nothing, or nothing whole."""
        try:
            data = self._path.read_bytes()[: _SLOTS * _SLOT_BYTES]
        except OSError:
            return None
        slots = (data[i * _SLOT_BYTES :][:_SLOT_BYTES] for i in range(_SLOTS))
        found = [plain for slot in slots if (plain := self._read(slot)) is not None]
        if not found:
            return None
        self._turn, *saved = max(found, key=lambda plain: int(plain[0]))
        return saved

    def save(self, *values: Any) -> None:
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
            os.pwrite(fd, self._slot([self._turn, *values]), self._turn % _SLOTS * _SLOT_BYTES)
            os.fdatasync(fd)
        finally:
            os.close(fd)
        if is_new:
            sync_directory(self._path.parent)

    def _slot(self, plain: list[Any]) -> bytes:
        body = self._magic + json.dumps(plain, separators=(",", ":")).encode() + b" "
        return (body + b"%08x" % zlib.crc32(body)).ljust(_SLOT_BYTES, b"\0")

    def _read(self, slot: bytes) -> list[Any] | None:
        body, _, crc = slot.rstrip(b"\0").rpartition(b" ")
        body += b" "
        if not body.startswith(self._magic) or crc != b"%08x" % zlib.crc32(body):
            return None
        try:
            plain = json.loads(body[len(self._magic) :])
        except (ValueError, RecursionError):
            return None
        is_ours = isinstance(plain, list) and plain and type(plain[0]) is int and abs(plain[0]) < _MAX_TURN
        return plain if is_ours else None


def sync_directory(directory: Path) -> None:
    """Make the names in it survive a power cut.

    Raises:
        OSError: the disk does not take it.
    """
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
