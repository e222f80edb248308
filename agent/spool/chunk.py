# SPDX-License-Identifier: Apache-2.0
"""Which records wait, in which order, and where is each?

A chunk is some records of one session that lie together: in one block on the card, packed in memory, or, the
newest, in memory as they are. Chunks of a session may interleave by their numbers, but share none.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator, Sequence

from agent.contract.ranges import RangeSet
from agent.contract.record import MAX_SEQ, ClockState, Record
from agent.spool.card import Place
from agent.spool.value import LEVELS, level


class Chunk:
    """Records of one session that lie together.

    Attributes:
        seqs: numbers that wait for their acknowledgement, ascending.
        place: where on the card; None while it is not there.
        payload: the packed records, where they are in memory only.
        records: the records by number, where they are in memory as they are.
        packed_bytes: of its records, packed; 0 where they never were.
        levels: how many records of each value it held when it was made.
        oldest, newest: clocks of its first and last record then.
    """

    __slots__ = (
        *("levels", "newest", "oldest", "packed_bytes", "payload", "place", "records", "seqs", "session"),
    )

    def __init__(self, session: str, records: Iterable[Record] = ()) -> None:
        self.session = session
        self.seqs: array[int] = array("Q")
        self.records: dict[int, Record] | None = {}
        self.place: Place | None = None
        self.payload: bytes | None = None
        self.packed_bytes = 0
        self.levels = [0] * (LEVELS + 1)
        self.oldest: ClockState | None = None
        self.newest: ClockState | None = None
        for record in records:
            self.add(record)

    def add(self, record: Record) -> None:
        """One more, newer than all before."""
        self.seqs.append(record.seq)
        self.records = self.records or {}
        self.records[record.seq] = record
        self.levels[level(record)] += 1
        self.oldest = self.oldest or record.clock
        self.newest = record.clock

    def forget(self, covered: RangeSet) -> int:
        """Drop the acknowledged ones; says how many."""
        if not self.seqs or not covered.missing(self.seqs[0], self.seqs[-1]):
            return self._keep([])
        if covered.missing(self.seqs[0], self.seqs[-1]) == [(self.seqs[0], self.seqs[-1])]:
            return 0
        return self._keep([seq for seq in self.seqs if seq not in covered])

    def _keep(self, seqs: Sequence[int]) -> int:
        gone = len(self.seqs) - len(seqs)
        self.seqs = array("Q", seqs)
        if self.records is not None:
            self.records = {seq: self.records[seq] for seq in seqs}
        return gone

    def waiting(self) -> list[Record]:
        """The records, where they are in memory as they are."""
        return [] if self.records is None else [self.records[seq] for seq in self.seqs]


def packed(
    session: str, records: Iterable[Record], payload: bytes, place: Place | None = None, *, keep: bool = False
) -> Chunk:
    """A chunk whose records are packed, on the card or in memory; `keep`: as they are in memory, too."""
    chunk = Chunk(session, records)
    chunk.packed_bytes, chunk.place = len(payload), place
    chunk.payload = payload if place is None else None
    if not keep:
        chunk.records = None
    return chunk


class Queue:
    """All chunks, by session; sessions in the order in which they began."""

    def __init__(self) -> None:
        self._chunks: dict[str, list[Chunk]] = {}

    @property
    def sessions(self) -> list[str]:
        """Sessions there have been, oldest first."""
        return list(self._chunks)

    def __iter__(self) -> Iterator[Chunk]:
        for chunks in self._chunks.values():
            yield from chunks

    def begin(self, session: str) -> None:
        """A session, newer than all before."""
        self._chunks.setdefault(session, [])

    def put(self, chunk: Chunk) -> None:
        """Add a chunk; empty ones are not kept."""
        self.begin(chunk.session)
        if chunk.seqs:
            insort(self._chunks[chunk.session], chunk, key=_first)

    def grow(self, session: str) -> Chunk:
        """An empty chunk that new records of a session enter."""
        self.begin(session)
        chunk = Chunk(session)
        self._chunks[session].append(chunk)
        return chunk

    def remove(self, chunk: Chunk) -> None:
        """Take a chunk out."""
        self._chunks[chunk.session].remove(chunk)

    def replace(self, chunk: Chunk, others: Sequence[Chunk]) -> Sequence[Chunk]:
        """Others hold its records now."""
        self.remove(chunk)
        for other in others:
            self.put(other)
        return others

    def forget(self, session: str, covered: RangeSet) -> tuple[int, list[Chunk]]:
        """Drop what was acknowledged; says how many, and which chunks are empty and taken out."""
        chunks = self.of(session)
        gone = sum(chunk.forget(covered) for chunk in chunks)
        if not gone:
            return 0, []
        self._chunks[session] = sorted((c for c in chunks if c.seqs), key=_first)
        return gone, [c for c in chunks if not c.seqs]

    def of(self, session: str) -> list[Chunk]:
        """Chunks of a session, by their first number."""
        return self._chunks.get(session, [])

    def in_file(self, number: int) -> list[Chunk]:
        """Chunks in one file of the card, oldest first."""
        return [c for c in self if c.place is not None and c.place.file == number]

    def first(self, session: str, low: int, high: int, limit: int) -> list[tuple[int, Chunk]]:
        """The first waiting numbers with low < number ≤ high, and where each is."""
        found: list[tuple[int, Chunk]] = []
        for chunk in self.of(session):
            if len(found) >= limit and chunk.seqs and chunk.seqs[0] > found[limit - 1][0]:
                break
            at, end = bisect_right(chunk.seqs, low), bisect_right(chunk.seqs, high)
            if at < end:
                found += [(seq, chunk) for seq in chunk.seqs[at : min(end, at + limit)]]
                found.sort(key=lambda f: f[0])
        return found[:limit]

    def predecessor(self, session: str, seq: int) -> int:
        """The waiting number before `seq`, 0 when there is none."""
        before = 0
        for chunk in self.of(session):
            at = bisect_left(chunk.seqs, seq)
            before = max(before, chunk.seqs[at - 1] if at else 0)
        return before


def _first(chunk: Chunk) -> int:
    """Empty ones are about to be filled with the newest."""
    return chunk.seqs[0] if chunk.seqs else MAX_SEQ + 1
