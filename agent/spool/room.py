# SPDX-License-Identifier: Apache-2.0
"""How does the spool stay within its bytes and its days?

Its files never take more than `max_bytes`, also not while one is written that takes the place of others: a
new file begins only where its size would fit twice. When it would not, files are made smaller, the least
valuable records first, until a portion is free, so that not every commit drops. What is left of neighbours
goes into one file. Where nothing may go any more, the card counts as full.
"""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Sequence

from agent.contract.record import ClockState
from agent.spool.block import ROOM, SLOT_BYTES, pack_all, slots_of
from agent.spool.card import Card
from agent.spool.chunk import Queue, packed
from agent.spool.drop import Drop, least_worthy
from agent.spool.memory import Memory, size_bytes
from agent.spool.reading import Reader
from agent.spool.session import Session
from agent.spool.value import LEVELS, age_days

log = logging.getLogger("agent.spool")

LEAST_FILES = 4
"""One that is written to, one that takes the place of others, and two to drop from."""

_PORTION = 16
_EVENT_BYTES = 150
_MARGIN = 1.1


class Room:
    """Drops records; each that goes is counted in the same step."""

    def __init__(
        self, session: Session, queue: Queue, memory: Memory, reader: Reader, *, card: Card, max_bytes: int
    ) -> None:
        self._session = session
        self._queue = queue
        self._card = card
        self._memory = memory
        self._reader = reader
        self._max_bytes = max_bytes

    def make(self, slots: int) -> None:
        """Leave room for a file of so many slots, or of the usual size.

        Raises:
            OSError: there is none.
        """
        least = self._card.file_bytes + max(self._card.file_bytes, slots * SLOT_BYTES)
        if self._card.size_bytes + least <= self._max_bytes:
            return
        portion = max(self._max_bytes // _PORTION, self._card.file_bytes)
        while self._card.size_bytes + least + portion > self._max_bytes:
            chosen = least_worthy(self._queue, self._card.current, self._card.untouchable)
            if chosen is None or not self._shrink_beside(*chosen):
                break
        if self._card.size_bytes + least > self._max_bytes:
            raise OSError(errno.ENOSPC, f"max_bytes is full: {os.strerror(errno.ENOSPC)}")

    def drop_too_old(self, now: ClockState, max_age_days: float) -> None:
        """What is before a record that is too old is older still, whatever its own clock said.

        Raises:
            OSError: the card does not take it.
        """
        files = [n for n in self._card.numbers if n not in self._card.untouchable]
        last = next((n for n in reversed(files) if self._is_too_old(n, now, max_age_days)), 0)
        for number in files:
            if number <= last and any(sum(c.levels[:LEVELS]) for c in self._queue.in_file(number)):
                self._shrink([number], LEVELS - 1, "too old")

    def drop_from_memory(self, max_bytes: int) -> None:
        """Make what waits packed in memory smaller by a tenth, least valuable and oldest first."""
        drop = self._session.drop("spool full")
        for most in range(LEVELS):
            self._thin(drop, most, max_bytes * 9 // 10)
        events = self._session.records_of(drop)
        self._session.done(drop, events)
        for event in events:
            self._memory.young(self._session.name).add(event)
        _tell(drop)

    def _is_too_old(self, number: int, now: ClockState, max_age_days: float) -> bool:
        ages = [
            age_days(c.newest, now)
            for c in self._queue.in_file(number)
            if c.newest and sum(c.levels[:LEVELS])
        ]
        known = [a for a in ages if a is not None]
        return bool(known) and min(known) > max_age_days

    def _shrink_beside(self, number: int, most: int) -> bool:
        """Make a file smaller, together with the neighbours that then fit into one with it."""
        numbers = self._neighbours(number, most)
        if len(numbers) > 1 and self._shrink(numbers, most, "spool full"):
            return True
        return self._shrink([number], most, "spool full")

    def _neighbours(self, number: int, most: int) -> list[int]:
        """It and those beside it of which so little would be left that all of it is one file."""
        files = self._card.numbers
        low = high = files.index(number)
        while low and self._fits(files[low - 1 : high + 1], most):
            low -= 1
        while high + 1 < len(files) and self._fits(files[low : high + 2], most):
            high += 1
        return files[low : high + 1]

    def _fits(self, numbers: Sequence[int], most: int) -> bool:
        if self._card.untouchable.intersection(numbers) or self._card.current in numbers[:-1]:
            return False
        kept_bytes = {self._session.name: float(_EVENT_BYTES)}
        for number in numbers:
            for chunk in self._queue.in_file(number):
                share = sum(chunk.levels[most + 1 :]) / max(1, sum(chunk.levels))
                kept_bytes[chunk.session] = kept_bytes.get(chunk.session, 0.0) + chunk.packed_bytes * share
        slots = sum(-(-kept * _MARGIN // ROOM) for kept in kept_bytes.values())
        return slots <= self._card.file_slots

    def _shrink(self, numbers: Sequence[int], most: int, why: str) -> bool:
        """Put what stays of neighbouring files into one, and record what goes in the same step."""
        if self._card.spoiled:
            # The early log must not call spoiled what is put there now.
            self._card.empty_spoiled()
            self._memory.save()
        chunks = [c for number in numbers for c in self._queue.in_file(number)]
        drop = self._session.drop(why)
        for chunk in chunks:
            drop.sift(chunk.session, self._reader.records_of(chunk), most)
            drop.lose(chunk)
        events = self._session.records_of(drop)
        drop.keep(self._session.name, events)
        pieces = [(s, *piece) for s, records in drop.kept_in_order() for piece in pack_all(s, records)]
        if sum(slots_of(payload) for _, _, payload in pieces) > max(
            self._card.file_slots, self._card.slots(numbers[0]) if len(numbers) == 1 else 0
        ):
            return False
        places = self._card.merge(numbers, [payload for _, _, payload in pieces])
        self._session.done(drop, events)
        for chunk in chunks:
            self._queue.remove(chunk)
            chunk.place = None
        for (session, records, payload), place in zip(pieces, places, strict=True):
            self._queue.put(packed(session, records, payload, place))
        _tell(drop)
        return True

    def _thin(self, drop: Drop, most: int, max_bytes: int) -> None:
        """Let records up to a level go until there is room; what stays of several is packed together."""
        excess = self._memory.packed_bytes() - max_bytes
        drop.kept = {}
        for chunk in self._memory.packed_chunks():
            if excess <= 0:
                break
            if any(chunk.levels[: most + 1]):
                before = drop.count
                drop.sift(chunk.session, self._reader.records_of(chunk), most)
                excess -= size_bytes(chunk) * (drop.count - before) // len(chunk.seqs)
                self._queue.remove(chunk)
        for session, records in drop.kept_in_order():
            for piece in pack_all(session, records):
                self._queue.put(packed(session, *piece))


def _tell(drop: Drop) -> None:
    for event in drop.events():
        log.warning("spool.dropped reason=%s session=%s count=%d", drop.why, event.subject, event.count)
