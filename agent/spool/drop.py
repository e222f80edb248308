# SPDX-License-Identifier: Apache-2.0
"""What goes when there is no room, and how is that told exactly?

Every record that goes is counted once, in one event for each session it belonged to. Such an event is never
dropped. One that was certainly not sent yet is joined with the next of its session and reason: the new one
counts what it counted, and it counts as gone itself: each number of a session is a record or counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

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
        joined: records of earlier drops that this one takes the place of.
    """

    def __init__(self, why: str, own: str, shown_seq: int) -> None:
        """Of `own`, the present session, records up to `shown_seq` may have been sent."""
        self.why = why
        self._own = own
        self._shown_seq = shown_seq
        self.joined: list[Event] = []
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
            elif not self._join(session, record):
                self.keep(session, [record])

    def _join(self, session: str, record: Record) -> bool:
        """Take the place of a record of an earlier drop, where nobody has seen it."""
        fields = record.fields
        if not isinstance(fields, Event) or fields.event != DROPPED or record.detail != self.why:
            return False
        if session != self._own or record.seq <= self._shown_seq:
            return False
        self.joined.append(fields)
        self.gone.setdefault(session, []).append(record.seq)
        return True

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
        ranges = {session: [(len(s), min(s), max(s))] for session, s in self.gone.items()}
        for e in self.joined:
            ranges.setdefault(e.subject or "", []).append((e.count or 0, e.first_seq or 0, e.last_seq or 0))
        return [
            Event(
                event=DROPPED,
                count=sum(count for count, _, _ in parts),
                first_seq=min(first for _, first, _ in parts),
                last_seq=max(last for _, _, last in parts),
                subject=session,
            )
            for session, parts in ranges.items()
        ]


def least_worthy(queue: Queue, current: int | None, untouchable: Collection[int]) -> tuple[int, int] | None:
    """The file to make smaller next, and up to which level its records go; None when nothing may go.

    The least valuable level that makes up a fair share of some file, and of such files the oldest, the one
    that is written to last.
    """
    levels: dict[int, list[int]] = {}
    for chunk in queue:
        if chunk.place is not None and chunk.place.file not in untouchable:
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
