# SPDX-License-Identifier: Apache-2.0
"""How does a journal stand after any end of the program or the machine?

The newest segment alone is read: its header says what was accounted for when it began. Only where that
header is damaged are older segments read as well. What a power cut left half written at the end was never
acknowledged; it is put aside in a `.torn` file and cut off. Damage in the middle stays where it is and is
counted, and so does damage at the end where a checkpoint or a cursor proves that it had been whole.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent.contract.decoder import DecodeError
from collector.coverage import Coverage
from collector.disk import Disk
from collector.entry import Entry, Header, read_frame
from collector.extent import proven_end
from collector.seen import Seen
from collector.segment import MAGIC, NO_CHAIN, Damage, Frame, Position
from collector.shelf import Shelf, Unreadable, segment_path

log = logging.getLogger("collector.journal")

_TORN = ".torn"


@dataclass(kw_only=True)
class Standing:
    """Where and how the journal goes on; `end` is None when it has no segment of its own yet.

    Attributes:
        archived: the last segment of the archive, where that is all there is; else 0.
        torn: how many torn ends were ever put aside.
    """

    end: Position | None = None
    archived: int = 0
    chain: bytes = NO_CHAIN
    next_number: int = 1
    seen: Seen = field(default_factory=Seen)
    coverage: Coverage = field(default_factory=Coverage)
    damages: list[Damage] = field(default_factory=list)
    torn: int = 0


def recover(shelf: Shelf) -> Standing:
    """Read what is needed, cut off a torn end.

    Raises:
        OSError: the disk does not let us.
    """
    proven = proven_end(shelf.directory, shelf.disk) or Position(0, 0)
    newest = _newest_born(shelf, proven)
    standing = Standing()
    if newest is not None:
        cut = _torn_from(shelf, newest)
        if cut is not None and Position(newest, cut) < proven:
            cut = None
        for number in _to_read(shelf, newest):
            _read_segment(standing, shelf, number, cut if number == newest else None)
        if cut is None:
            _go_on_behind(standing, shelf, newest, proven)
        _cut_tail(shelf, newest, cut)
    elif archived := shelf.archived():
        _go_on_behind_archive(standing, shelf, archived[-1])
    standing.torn = sum(name.endswith(_TORN) for name in shelf.disk.names(shelf.directory))
    for damage in standing.damages:
        log.error("journal.damaged at=%s end=%d problem=%s", damage.at, damage.end, damage.problem)
    return standing


def _newest_born(shelf: Shelf, proven: Position) -> int | None:
    """The segment to go on with, after removing one that a crash left without a single whole frame.

    Whatever else has no whole frame, and follows no segment, was put there by others, and goes as well.
    """
    numbers = shelf.local()
    is_first = True
    while numbers and numbers[-1] > proven.segment and (is_first or numbers[-1] - 1 not in numbers):
        if any(isinstance(f, Frame) for f in shelf.scan(numbers[-1], None)):
            break
        path = segment_path(shelf.directory, numbers.pop())
        _put_aside(shelf.disk, path, 0)
        shelf.disk.remove(path)
        is_first = False
    return numbers[-1] if numbers else None


def _torn_from(shelf: Shelf, newest: int) -> int | None:
    """Where the last group begins to be in pieces, None when it is whole.

    Damage behind which no other group begins is what a power cut leaves of a group nobody was told about. Any
    other was done to what had been durable.
    """
    torn = None
    for found in shelf.scan(newest, None):
        if isinstance(found, Damage):
            torn = found.at.offset if torn is None else torn
        elif _begins_group(found):
            torn = None
    return torn


def _go_on_behind(standing: Standing, shelf: Shelf, newest: int, proven: Position) -> None:
    """Damage at the end stays where it is; a file that is too short is told of as damage, too."""
    if standing.end is None:
        return
    size = shelf.size(newest)
    if standing.end.offset < size:
        standing.end = Position(newest, size)
    if standing.end < proven:
        end = proven.offset if proven.segment == newest else standing.end.offset
        standing.damages.append(Damage(standing.end, end, "proven"))


def _go_on_behind_archive(standing: Standing, shelf: Shelf, newest: int) -> None:
    """No segment is left but what was archived: numbers, and what is accounted for, follow from there."""
    for number in _to_read(shelf, newest):
        _read_segment(standing, shelf, number, None)
    standing.end, standing.archived = None, newest


def _begins_group(frame: Frame) -> bool:
    try:
        said = read_frame(frame)
    except DecodeError:
        return True
    return not isinstance(said, Entry) or said.place == 0


def _to_read(shelf: Shelf, newest: int) -> list[int]:
    """From the newest segment with a readable header on."""
    numbers = [n for n in shelf.numbers() if n <= newest]
    for i in reversed(range(len(numbers))):
        if _has_header(shelf, numbers[i]):
            return numbers[i:]
    return numbers


def _has_header(shelf: Shelf, number: int) -> bool:
    try:
        first = next(shelf.scan(number, None), None)
        return isinstance(first, Frame) and isinstance(read_frame(first), Header)
    except (DecodeError, Unreadable):
        return False


def _read_segment(standing: Standing, shelf: Shelf, number: int, end: int | None) -> None:
    known = None if standing.end is None else standing.chain
    standing.end = Position(number, len(MAGIC))
    try:
        _read_frames(standing, shelf.scan(number, known, end=end), known)
    except Unreadable:
        standing.damages.append(Damage(standing.end, 0, "archive"))


def _read_frames(standing: Standing, frames: Iterator[Frame | Damage], known: bytes | None) -> None:
    for found in frames:
        if isinstance(found, Damage):
            standing.damages.append(found)
            continue
        standing.chain, standing.end = found.chain, Position(found.at.segment, found.end)
        _apply(standing, found, is_first=known is None)
        known = found.chain


def _apply(standing: Standing, frame: Frame, *, is_first: bool) -> None:
    try:
        said = read_frame(frame)
    except DecodeError as e:
        standing.damages.append(Damage(frame.at, frame.end, e.problem))
        return
    if isinstance(said, Entry):
        standing.seen.add(said.device, said.session, said.new, at_ms=said.received_ms)
        standing.coverage.take(said)
        standing.next_number = said.number + 1
    elif is_first:
        standing.seen, standing.next_number = Seen(said.seen, said.heard_ms), said.next_number
        standing.coverage = Coverage(said.opened)


def _cut_tail(shelf: Shelf, newest: int, offset: int | None) -> None:
    """Leave the newest segment whole and durable, even where only the kernel had its last frames."""
    path = segment_path(shelf.directory, newest)
    file = shelf.disk.open(path)
    try:
        if offset is not None:
            _put_aside(shelf.disk, path, offset)
            file.truncate(offset)
        file.sync()
    finally:
        file.close()
    shelf.disk.sync_directory(shelf.directory)


def _put_aside(disk: Disk, path: Path, offset: int) -> None:
    """Keep torn bytes for whoever wants to look; never acknowledged, so a full disk may do without."""
    torn = disk.read(path, offset)
    if not torn:
        return
    log.warning("journal.torn file=%s offset=%d bytes=%d", path.name, offset, len(torn))
    taken = set(disk.names(path.parent))
    names = (f"{path.stem}-{offset}-{n}{_TORN}" for n in range(1, len(taken) + 2))
    try:
        disk.replace(path.with_name(next(n for n in names if n not in taken)), torn)
    except OSError as e:
        log.warning("journal.torn_not_kept file=%s problem=%s", path.name, e)
