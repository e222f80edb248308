# SPDX-License-Identifier: Apache-2.0
r"""How does one file of the journal look, and what of it can still be trusted after damage?

    segment = "schoolpulse journal 1\n", frames; the first frame is the segment's header
    frame   = "\xe5SPJ", length of the body (u32), CRC-32 (u32), chain (32 bytes), body

Big-endian. chain = SHA-256(chain of the frame before, across segments, then the body). The CRC covers the
frame's own place (segment u32, offset u64) before length, chain and body: bytes that were a frame somewhere
else, or that a device put into its payload to look like one, are not taken for one here.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Self

MAGIC = b"schoolpulse journal 1\n"
MARK = b"\xe5SPJ"
NO_CHAIN = bytes(32)
"""What the very first frame of a journal follows."""

_HEAD = struct.Struct(">4sII32s")
HEAD_BYTES = _HEAD.size
MAX_SEGMENT = 2**32 - 1
_COVERED = struct.Struct(">IQI32s")
_WINDOW_BYTES = 1 << 20

Read = Callable[[int, int], bytes]
"""`read(offset, size)`: up to `size` bytes of the segment; fewer only at its end."""


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the journal; later places are greater."""

    segment: int
    offset: int

    def __str__(self) -> str:
        return f"{self.segment:06}:{self.offset}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `000001:12345`.

        Raises:
            ValueError: it is not a position.
        """
        segment, colon, offset = text.partition(":")
        if not (colon and segment.isascii() and segment.isdigit() and offset.isascii() and offset.isdigit()):
            raise ValueError(f"{text[:40]!r} is not a position such as 000001:12345")
        return cls(int(segment), int(offset))


@dataclass(frozen=True, slots=True)
class End:
    """The end of what is committed: where the next frame goes, what it follows, its number."""

    at: Position
    chain: bytes
    next_number: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole frame as it stands in the file."""

    at: Position
    end: int
    chain: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Damage:
    """Bytes that are no whole frame, or a frame that does not follow the one before it.

    Attributes:
        problem: `bytes` between whole frames, `chain` for a frame changed or with others cut out before it,
            `tail` when nothing whole follows up to the end, `proven` when it is known to have been whole,
            `missing` and `archive` for a segment that is nowhere, or that the archive does not give back.
    """

    at: Position
    end: int
    problem: str


def make_frame(body: bytes, at: Position, previous: bytes) -> tuple[bytes, bytes]:
    """The bytes of a frame, and its chain."""
    chain = _chain(previous, body)
    return _HEAD.pack(MARK, len(body), _crc(at, chain, body), chain) + body, chain


def scan(read: Read, start: Position, end: int, previous: bytes | None) -> Iterator[Frame | Damage]:
    """What stands from `start` to the offset `end`.

    Args:
        read: how to get at the segment's bytes.
        start: where a frame is expected.
        end: how far the segment goes.
        previous: chain of the frame before `start`; None when not known: the first frame is then believed.
    """
    window = _Window(read, end)
    at = start
    while at.offset < end:
        frame = _frame_at(window, at)
        if frame is None:
            found = _next_frame(window, at)
            yield Damage(at, end, "tail") if found is None else Damage(at, found.at.offset, "bytes")
            at, previous = Position(at.segment, found.at.offset if found else end), None
            continue
        if previous is not None and _chain(previous, frame.body) != frame.chain:
            yield Damage(at, frame.end, "chain")
        else:
            yield frame
        at, previous = Position(at.segment, frame.end), frame.chain


class _Window:
    """A stretch of the file in memory, moved along as it is asked for."""

    def __init__(self, read: Read, end: int) -> None:
        self._read = read
        self.end = end
        self._start = 0
        self._data = b""

    def get(self, offset: int, size: int) -> bytes:
        size = max(0, min(size, self.end - offset))
        begin = offset - self._start
        if begin < 0 or begin + size > len(self._data):
            self._start, begin = offset, 0
            self._data = self._read(offset, min(max(size, _WINDOW_BYTES), self.end - offset))
        return self._data[begin : begin + size]

    def find(self, mark: bytes, offset: int) -> int | None:
        while offset < self.end:
            data = self.get(offset, _WINDOW_BYTES)
            found = data.find(mark)
            if found >= 0:
                return offset + found
            offset += max(1, len(data) - len(mark) + 1)
        return None


def _frame_at(window: _Window, at: Position) -> Frame | None:
    head = window.get(at.offset, _HEAD.size)
    if len(head) < _HEAD.size:
        return None
    mark, length, crc, chain = _HEAD.unpack(head)
    end = at.offset + _HEAD.size + length
    if mark != MARK or end > window.end:
        return None
    body = window.get(at.offset + _HEAD.size, length)
    if len(body) != length or crc != _crc(at, chain, body):
        return None
    return Frame(at, end, chain, body)


def _next_frame(window: _Window, damaged: Position) -> Frame | None:
    offset = window.find(MARK, damaged.offset + 1)
    while offset is not None:
        frame = _frame_at(window, Position(damaged.segment, offset))
        if frame is not None:
            return frame
        offset = window.find(MARK, offset + 1)
    return None


def _crc(at: Position, chain: bytes, body: bytes) -> int:
    covered = _COVERED.pack(at.segment, at.offset, len(body), chain)
    return zlib.crc32(body, zlib.crc32(covered))


def _chain(previous: bytes, body: bytes) -> bytes:
    return hashlib.sha256(previous + body).digest()
