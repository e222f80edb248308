# SPDX-License-Identifier: Apache-2.0
"""What goes when there is no room, and how is that told exactly?

Every record that goes is counted once, in one event for each session it belonged to. Such an event is itself
never dropped, so no later drop changes a count.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from agent.contract.kinds import Event
from agent.contract.record import Record
from agent.spool.chunk import Chunk, Queue
from agent.spool.value import DROPPED, LEVELS, level

_WORTHWHILE = 8
"""A file is made smaller only when at least one in so many of its records can go."""


class Drop:
    """Records of a place, parted into those that stay and those that go.

    Attributes:
        why: for people.
        kept: records that stay, by session.
        gone: numbers of those that go, by session.
    """

    def __init__(self, why: str) -> None:
        self.why = why
        self.kept: dict[str, list[Record]] = {}
        self.gone: dict[str, list[int]] = {}

    @property
    def count(self) -> int:
        """How many go."""
        return sum(map(len, self.gone.values()))

    def sift(self, session: str, records: Iterable[Record], most: int) -> None:
        """Part some records: those up to a level go."""
        for record in records:
            if level(record) <= most:
                self.gone.setdefault(session, []).append(record.seq)
            else:
                self.keep(session, [record])

    def keep(self, session: str, records: Iterable[Record]) -> None:
        """Some records stay."""
        for record in records:
            self.kept.setdefault(session, []).append(record)

    def lose(self, chunk: Chunk) -> None:
        """Count what a chunk should hold and could not be read."""
        accounted = {r.seq for r in self.kept.get(chunk.session, ())}.union(self.gone.get(chunk.session, ()))
        lost = [seq for seq in chunk.seqs if seq not in accounted]
        if lost:
            self.gone.setdefault(chunk.session, []).extend(lost)

    def kept_in_order(self) -> Iterator[tuple[str, list[Record]]]:
        """What stays, by session, each ascending."""
        for session, records in self.kept.items():
            yield session, sorted(records, key=lambda r: r.seq)

    def events(self) -> list[Event]:
        """One for each session."""
        return [
            Event(event=DROPPED, count=len(s), first_seq=min(s), last_seq=max(s), subject=session)
            for session, s in self.gone.items()
        ]


def least_worthy(queue: Queue, current: int | None) -> tuple[int, int] | None:
    """The file to make smaller next, and up to which level its records go; None when nothing may go.

    The least valuable level that makes up a fair share of some file, and of such files the oldest, the one
    that is written to last.
    """
    levels: dict[int, list[int]] = {}
    for chunk in queue:
        if chunk.place is not None:
            of_file = levels.setdefault(chunk.place.file, [0] * (LEVELS + 1))
            for i, n in enumerate(chunk.levels):
                of_file[i] += n
    in_order = sorted(levels, key=lambda number: (number == current, number))
    for most in range(LEVELS):
        for number in in_order:
            going = sum(levels[number][: most + 1])
            if going and going * _WORTHWHILE >= sum(levels[number]):
                return number, most
    return None
