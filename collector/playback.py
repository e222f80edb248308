# SPDX-License-Identifier: Apache-2.0
"""What stands in the journal from a given place on?

A damaged stretch is stepped over and reported, never returned. A half-written end is where the writer is at
work.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agent.contract.decoder import DecodeError
from collector.disk import Disk
from collector.entry import Entry, read_frame
from collector.segment import MAGIC, Damage, Frame, Position
from collector.shelf import Shelf, Unreadable

START = Position(0, 0)
PAGE_BYTES = 4 * 1024 * 1024


@dataclass(kw_only=True)
class Page:
    """Some entries in a row, what was damaged between them, and where to read on."""

    after: Position
    chain: bytes | None = None
    entries: list[Entry] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    bytes: int = 0

    def is_full(self, at_most: int) -> bool:
        """Whether it is enough for one turn."""
        return len(self.entries) >= at_most or self.bytes >= PAGE_BYTES


class Playback:
    """One reader of a journal and its archive; any number may read beside the writer."""

    def __init__(
        self,
        directory: Path,
        *,
        archive: Path | None = None,
        start: Position = START,
        disk: Disk | None = None,
    ) -> None:
        self.shelf = Shelf(directory, archive=archive, disk=disk)
        self.at = start
        self._chain: bytes | None = None

    def read(self, *, until: Position | None = None, at_most: int = 1000) -> Page:
        """The next entries, none at the end.

        Args:
            until: what is committed; without it, the end of the newest segment, however it looks.
            at_most: after this many entries it is enough for one turn.

        Raises:
            OSError: the disk does not let us.
        """
        page = Page(after=self.at, chain=self._chain)
        numbers = self.shelf.numbers()
        for number in self._ahead(numbers, until):
            _note_missing(page, number)
            try:
                self._read_segment(page, number, until, at_most, is_newest=number == numbers[-1])
            except Unreadable:
                _note_spoiled(page, number)
            if page.is_full(at_most):
                break
        self.at, self._chain = page.after, page.chain
        return page

    def seek(self, at: Position) -> None:
        """Read on from an entry anywhere; what stands before it is not checked."""
        self.at, self._chain = at, None

    def _ahead(self, numbers: list[int], until: Position | None) -> Iterator[int]:
        return (n for n in numbers if n >= self.at.segment and (until is None or n <= until.segment))

    def _read_segment(
        self, page: Page, number: int, until: Position | None, at_most: int, *, is_newest: bool
    ) -> None:
        here = page.after if page.after.segment == number else Position(number, 0)
        here = max(here, Position(number, len(MAGIC)))
        end = until.offset if until is not None and until.segment == number else None
        for found in self.shelf.scan(number, page.chain, offset=here.offset, end=end):
            if isinstance(found, Damage) and found.problem == "tail" and is_newest and until is None:
                return
            self._take(page, found)
            if page.is_full(at_most):
                return

    def _take(self, page: Page, found: Frame | Damage) -> None:
        page.after = Position(found.at.segment, found.end)
        if isinstance(found, Damage):
            page.chain = None
            page.damages.append(found)
            return
        page.chain = found.chain
        try:
            said = read_frame(found)
        except DecodeError as e:
            page.damages.append(Damage(found.at, found.end, e.problem))
            return
        if isinstance(said, Entry):
            page.entries.append(said)
            page.bytes += len(said.payload)


def _note_spoiled(page: Page, number: int) -> None:
    """A segment that the archive does not give back is stepped over: what follows it is not to wait."""
    offset = page.after.offset if page.after.segment == number else 0
    page.damages.append(Damage(Position(number, offset), 0, "archive"))
    page.chain = None
    page.after = Position(number + 1, 0)


def _note_missing(page: Page, number: int) -> None:
    """Segments that are neither in the journal nor in the archive are damage, not silence."""
    if page.after.segment < number - 1:
        missing = Position(page.after.segment + 1, 0)
        page.damages.append(Damage(missing, 0, "missing"))
        page.chain = None
        page.after = Position(number, 0)
