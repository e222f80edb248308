# SPDX-License-Identifier: Apache-2.0
"""What is left of what earlier starts of the agent kept, on the card and in the early log?"""

from __future__ import annotations

import logging

from agent.contract.decoder import DecodeError
from agent.contract.ranges import RangeSet
from agent.contract.record import Record
from agent.spool.block import unpack
from agent.spool.card import Card, Place
from agent.spool.chunk import Queue, packed
from agent.spool.early import EarlyLog
from agent.spool.memory import Memory

log = logging.getLogger("agent.spool")


class Recovery:
    """Fills the queue; a record may be in several places, and counts once."""

    def __init__(self, queue: Queue, card: Card, memory: Memory) -> None:
        self._queue = queue
        self._card = card
        self._memory = memory
        self._known: dict[str, RangeSet] = {}

    def run(self, early: EarlyLog) -> OSError | None:
        """Take in what there is; says why the card cannot be read, where it cannot."""
        left = early.recover()
        problem = None
        try:
            for place, payload in self._card.recover():
                if place in left.spoiled:
                    self._card.spoil(place)
                else:
                    self._adopt(place, payload)
        except OSError as e:
            problem = e
        for payload in left.payloads:
            self._adopt(None, payload)
        for session, record in left.records:
            if self._is_new(session, record):
                self._memory.young(session).add(record)
        return problem

    def _adopt(self, place: Place | None, payload: bytes) -> None:
        try:
            session, records = unpack(payload)
        except DecodeError as e:
            self._card.is_unread = True
            if place:
                self._card.untouchable.add(place.file)
            log.error("spool.block_unknown place=%s problem=%s", place, e)  # noqa: TRY400 -- no traceback needed
            return
        chunk = packed(session, [r for r in records if self._is_new(session, r)], payload, place)
        self._queue.put(chunk)
        if place and not chunk.seqs:
            self._card.free(place)

    def _is_new(self, session: str, record: Record) -> bool:
        known = self._known.setdefault(session, RangeSet())
        if record.seq in known:
            return False
        known.add(record.seq, record.seq)
        return True
