# SPDX-License-Identifier: Apache-2.0
"""Which part of the journal is the evidence of a month, and how is it copied while the collector writes?

Whole segments: from the one that was being written `LEAD_MS` before the month began, to the journal's end.
What a device tells of a month cannot have arrived before it; what it told in the days before says how it
stood when the month began. Each copy ends with a whole frame, so it verifies as the journal does.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from agent.contract.decoder import DecodeError
from collector import checkpoint
from collector.disk import Disk
from collector.entry import Header, read_frame
from collector.errors import CollectorError
from collector.segment import MAGIC, Damage, Frame, Position
from collector.shelf import Shelf, segment_path

LEAD_MS = 7 * 86_400_000
FOLDER = "journal"
KEYS = "keys.json"


class NoEvidence(CollectorError):
    """There is no journal to close a month of."""


def copy_evidence(shelf: Shelf, start_ms: int, target: Path) -> None:
    """Copy the segments of a month that begins at `start_ms`, and the checkpoints up to their end.

    Raises:
        NoEvidence: there are no segments at all.
        OSError: the disk, or a damaged archive, does not let us.
    """
    numbers = shelf.numbers()
    if not numbers:
        raise NoEvidence(f"{shelf.directory}: there is no journal")
    first = _first(shelf, numbers, start_ms - LEAD_MS)
    target.mkdir(parents=True)
    end = Position(first, 0)
    for number in (n for n in numbers if n >= first):
        content = _whole(shelf, number)
        segment_path(target, number).write_bytes(content)
        end = Position(number, len(content))
    _copy_checkpoints(shelf, end, target)


def _first(shelf: Shelf, numbers: list[int], needed_ms: int) -> int:
    """The last segment that began before that time; the oldest where none did."""
    for number in reversed(numbers):
        header = _header(shelf, number)
        if header is not None and header.began_ms <= needed_ms:
            return number
    return numbers[0]


def _header(shelf: Shelf, number: int) -> Header | None:
    first = next(iter(shelf.scan(number, None)), None)
    if not isinstance(first, Frame):
        return None
    try:
        said = read_frame(first)
    except DecodeError:
        return None
    return said if isinstance(said, Header) else None


def _whole(shelf: Shelf, number: int) -> bytes:
    """A segment up to its last whole frame; damage in the middle goes along, for it is evidence too."""
    size = shelf.size(number)
    end = len(MAGIC)
    for found in shelf.scan(number, None, end=size):
        if isinstance(found, Damage) and found.problem == "tail":
            break
        end = found.end
    return shelf.read(number, 0, end)


def _copy_checkpoints(shelf: Shelf, end: Position, target: Path) -> None:
    content = checkpoint.read(shelf.directory / checkpoint.FILE, Disk())
    (target / checkpoint.FILE).write_bytes(b"".join(_up_to(content, end)))


def _up_to(content: bytes, end: Position) -> Iterator[bytes]:
    """Lines up to the first that speaks of what came later; what cannot be read goes along."""
    for line in content.splitlines(keepends=True):
        try:
            if Position.parse(checkpoint.parse(line.rstrip(b"\n")).position) > end:
                return
        except (ValueError, RecursionError):
            pass
        yield line
