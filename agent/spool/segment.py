# SPDX-License-Identifier: Apache-2.0
r"""How does one file of the spool look, and what of it survives damage?

    segment = magic "SPSEG1\n\0", session (8 bytes), frames
    frame   = marker a5 5a, length (u16), CRC-32 of the payload (u32), payload

Little-endian. A payload is one record as JSON. A reader skips what does not fit and counts it; a torn end is
what a power cut leaves. Nothing is ever changed in place.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

from agent.contract.decoder import DecodeError
from agent.contract.record import Record, record_from_plain, to_plain

MAGIC = b"SPSEG1\n\0"
HEADER_BYTES = len(MAGIC) + 8
_MARKER = b"\xa5\x5a"
_FRAME = struct.Struct("<2sHI")
MAX_PAYLOAD = 0xFFFF


@dataclass(frozen=True, slots=True)
class Contents:
    """What a segment file still holds.

    Attributes:
        session: None when not even the header could be read.
        damaged_bytes: bytes that belong to no whole frame.
    """

    session: str | None
    records: tuple[Record, ...]
    damaged_bytes: int


class SegmentWriter:
    """Appends records to a new file.

    Every method raises `OSError` where the disk does not take it.
    """

    def __init__(self, path: Path, session: str) -> None:
        self.path = path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o640)
        self._is_dirty = True
        self.bytes = self._write(MAGIC + bytes.fromhex(session))
        sync_directory(path.parent)

    def append(self, record: Record) -> None:
        """Hand one record to the kernel; it survives a crash of the program, not yet a power cut."""
        payload = json.dumps(to_plain(record), separators=(",", ":"), ensure_ascii=False).encode()
        if len(payload) > MAX_PAYLOAD:
            raise ValueError(f"a record of {len(payload)} bytes is more than {MAX_PAYLOAD}")
        self._is_dirty = True
        self.bytes += self._write(_FRAME.pack(_MARKER, len(payload), zlib.crc32(payload)) + payload)

    def sync(self) -> bool:
        """Make all appended records survive a power cut; False when there was nothing to do."""
        if not self._is_dirty:
            return False
        os.fdatasync(self._fd)
        self._is_dirty = False
        return True

    def close(self) -> None:
        """Release the file."""
        os.close(self._fd)

    def _write(self, data: bytes) -> int:
        written = os.write(self._fd, data)
        if written != len(data):
            raise OSError(28, f"only {written} of {len(data)} bytes fitted", str(self.path))
        return written


def read_segment(path: Path) -> Contents:
    """Everything whole in a segment file, in its order.

    Raises:
        OSError: the file cannot be read.
    """
    data = path.read_bytes()
    if len(data) < HEADER_BYTES or not data.startswith(MAGIC):
        return Contents(None, (), len(data))
    records = []
    at, whole = HEADER_BYTES, HEADER_BYTES
    while (at := data.find(_MARKER, at)) >= 0:
        found = _frame(data, at)
        if found is None:
            at += 1
            continue
        record, at_end = found
        records.append(record)
        whole += at_end - at
        at = at_end
    return Contents(data[len(MAGIC) : HEADER_BYTES].hex(), tuple(records), len(data) - whole)


def _frame(data: bytes, at: int) -> tuple[Record, int] | None:
    if at + _FRAME.size > len(data):
        return None
    _, length, crc = _FRAME.unpack_from(data, at)
    payload = data[at + _FRAME.size : at + _FRAME.size + length]
    if len(payload) != length or zlib.crc32(payload) != crc:
        return None
    try:
        return record_from_plain(json.loads(payload)), at + _FRAME.size + length
    except (DecodeError, ValueError):
        return None


def sync_directory(directory: Path) -> None:
    """Make a created or removed file's name survive a power cut."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
