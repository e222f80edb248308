# SPDX-License-Identifier: Apache-2.0
"""Which records go into the next batch, and what may that batch say about what is missing in it?"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from itertools import takewhile

from agent.contract.record import Record
from agent.spool.block import unpack
from agent.spool.card import Card
from agent.spool.chunk import Chunk, Queue

log = logging.getLogger("agent.spool")

Position = tuple[int, int]
"""Number of the session and seq of the record: the order in which records were made."""


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring records to send in one batch; `first_seq` states what that of a `Batch` does."""

    session: str
    first_seq: int
    records: tuple[Record, ...]
    end: Position


class Reader:
    """Reads the queue in its order."""

    def __init__(self, queue: Queue, card: Card, session: str) -> None:
        self._queue = queue
        self._card = card
        self._session = session
        self._loaded: tuple[Chunk | None, tuple[Record, ...]] = (None, ())

    def run(self, index: int, session: str, between: tuple[int, int], limit: int) -> Run | None:
        """The first records of a session with low < seq ≤ high."""
        low, high = between
        while found := self._queue.first(session, low, high, limit):
            records = self._readable(found)
            if records:
                return self._stated(index, session, records)
            low = found[0][1].seqs[-1]
        return None

    def records_of(self, chunk: Chunk) -> list[Record]:
        """The waiting records of a chunk; none where they cannot be read."""
        if chunk.records is not None:
            return chunk.waiting()
        if self._loaded[0] is not chunk:
            try:
                payload = self._card.load(chunk.place) if chunk.place else chunk.payload or b""
            except OSError as e:
                log.error("spool.unreadable place=%s problem=%s", chunk.place, e)  # noqa: TRY400 -- no traceback needed
                return []
            self._loaded = (chunk, unpack(payload)[1])
        waiting = set(chunk.seqs)
        return [r for r in self._loaded[1] if r.seq in waiting]

    def _stated(self, index: int, session: str, records: list[Record]) -> Run:
        """A run that claims no more than is known to be gone."""
        first_seq = self._queue.predecessor(session, records[0].seq) + 1
        if self._card.is_unread and session != self._session:
            # A file that could not be read may come back with what is missing here.
            first_seq = records[0].seq
            records = [r for i, r in enumerate(records) if r.seq == first_seq + i]
        return Run(session, first_seq, tuple(records), (index, records[-1].seq))

    def _readable(self, found: list[tuple[int, Chunk]]) -> list[Record]:
        """Records up to the first that cannot be read."""
        loaded: dict[int, dict[int, Record]] = {}
        for _, chunk in found:
            if id(chunk) not in loaded:
                loaded[id(chunk)] = {r.seq: r for r in self.records_of(chunk)}
        records = (loaded[id(chunk)].get(seq) for seq, chunk in found)
        return [r for r in takewhile(lambda r: r is not None, records) if r is not None]
