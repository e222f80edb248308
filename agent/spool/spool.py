# SPDX-License-Identifier: Apache-2.0
"""What has been measured and not yet been acknowledged, and what of it is to be sent next?

A record is in memory and in the early log (a tmpfs) first. A group commit packs what waits into one block of
the card; what is acknowledged before never gets there. State changes are committed at once. What was sent
over a connection that works may wait longer for its acknowledgement than what was not sent.

After a restart everything still found counts as not acknowledged: sending twice is normal, and the collector
stores once. When the spool is full or a record too old, the least valuable goes first, and that becomes a
record. When the card refuses, records wait packed in memory and the agent goes on measuring.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.contract.kinds import Event
from agent.contract.ranges import RangeSet
from agent.contract.record import Ack, ClockState, Record
from agent.spool.block import SLOT_BYTES, pack_all
from agent.spool.card import Card
from agent.spool.chunk import Queue, packed
from agent.spool.committing import Committing
from agent.spool.disk import Disk
from agent.spool.early import EarlyLog
from agent.spool.memory import Memory, size_bytes
from agent.spool.reading import Position, Reader, Run
from agent.spool.recovery import Recovery
from agent.spool.room import LEAST_FILES, Room
from agent.spool.session import Session
from agent.spool.value import STATE_CHANGES

log = logging.getLogger("agent.spool")

FILE_BYTES = 256 * 1024
_PACK_RECORDS = 100
_EARLY_BYTES = 256 * 1024
_TOO_OLD_EVERY_MS = 3_600_000
_NO_END = 2**63


@dataclass(frozen=True, slots=True)
class SpoolState:
    """How full the spool is.

    Attributes:
        bytes: on the card and in memory.
        oldest: clock at the start of the oldest record not acknowledged, None when there is none.
        unsaved: records that a power cut now would take.
        dropped: records dropped since the agent started.
        damaged_bytes: bytes found damaged at start.
        problem: why the disk does not take records at present, None when it does.
    """

    records: int
    bytes: int
    oldest: ClockState | None
    unsaved: int
    dropped: int
    damaged_bytes: int
    problem: str | None


class Spool:
    """The queue. One thread uses it."""

    def __init__(
        self,
        directory: Path,
        now: Callable[[], ClockState],
        *,
        early: Path | None = None,
        disk: Disk | None = None,
        max_bytes: int = 64 * 1024 * 1024,
        max_memory_bytes: int = 4 * 1024 * 1024,
        max_age_days: float = 90,
        segment_bytes: int = FILE_BYTES,
        commit_every_s: float = 60,
        sent_grace_s: float = 600,
    ) -> None:
        file_bytes = _whole_slots(max_bytes, segment_bytes)
        self._own = self._begin(now)
        self.session = self._own.name
        self._directory = directory
        self._now = now
        self._max_memory_bytes = max_memory_bytes
        self._max_age_days = max_age_days
        self._commit_every_ms = int(commit_every_s * 1000)
        self._sent_grace_ms = int(sent_grace_s * 1000)
        self._problem: str | None = None
        self._problem_since_ms = self._tried_ms = self._looked_ms = now().mono_ms
        self._sent_until: Position | None = None
        disk = disk or Disk()
        self._queue = Queue()
        self._card = Card(disk, directory, file_bytes)
        self._early = EarlyLog(disk, early or directory, now().boot)
        self._memory = Memory(self._queue, self._card, self._early)
        self._reader = Reader(self._queue, self._card, self.session)
        self._room = Room(
            self._own, self._queue, self._memory, self._reader, card=self._card, max_bytes=max_bytes
        )
        self._committing = Committing(self._queue, self._card, self._memory, self._room.make)
        self._recover()

    def _begin(self, now: Callable[[], ClockState]) -> Session:
        return Session(now)

    def _recover(self) -> None:
        problem = Recovery(self._queue, self._card, self._memory).run(self._early)
        self._queue.begin(self.session)
        if problem is not None:
            self._refused(problem)
        if self._card.damaged_bytes:
            log.warning("spool.damaged bytes=%d directory=%s", self._card.damaged_bytes, self._directory)

    def append(self, **record: Any) -> Record:
        """Number a record, given as `Record`'s arguments without `seq`, and keep it."""
        made = self._own.make(**record)
        self._memory.young(self.session).add(made)
        if self._early.is_behind:
            self._memory.save()
        else:
            self._early.add(self.session, made)
        if made.kind in STATE_CHANGES and self._problem is None:
            self.commit()
        self._bound_memory()
        return made

    def commit(self) -> bool:
        """Make all records so far survive a power cut; False when there was nothing to do, or no way."""
        self._tried_ms = self._now().mono_ms
        try:
            has_written = self._committing.store()
            if not has_written and self._problem is not None:
                self._committing.probe()
        except OSError as e:
            self._refused(e)
            # After a write error the kernel shows what it could not write: a restart must not believe it.
            self._memory.save()
            return False
        self._taken()
        return has_written

    def commit_if_due(self) -> bool:
        """Commit when a record has waited long enough; drop what is too old. To be called every second."""
        now = self._now()
        if now.mono_ms - self._looked_ms >= _TOO_OLD_EVERY_MS:
            self._looked_ms = now.mono_ms
            self._drop_too_old(now)
        return self._is_due(now.mono_ms) and self.commit()

    def sent(self, until: Position | None) -> None:
        """Everything up to here was sent, and the collector has been answering; None: it does not."""
        self._sent_until = until

    def acknowledge(self, ack: Ack) -> int:
        """Forget what the collector has; says how many records that were."""
        covered = RangeSet([(1, ack.up_to_seq), *ack.ranges])
        forgotten, emptied = self._queue.forget(ack.session, covered)
        for chunk in emptied:
            if chunk.place is not None:
                self._card.free(chunk.place)
        if forgotten:
            self._committing.tidy()
            if self._early.bytes > _EARLY_BYTES + self._memory.bytes():
                self._memory.save()
        return forgotten

    def next_run(
        self, *, after: Position | None, until: Position | None = None, limit: int = 200
    ) -> Run | None:
        """The first waiting records behind `after` and not behind `until`; None when there are none."""
        for index, session in enumerate(self._queue.sessions):
            low = after[1] if after and after[0] == index else 0
            high = until[1] if until and until[0] == index else _NO_END
            is_outside = (after and index < after[0]) or (until and index > until[0])
            run = None if is_outside else self._reader.run(index, session, (low, high), limit)
            if run:
                if session == self.session:
                    self._own.shown_seq = max(self._own.shown_seq, run.end[1])
                return run
        return None

    def pending_sessions(self) -> list[str]:
        """Sessions that have records not acknowledged, oldest first."""
        return [s for s in self._queue.sessions if self._queue.of(s)]

    def is_pending(self, session: str) -> bool:
        """Whether records of a session are not acknowledged."""
        return bool(self._queue.of(session))

    @property
    def last_seq(self) -> int:
        """Number of the newest record of this session, 0 before the first."""
        return self._own.next_seq - 1

    @property
    def is_unread(self) -> bool:
        """Whether there are files that could not be read, and may come back."""
        return self._card.is_unread

    def end(self) -> Position | None:
        """Position of the newest waiting record, None when nothing waits."""
        for index, session in reversed(list(enumerate(self._queue.sessions))):
            if chunks := self._queue.of(session):
                return index, max((c.seqs[-1] for c in chunks if c.seqs), default=0)
        return None

    def newest_covered(self, ack: Ack) -> Position | None:
        """Position of the newest number an acknowledgement speaks of; what waits before it was lost."""
        newest = ack.newest
        if not newest or ack.session not in self.pending_sessions():
            return None
        return self._queue.sessions.index(ack.session), newest

    def state(self) -> SpoolState:
        """How full it is now."""
        chunks = [c for c in self._queue if c.seqs]
        unsaved = [c for c in chunks if c.place is None]
        return SpoolState(
            records=sum(len(c.seqs) for c in chunks),
            bytes=self._card.size_bytes + sum(map(size_bytes, unsaved)),
            oldest=chunks[0].oldest if chunks else None,
            unsaved=sum(len(c.seqs) for c in unsaved),
            dropped=self._own.dropped,
            damaged_bytes=self._card.damaged_bytes,
            problem=self._problem,
        )

    def close(self) -> None:
        """Commit and release the open files."""
        self.commit()
        self._card.close()
        self._early.close()

    def _drop_too_old(self, now: ClockState) -> None:
        try:
            self._room.drop_too_old(now, self._max_age_days)
        except OSError as e:
            self._refused(e)

    # -- the card refuses

    def _refused(self, e: OSError) -> None:
        if self._problem is None:
            self._problem_since_ms = self._now().mono_ms
            self._problem = f"{e.strerror} ({self._directory}): records wait in memory"
            log.error(
                "spool.unwritable directory=%s problem=%s remedy=free-space-or-make-it-writable",
                self._directory,
                e.strerror,
            )
            self._tell(Event(event="spool_unwritable", subject=e.strerror))
        self._bound_memory()

    def _taken(self) -> None:
        if self._problem is not None:
            lasted_s = (self._now().mono_ms - self._problem_since_ms) / 1000
            self._problem = None
            log.info("spool.writable directory=%s after_s=%g", self._directory, lasted_s)
            self._tell(Event(event="spool_writable", lasted_s=lasted_s))

    def _tell(self, event: Event) -> None:
        self.append(kind=Event.kind, clock=self._now(), duration_ms=0, fields=event)

    def _bound_memory(self) -> None:
        """Pack what only memory has while the card refuses; drop of it what is too much."""
        if self._problem is None:
            return
        for chunk in self._memory.chunks():
            if chunk.payload is None and len(chunk.seqs) >= _PACK_RECORDS:
                pieces = pack_all(chunk.session, chunk.waiting())
                self._queue.replace(chunk, [packed(chunk.session, *piece) for piece in pieces])
                if self._memory.packed_bytes() > self._max_memory_bytes:
                    self._room.drop_from_memory(self._max_memory_bytes)
                self._memory.save()

    def _is_due(self, now_ms: int) -> bool:
        if self._problem is not None:
            return now_ms - self._tried_ms >= self._commit_every_ms
        sessions = self._queue.sessions
        for chunk in self._memory.chunks():
            index = sessions.index(chunk.session)
            for record in chunk.waiting():
                is_sent = self._sent_until is not None and (index, record.seq) <= self._sent_until
                patience_ms = self._sent_grace_ms if is_sent else self._commit_every_ms
                if not 0 <= now_ms - record.clock.mono_ms - record.duration_ms < patience_ms:
                    return True
            if chunk.payload is not None:
                return True
        return False


def _whole_slots(max_bytes: int, segment_bytes: int) -> int:
    """Bytes of a file: as wished, in whole slots, and so that `LEAST_FILES` fit into the spool."""
    most = max_bytes // LEAST_FILES // SLOT_BYTES * SLOT_BYTES
    if not most:
        raise ValueError(f"max_bytes = {max_bytes} is too small: at least {LEAST_FILES * SLOT_BYTES}")
    return min(most, -(-segment_bytes // SLOT_BYTES) * SLOT_BYTES)
