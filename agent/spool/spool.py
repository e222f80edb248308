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
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

from agent.contract.decoder import DecodeError
from agent.contract.kinds import Event
from agent.contract.ranges import RangeSet
from agent.contract.record import Ack, ClockState, Record
from agent.spool.block import pack_all, slots_of, unpack
from agent.spool.card import Card, Place
from agent.spool.chunk import Chunk, Queue
from agent.spool.disk import Disk
from agent.spool.drop import Drop, least_worthy
from agent.spool.early import Early, EarlyLog
from agent.spool.value import LEVELS, STATE_CHANGES, age_days

log = logging.getLogger("agent.spool")

Position = tuple[int, int]
"""Number of the session and seq of the record: the order in which records were made."""

FILE_BYTES = 256 * 1024
_PACK_RECORDS = 100
_JOINED_RECORDS = 100
"""A block is packed anew with each commit until it holds so many; that is some milliseconds of work."""

_RECORD_BYTES = 2000
_EARLY_BYTES = 256 * 1024
_TOO_OLD_EVERY_MS = 3_600_000
_NO_END = 2**63


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring records to send in one batch; `first_seq` states what that of a `Batch` does."""

    session: str
    first_seq: int
    records: tuple[Record, ...]
    end: Position


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


@dataclass(frozen=True, slots=True)
class _Piece:
    """What becomes one block, and the chunks it takes the place of."""

    session: str
    records: Sequence[Record]
    payload: bytes
    instead: tuple[Chunk, ...]


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
        self.session = secrets.token_hex(8)
        self._directory = directory
        self._now = now
        self._max_bytes = max_bytes
        self._max_memory_bytes = max_memory_bytes
        self._max_age_days = max_age_days
        self._commit_every_ms = int(commit_every_s * 1000)
        self._sent_grace_ms = int(sent_grace_s * 1000)
        self._next_seq = 1
        self._dropped = 0
        self._problem: str | None = None
        self._problem_since_ms = self._tried_ms = self._looked_ms = now().mono_ms
        self._sent_until: Position | None = None
        self._queue = Queue()
        self._tip: Chunk | None = None
        self._loaded: tuple[Chunk | None, tuple[Record, ...]] = (None, ())
        self._card = Card(disk or Disk(), directory, segment_bytes)
        self._early = EarlyLog(disk or Disk(), early or directory, now().boot)
        self._recover()

    def append(self, **record: Any) -> Record:
        """Number a record, given as `Record`'s arguments without `seq`, and keep it."""
        made = Record(seq=self._next_seq, **record)
        self._next_seq += 1
        self._young(self.session).add(made)
        if self._early.is_behind:
            self._save_early()
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
            has_written = self._store()
        except OSError as e:
            self._refused(e)
            # After a write error the kernel shows what it could not write: a restart must not believe it.
            self._save_early()
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
            self._tidy()
            if self._early.bytes > _EARLY_BYTES + self._unsaved_bytes():
                self._save_early()
        return forgotten

    def next_run(
        self, *, after: Position | None, until: Position | None = None, limit: int = 200
    ) -> Run | None:
        """The first waiting records behind `after` and not behind `until`; None when there are none."""
        for index, session in enumerate(self._queue.sessions):
            low = after[1] if after and after[0] == index else 0
            high = until[1] if until and until[0] == index else _NO_END
            is_outside = (after and index < after[0]) or (until and index > until[0])
            run = None if is_outside else self._run(index, session, (low, high), limit)
            if run:
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
        return self._next_seq - 1

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
        newest = max([ack.up_to_seq, *(high for _, high in ack.ranges)])
        if not newest or ack.session not in self.pending_sessions():
            return None
        return self._queue.sessions.index(ack.session), newest

    def state(self) -> SpoolState:
        """How full it is now."""
        chunks = [c for c in self._queue if c.seqs]
        unsaved = [c for c in chunks if c.place is None]
        return SpoolState(
            records=sum(len(c.seqs) for c in chunks),
            bytes=self._card.size_bytes + sum(_memory_bytes(c) for c in unsaved),
            oldest=chunks[0].oldest if chunks else None,
            unsaved=sum(len(c.seqs) for c in unsaved),
            dropped=self._dropped,
            damaged_bytes=self._card.damaged_bytes,
            problem=self._problem,
        )

    def close(self) -> None:
        """Commit and release the open files."""
        self.commit()
        self._card.close()
        self._early.close()

    # -- start

    def _recover(self) -> None:
        early = self._early.recover()
        known: dict[str, RangeSet] = {}
        problem: OSError | None = None
        try:
            for place, payload in self._card.recover():
                if place in early.spoiled:
                    self._card.spoil(place)
                else:
                    self._adopt(place, payload, known)
        except OSError as e:
            problem = e
        self._adopt_early(early, known)
        self._queue.begin(self.session)
        if problem is not None:
            self._refused(problem)
        if self._card.damaged_bytes:
            log.warning("spool.damaged bytes=%d directory=%s", self._card.damaged_bytes, self._directory)

    def _adopt_early(self, early: Early, known: dict[str, RangeSet]) -> None:
        for payload in early.payloads:
            self._adopt(None, payload, known)
        for session, record in early.records:
            if record.seq not in known.setdefault(session, RangeSet()):
                known[session].add(record.seq, record.seq)
                self._young(session).add(record)

    def _adopt(self, place: Place | None, payload: bytes, known: dict[str, RangeSet]) -> None:
        """Take a block in; a record may be in several, and counts once."""
        try:
            session, records = unpack(payload)
        except DecodeError as e:
            self._card.is_unread = True
            log.error("spool.block_unknown place=%s problem=%s", place, e)  # noqa: TRY400 -- no traceback needed
            return
        seen = known.setdefault(session, RangeSet())
        chunk = Chunk(session, [r for r in records if r.seq not in seen])
        for seq in chunk.seqs:
            seen.add(seq, seq)
        chunk.place, chunk.payload, chunk.records = place, None if place else payload, None
        self._queue.put(chunk)
        if place and not chunk.seqs:
            self._card.free(place)

    # -- what waits in memory

    def _young(self, session: str) -> Chunk:
        """The chunk of a session that new records enter."""
        for chunk in reversed(self._queue.of(session)):
            if chunk.place is None and chunk.payload is None:
                return chunk
        return self._queue.grow(session)

    def _unsaved(self) -> list[Chunk]:
        return [c for c in self._queue if c.place is None and c.seqs]

    def _unsaved_bytes(self) -> int:
        return sum(map(_memory_bytes, self._unsaved()))

    def _packed_bytes(self) -> int:
        return sum(_memory_bytes(c) for c in self._unsaved() if c.payload is not None)

    def _is_due(self, now_ms: int) -> bool:
        if self._problem is not None:
            return now_ms - self._tried_ms >= self._commit_every_ms
        sessions = self._queue.sessions
        for chunk in self._unsaved():
            index = sessions.index(chunk.session)
            for record in chunk.waiting():
                is_sent = self._sent_until is not None and (index, record.seq) <= self._sent_until
                patience_ms = self._sent_grace_ms if is_sent else self._commit_every_ms
                if not 0 <= now_ms - record.clock.mono_ms - record.duration_ms < patience_ms:
                    return True
            if chunk.payload is not None:
                return True
        return False

    def _bound_memory(self) -> None:
        """Pack what only memory has while the card refuses; drop of it what is too much."""
        if self._problem is None:
            return
        for chunk in self._unsaved():
            if chunk.payload is None and len(chunk.seqs) >= _PACK_RECORDS:
                self._replace(chunk, [_packed(chunk.session, *p) for p in _pieces(chunk)])
                if self._packed_bytes() > self._max_memory_bytes:
                    self._drop_from_memory()
                self._save_early()

    def _replace(self, chunk: Chunk, others: Sequence[Chunk]) -> None:
        self._queue.remove(chunk)
        for other in others:
            self._queue.put(other)

    def _save_early(self) -> None:
        """Let the early log hold what the card does not, and nothing else."""
        unsaved = self._unsaved()
        self._early.replace(
            Early(
                records=[(c.session, r) for c in unsaved if c.payload is None for r in c.waiting()],
                payloads=[c.payload for c in unsaved if c.payload is not None],
                spoiled=sorted(self._card.spoiled),
            )
        )

    # -- the card

    def _store(self) -> bool:
        if not self._unsaved():
            if self._problem is not None:
                self._card.probe()
            return False
        pieces = self._plan()
        if not self._card.has_room(sum(slots_of(p.payload) for p in pieces)):
            self._make_room()
            pieces = self._plan()
        places = self._card.store([p.payload for p in pieces])
        for piece, place in zip(pieces, places, strict=True):
            self._settle(piece, place)
        self._save_early()
        self._tidy()
        return True

    def _plan(self) -> list[_Piece]:
        """Blocks to be written: what is packed already, and the rest together with the newest block."""
        pieces: list[_Piece] = []
        for chunk in self._unsaved():
            if chunk.payload is not None:
                pieces.append(_Piece(chunk.session, (), chunk.payload, (chunk,)))
                continue
            joined = self._joined(chunk)
            pieces += [joined] if joined else self._split(chunk)
        return pieces

    def _joined(self, chunk: Chunk) -> _Piece | None:
        """The newest block and what has come since as one block, where that fits.

        It goes into another slot of the same file, so that the old one stands until the new one does, and no
        file ever holds what was dropped from another.
        """
        tip = self._tip
        if tip is None or tip.session != chunk.session or not tip.waiting() or tip.place is None:
            return None
        if len(tip.seqs) + len(chunk.seqs) > _JOINED_RECORDS:
            return None
        if tip.place.file != self._card.current or not self._card.has_room(1):
            return None
        records = sorted([*tip.waiting(), *chunk.waiting()], key=lambda r: r.seq)
        first, *more = pack_all(chunk.session, records)
        return None if more or slots_of(first[1]) > 1 else _Piece(chunk.session, *first, (tip, chunk))

    @staticmethod
    def _split(chunk: Chunk) -> list[_Piece]:
        pieces = list(_pieces(chunk))
        return [
            _Piece(chunk.session, records, payload, (chunk,) if i == 0 else ())
            for i, (records, payload) in enumerate(pieces)
        ]

    def _settle(self, piece: _Piece, place: Place) -> None:
        """A block is on the card: count its records there."""
        made = Chunk(piece.session, piece.records)
        if not piece.records:
            made = piece.instead[0]
            made.payload, made.place, made.records = None, place, None
            return
        made.place = place
        for chunk in piece.instead:
            self._queue.remove(chunk)
            if chunk.place is not None:
                self._card.free(chunk.place)
        self._queue.put(made)
        if self._tip is not None:
            self._tip.records = None
        self._tip = made

    def _tidy(self) -> None:
        try:
            self._card.tidy()
        except OSError as e:
            log.debug("spool.untidy problem=%s", e)

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

    def _tell(self, event: Event, detail: str | None = None) -> None:
        self.append(kind=Event.kind, clock=self._now(), duration_ms=0, detail=detail, fields=event)

    # -- dropping

    def _make_room(self) -> None:
        """Leave room for one more file within `max_bytes`."""
        while self._card.size_bytes + self._card.file_bytes > self._max_bytes:
            chosen = least_worthy(self._queue, self._card.current)
            if chosen is None:
                return
            number, most = chosen
            self._shrink(number, most, "spool full")

    def _drop_too_old(self, now: ClockState) -> None:
        """What is before a record that is too old is older still, whatever its own clock said."""
        files = sorted({c.place.file for c in self._queue if c.place is not None})
        last = next((n for n in reversed(files) if self._is_too_old(n, now)), 0)
        try:
            for number in files:
                if number <= last and any(sum(c.levels[:LEVELS]) for c in self._queue.in_file(number)):
                    self._shrink(number, LEVELS - 1, "too old")
        except OSError as e:
            self._refused(e)

    def _is_too_old(self, number: int, now: ClockState) -> bool:
        ages = [
            age_days(c.newest, now)
            for c in self._queue.in_file(number)
            if c.newest and sum(c.levels[:LEVELS])
        ]
        known = [a for a in ages if a is not None]
        return bool(known) and min(known) > self._max_age_days

    def _shrink(self, number: int, most: int, why: str) -> None:
        """Make a file smaller by its records up to a level, and record that in the same step."""
        chunks = self._queue.in_file(number)
        drop = Drop(why)
        for chunk in chunks:
            drop.sift(chunk.session, self._records_of(chunk), most)
            drop.lose(chunk)
        events = self._drop_records(drop)
        drop.keep(self.session, events)
        pieces = [(s, *piece) for s, records in drop.kept_in_order() for piece in pack_all(s, records)]
        places = self._card.rewrite(number, [payload for _, _, payload in pieces])
        self._next_seq += len(events)
        for chunk in chunks:
            self._queue.remove(chunk)
            if chunk is self._tip:
                self._tip = None
        for (session, records, _), place in zip(pieces, places, strict=True):
            made = Chunk(session, records)
            made.place, made.records = place, None
            self._queue.put(made)
        self._note_drop(drop)

    def _drop_from_memory(self) -> None:
        """Make what waits in memory smaller by a tenth, least valuable and oldest first."""
        drop = Drop("spool full")
        for most in range(LEVELS):
            self._thin(drop, most)
        events = self._drop_records(drop)
        self._next_seq += len(events)
        for event in events:
            self._young(self.session).add(event)
        self._note_drop(drop)

    def _thin(self, drop: Drop, most: int) -> None:
        """Let records up to a level go until there is room; what stays of several is packed together."""
        excess = self._packed_bytes() - self._max_memory_bytes * 9 // 10
        drop.kept = {}
        for chunk in [c for c in self._unsaved() if c.payload is not None]:
            if excess <= 0:
                break
            if any(chunk.levels[: most + 1]):
                before = drop.count
                drop.sift(chunk.session, self._records_of(chunk), most)
                excess -= _memory_bytes(chunk) * (drop.count - before) // len(chunk.seqs)
                self._queue.remove(chunk)
        for session, records in drop.kept_in_order():
            for piece in pack_all(session, records):
                self._queue.put(_packed(session, *piece))

    def _drop_records(self, drop: Drop) -> list[Record]:
        """The records of a drop, numbered but not yet kept."""
        now = self._now()
        return [
            Record(
                seq=self._next_seq + i, kind=Event.kind, clock=now, duration_ms=0, detail=drop.why, fields=e
            )
            for i, e in enumerate(drop.events())
        ]

    def _note_drop(self, drop: Drop) -> None:
        self._dropped += drop.count
        for event in drop.events():
            log.warning("spool.dropped reason=%s session=%s count=%d", drop.why, event.subject, event.count)

    # -- reading

    def _run(self, index: int, session: str, between: tuple[int, int], limit: int) -> Run | None:
        low, high = between
        while found := self._queue.first(session, low, high, limit):
            records = self._readable(found)
            if records:
                return self._stated(index, session, records)
            low = found[0][1].seqs[-1]
        return None

    def _stated(self, index: int, session: str, records: list[Record]) -> Run:
        """A run that claims no more than is known to be gone."""
        first_seq = self._queue.predecessor(session, records[0].seq) + 1
        if self._card.is_unread and session != self.session:
            # A file that could not be read may come back with what is missing here.
            first_seq = records[0].seq
            records = [r for i, r in enumerate(records) if r.seq == first_seq + i]
        return Run(session, first_seq, tuple(records), (index, records[-1].seq))

    def _readable(self, found: list[tuple[int, Chunk]]) -> list[Record]:
        """Records up to the first that cannot be read."""
        loaded: dict[int, dict[int, Record]] = {}
        for _, chunk in found:
            if id(chunk) not in loaded:
                loaded[id(chunk)] = {r.seq: r for r in self._records_of(chunk)}
        records = (loaded[id(chunk)].get(seq) for seq, chunk in found)
        return [r for r in takewhile(lambda r: r is not None, records) if r is not None]

    def _records_of(self, chunk: Chunk) -> list[Record]:
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


def _packed(session: str, records: Sequence[Record], payload: bytes) -> Chunk:
    """A chunk in memory, packed."""
    chunk = Chunk(session, records)
    chunk.payload, chunk.records = payload, None
    return chunk


def _pieces(chunk: Chunk) -> list[tuple[Sequence[Record], bytes]]:
    return list(pack_all(chunk.session, chunk.waiting()))


def _memory_bytes(chunk: Chunk) -> int:
    return (
        len(chunk.seqs) * _RECORD_BYTES if chunk.payload is None else len(chunk.payload) + len(chunk.seqs) * 8
    )
