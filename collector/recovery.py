# SPDX-License-Identifier: Apache-2.0
"""How does a journal stand after any end of the program or the machine?

The newest segment alone is read: its header says what was accounted for when it began. Only where that
header is damaged are older segments read as well. What a power cut left half written at the end was never
acknowledged; it is put aside in a `.torn` file and cut off. Damage in the middle stays where it is and is
counted.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent.contract.decoder import DecodeError
from collector.disk import Disk
from collector.entry import Entry, Header, read_frame
from collector.seen import Seen
from collector.segment import MAGIC, NO_CHAIN, Damage, Frame, Position, scan

log = logging.getLogger("collector.journal")

SUFFIX = ".journal"


@dataclass(kw_only=True)
class Standing:
    """Where and how the journal goes on; `end` is None when it has no segment yet."""

    end: Position | None = None
    chain: bytes = NO_CHAIN
    next_number: int = 1
    seen: Seen = field(default_factory=Seen)
    damages: list[Damage] = field(default_factory=list)


def segment_path(directory: Path, number: int) -> Path:
    """The file of a segment."""
    return directory / f"{number:06}{SUFFIX}"


def segment_numbers(directory: Path, disk: Disk) -> list[int]:
    """Segments there are, ascending."""
    stems = (n.removesuffix(SUFFIX) for n in disk.names(directory) if n.endswith(SUFFIX))
    return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdigit())


def recover(directory: Path, disk: Disk) -> Standing:
    """Read what is needed, cut off a torn end.

    Raises:
        OSError: the disk does not let us.
    """
    numbers = _without_unborn(directory, disk)
    standing = Standing()
    for number in _to_read(directory, disk, numbers):
        _read_segment(standing, directory, disk, number)
    if numbers:
        _cut_tail(standing, directory, disk, numbers[-1])
    for damage in standing.damages:
        log.error("journal.damaged at=%s end=%d problem=%s", damage.at, damage.end, damage.problem)
    return standing


def _without_unborn(directory: Path, disk: Disk) -> list[int]:
    """Segments, after removing a newest one that a crash left without a single whole frame."""
    numbers = segment_numbers(directory, disk)
    if numbers and not any(isinstance(f, Frame) for f in _scan(directory, disk, numbers[-1], None)):
        path = segment_path(directory, numbers[-1])
        _put_aside(disk, path, 0)
        disk.remove(path)
        numbers.pop()
    return numbers


def _to_read(directory: Path, disk: Disk, numbers: list[int]) -> list[int]:
    """From the newest segment with a readable header on."""
    for i in reversed(range(len(numbers))):
        if _has_header(directory, disk, numbers[i]):
            return numbers[i:]
    return numbers


def _has_header(directory: Path, disk: Disk, number: int) -> bool:
    first = next(_scan(directory, disk, number, None), None)
    if not isinstance(first, Frame):
        return False
    try:
        return isinstance(read_frame(first), Header)
    except DecodeError:
        return False


def _read_segment(standing: Standing, directory: Path, disk: Disk, number: int) -> None:
    known = None if standing.end is None else standing.chain
    standing.end = Position(number, len(MAGIC))
    for found in _scan(directory, disk, number, known):
        if isinstance(found, Damage):
            standing.damages.append(found)
            continue
        standing.chain, standing.end = found.chain, Position(number, found.end)
        _apply(standing, found, is_first=known is None)
        known = found.chain


def _apply(standing: Standing, frame: Frame, *, is_first: bool) -> None:
    try:
        said = read_frame(frame)
    except DecodeError as e:
        standing.damages.append(Damage(frame.at, frame.end, e.problem))
        return
    if isinstance(said, Entry):
        standing.seen.add(said.device, said.session, said.new)
        standing.next_number = said.number + 1
    elif is_first:
        standing.seen, standing.next_number = Seen(said.seen), said.next_number


def _cut_tail(standing: Standing, directory: Path, disk: Disk, newest: int) -> None:
    """Leave the newest segment whole and durable, even where only the kernel had its last frames."""
    path = segment_path(directory, newest)
    last = standing.damages[-1] if standing.damages else None
    file = disk.open(path)
    try:
        if last is not None and last.problem == "tail" and last.at.segment == newest:
            _put_aside(disk, path, last.at.offset)
            file.truncate(last.at.offset)
            standing.damages.pop()
        file.sync()
    finally:
        file.close()
    disk.sync_directory(directory)


def _put_aside(disk: Disk, path: Path, offset: int) -> None:
    """Keep torn bytes for whoever wants to look; never acknowledged, so a full disk may do without."""
    torn = disk.read(path, offset)
    if not torn:
        return
    log.warning("journal.torn file=%s offset=%d bytes=%d", path.name, offset, len(torn))
    taken = set(disk.names(path.parent))
    names = (f"{path.stem}-{offset}-{n}.torn" for n in range(1, len(taken) + 2))
    try:
        disk.replace(path.with_name(next(n for n in names if n not in taken)), torn)
    except OSError as e:
        log.warning("journal.torn_not_kept file=%s problem=%s", path.name, e)


def _scan(directory: Path, disk: Disk, number: int, previous: bytes | None) -> Iterator[Frame | Damage]:
    path = segment_path(directory, number)
    return scan(lambda o, n: disk.read(path, o, n), Position(number, len(MAGIC)), disk.size(path), previous)
