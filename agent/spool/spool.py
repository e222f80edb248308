# SPDX-License-Identifier: Apache-2.0
"""What has been measured and not yet been acknowledged, and what of it is to be sent next?

Records are written to segment files in the order they were made. Acknowledged records are forgotten in
memory; a segment file goes when all its records are. After a restart everything still in the files counts as
not acknowledged: sending twice is normal, and the collector stores once. When the spool is full the oldest
segment is dropped, and that itself becomes a record. When the disk refuses, records wait in memory and the
agent goes on measuring.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.contract.kinds import Event, Fields
from agent.contract.ranges import RangeSet
from agent.contract.record import Ack, ClockState, Record
from agent.spool.pending import PendingSegment
from agent.spool.segment import SegmentWriter, read_segment

log = logging.getLogger("agent.spool")

Position = tuple[int, int]
"""Number of the segment and seq of the record: the order in which records were made."""

_SEGMENT_RECORDS = 2000
_DROPPED = "spool_dropped"


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
        oldest: clock at the start of the oldest record not acknowledged, None when there is none.
        dropped: records dropped since the agent started.
        damaged_bytes: bytes found damaged at start.
        problem: why the disk does not take records at present, None when it does.
    """

    records: int
    bytes: int
    oldest: ClockState | None
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
        max_bytes: int = 64 * 1024 * 1024,
        segment_bytes: int = 256 * 1024,
    ) -> None:
        self.session = secrets.token_hex(8)
        self._directory = directory
        self._now = now
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._next_seq = 1
        self._dropped = 0
        self._damaged_bytes = 0
        self._problem: str | None = None
        self._segments: list[PendingSegment] = []
        self._current: PendingSegment | None = None
        self._loaded: PendingSegment | None = None
        self._writer: SegmentWriter | None = None
        self._recover()

    def append(self, **record: Any) -> Record:
        """Number a record, given as `Record`'s arguments without `seq`, and keep it."""
        made = Record(seq=self._next_seq, **record)
        self._next_seq += 1
        segment = self._open_segment()
        segment.add(made)
        self._write(segment, made)
        self._drop_if_full()
        return made

    def commit(self) -> bool:
        """Make all records so far survive a power cut; False when nothing was written since the last time."""
        try:
            return self._writer is not None and self._writer.sync()
        except OSError as e:
            self._disk_refused(e)
            return False

    def acknowledge(self, ack: Ack) -> int:
        """Forget what the collector has; says how many records that were."""
        covered = RangeSet([(1, ack.up_to_seq), *ack.ranges])
        forgotten = sum(s.forget(covered) for s in self._segments if s.session == ack.session)
        self._remove_finished()
        return forgotten

    def next_run(
        self, *, after: Position | None, until: Position | None = None, limit: int = 200
    ) -> Run | None:
        """The first pending records behind `after` and not behind `until`; None when there are none."""
        for segment in self._segments:
            wanted = [seq for seq in segment.pending if _is_between((segment.number, seq), after, until)]
            records = self._load(segment) if wanted else {}
            chosen = tuple(records[seq] for seq in wanted[:limit] if seq in records)
            if chosen:
                first_seq = self._predecessor(segment, chosen[0].seq) + 1
                return Run(segment.session, first_seq, chosen, (segment.number, chosen[-1].seq))
        return None

    def pending_sessions(self) -> list[str]:
        """Sessions that have records not acknowledged, oldest first."""
        return list(dict.fromkeys(s.session for s in self._segments if s.pending))

    def end(self) -> Position | None:
        """Position of the newest pending record, None when nothing is pending."""
        return next(((s.number, s.pending[-1]) for s in reversed(self._segments) if s.pending), None)

    def newest_covered(self, ack: Ack) -> Position | None:
        """Position of the newest number an acknowledgement speaks of; what pends before it was lost."""
        newest = max([ack.up_to_seq, *(high for _, high in ack.ranges)])
        numbers = [s.number for s in self._segments if s.session == ack.session and s.pending]
        return (max(numbers), newest) if numbers and newest else None

    def state(self) -> SpoolState:
        """How full it is now."""
        return SpoolState(
            records=sum(len(s.pending) for s in self._segments),
            bytes=sum(s.bytes for s in self._segments),
            oldest=next((s.oldest for s in self._segments if s.pending), None),
            dropped=self._dropped,
            damaged_bytes=self._damaged_bytes,
            problem=self._problem,
        )

    def close(self) -> None:
        """Commit and release the open file."""
        self.commit()
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _recover(self) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            for path in segment_paths(self._directory):
                self._adopt(path)
        except OSError as e:
            self._disk_refused(e)
        self._remove_finished()
        if self._damaged_bytes:
            log.warning("spool.damaged bytes=%d directory=%s", self._damaged_bytes, self._directory)

    def _adopt(self, path: Path) -> None:
        contents = read_segment(path)
        self._damaged_bytes += contents.damaged_bytes
        segment = PendingSegment(int(path.stem), path, contents.session or "")
        segment.file_bytes = path.stat().st_size
        for record in contents.records:
            segment.add(record)
        segment.release()
        self._segments.append(segment)

    def _open_segment(self) -> PendingSegment:
        current = self._current
        if current and current.file_bytes < self._segment_bytes and len(current.pending) < _SEGMENT_RECORDS:
            return current
        self.close()
        if current:
            current.release()
        number = 1 + (self._segments[-1].number if self._segments else 0)
        self._current = PendingSegment(number, self._directory / f"{number:08d}.seg", self.session)
        self._segments.append(self._current)
        self._remove_finished()
        return self._current

    def _write(self, segment: PendingSegment, record: Record) -> None:
        try:
            if self._writer is None:
                self._writer = SegmentWriter(segment.path, self.session)
            self._writer.append(record)
        except OSError as e:
            segment.is_on_disk = False
            self._disk_refused(e)
            return
        segment.file_bytes = self._writer.bytes
        if self._problem:
            log.info("spool.writable directory=%s", self._directory)
            self._problem = None

    def _disk_refused(self, e: OSError) -> None:
        problem = f"{e.strerror} ({self._directory}): records wait in memory; free space or make it writable"
        if problem != self._problem:
            log.error("spool.unwritable problem=%s", problem)
        self._problem = problem

    def _drop_if_full(self) -> None:
        while len(self._segments) > 1 and sum(s.bytes for s in self._segments) > self._max_bytes:
            oldest = self._segments[0]
            drops = [r.fields for r in self._load(oldest).values() if _is_drop(r.fields)]
            self._segments.remove(oldest)
            oldest.remove()
            self._record_drop(oldest, [d for d in drops if isinstance(d, Event)])

    def _record_drop(self, lost: PendingSegment, carried: list[Event]) -> None:
        """Say what was dropped; what a dropped record said of earlier drops is said again."""
        count = len(lost.pending) - len(carried)
        self._dropped += count
        if lost.pending:
            log.warning("spool.dropped session=%s count=%d", lost.session, count)
            seqs = lost.pending
            carried.append(_drop_event(lost.session, count, seqs[0], seqs[-1]))
        for session in dict.fromkeys(d.subject for d in carried):
            self._append_drop([d for d in carried if d.subject == session])

    def _append_drop(self, drops: list[Event]) -> None:
        """One record for several drops of one session."""
        event = _drop_event(
            drops[0].subject,
            sum(d.count or 0 for d in drops),
            min(d.first_seq or 0 for d in drops),
            max(d.last_seq or 0 for d in drops),
        )
        detail = f"the spool is full ({self._max_bytes} bytes); the oldest records went"
        self.append(kind=Event.kind, clock=self._now(), duration_ms=0, detail=detail, fields=event)

    def _remove_finished(self) -> None:
        for segment in [s for s in self._segments if not s.pending and s is not self._current]:
            self._segments.remove(segment)
            try:
                segment.remove()
            except OSError as e:
                self._disk_refused(e)

    def _load(self, segment: PendingSegment) -> dict[int, Record]:
        """Records of a segment; only one closed segment is held in memory at a time."""
        if self._loaded and self._loaded not in (segment, self._current):
            self._loaded.release()
        self._loaded = segment
        try:
            return segment.records()
        except OSError as e:
            log.error("spool.unreadable file=%s problem=%s", segment.path, e)  # noqa: TRY400 -- no traceback needed
            return {}

    def _predecessor(self, segment: PendingSegment, seq: int) -> int:
        """The pending number of the same session before `seq`, 0 when there is none."""
        for earlier in reversed(self._segments[: self._segments.index(segment) + 1]):
            if earlier.session == segment.session:
                before = [p for p in earlier.pending if p < seq]
                if before:
                    return before[-1]
        return 0


def _is_drop(fields: Fields | None) -> bool:
    return isinstance(fields, Event) and fields.event == _DROPPED


def _drop_event(session: str | None, count: int, first_seq: int, last_seq: int) -> Event:
    return Event(event=_DROPPED, count=count, first_seq=first_seq, last_seq=last_seq, subject=session)


def segment_paths(directory: Path) -> list[Path]:
    """Segment files of a spool, oldest first."""
    return sorted(p for p in directory.glob("*.seg") if p.stem.isdigit())


def _is_between(position: Position, after: Position | None, until: Position | None) -> bool:
    return (after is None or position > after) and (until is None or position <= until)
