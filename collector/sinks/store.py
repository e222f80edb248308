# SPDX-License-Identifier: Apache-2.0
"""How does the collector keep everything by itself, with no database server? One SQLite file.

New records go into a table of hot rows, in one durable transaction (WAL, synchronous FULL) with the roll-ups
and with the journal position they came from. `tidy` moves past days into compressed chunks. A record is
stored once by its identity (device, session, seq), for ever: the first time counts, whatever came after it,
but that a record whose time was not known moves to its place when that becomes known.
The file is a view of the journal: when it is damaged, move it away and it is built again from there.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from agent.contract.decoder import DecodeError
from agent.contract.option import option
from collector.moment import TimeBasis
from collector.sinks import compaction, moving, rollups, seen
from collector.sinks import gaps as lost
from collector.sinks.base import Gap, Measurement, SinkUnavailable
from collector.sinks.problems import describe
from collector.sinks.schema import FIRST_DAY, day_of, open_for_writing, transaction
from collector.sinks.stored import Damaged, Stored, from_measurement, to_body

log = logging.getLogger("collector.sinks.store")
T = TypeVar("T")
_HOUR_MS = 3_600_000
CORRECTED = TimeBasis.CORRECTED


@dataclass(frozen=True, kw_only=True)
class StoreOptions:
    """The table `[sinks.store]`."""

    enabled: bool = option("whether the embedded store is kept; the web page reads it", default=True)
    path: str = option("the SQLite file; made when there is none", "/var/lib/schoolpulse/store.db")
    hot_hours: int = option("age at which a day's rows are packed into a chunk", 48, low=1, high=8760)
    keep_days: int = option("records older than this are deleted; 0 keeps them for ever", 0, low=0)
    keep_rollup_days: int = option("the same for hourly and daily roll-ups", 0, low=0)
    busy_s: float = option("how long to wait for another program that locks the file", 5.0, low=0, high=60)

    def __post_init__(self) -> None:
        if not self.path:
            raise DecodeError("path", "must not be empty")
        if self.keep_days and self.keep_days * 24 <= self.hot_hours:
            raise DecodeError(
                "keep_days", f"{self.keep_days} is not longer than hot_hours = {self.hot_hours}"
            )


class StoreSink:
    """The only writer of the file; readers have `collector.sinks.reader`."""

    name = "store"
    moves = True
    OPTIONS: ClassVar[type[StoreOptions]] = StoreOptions

    def __init__(self, options: StoreOptions) -> None:
        self.known = 0
        self._options = options
        self._path = Path(options.path)
        self._db: sqlite3.Connection | None = None
        self._lock = threading.Lock()

    async def write(self, batch: Sequence[Measurement]) -> None:
        """Store those of the batch that are new."""
        self.known += await self._run(_write, batch, None)

    async def write_at(self, batch: Sequence[Measurement], cursor: str, gaps: Sequence[Gap] = ()) -> None:
        """Store batch, gaps and the position up to which the journal has been read, all or nothing."""
        self.known += await self._run(_write, batch, cursor, gaps)

    async def cursor(self) -> str | None:
        """The position of the last `write_at`; None in a new store."""
        return await self._run(_cursor)

    async def tidy(self, now_ms: int) -> int:
        """Pack past days, delete what is too old; returns how many were packed. For every hour or so."""
        before = day_of(now_ms - self._options.hot_hours * _HOUR_MS)
        packed = 0
        for school_no in await self._run(_school_numbers):
            packed += await self._pack_school(school_no, before)
        if self._options.keep_days:
            oldest = day_of(now_ms) - self._options.keep_days
            await self._run(compaction.forget_records, oldest)
        if self._options.keep_rollup_days:
            oldest = day_of(now_ms) - self._options.keep_rollup_days
            await self._run(compaction.forget_rollups, oldest)
        return packed

    async def close(self) -> None:
        """Close the file."""
        await asyncio.to_thread(self._close)

    async def _pack_school(self, school_no: int, before: int) -> int:
        """Day by day, so that nobody waits for long; a damaged chunk keeps its day's rows hot."""
        packed = 0
        day = await self._run(compaction.next_day, school_no, FIRST_DAY, before)
        while day is not None:
            try:
                packed += await self._run(compaction.compact_day, school_no, day)
            except Damaged:
                log.exception("store.damaged path=%s school_no=%d day=%d", self._path, school_no, day)
            day = await self._run(compaction.next_day, school_no, day + 1, before)
        return packed

    async def _run(self, work: Callable[..., T], *args: object) -> T:
        return await asyncio.to_thread(self._guarded, lambda db: work(db, *args))

    def _guarded(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do it with the file open; after any fault the file is opened anew next time."""
        with self._lock:
            try:
                if self._db is None:
                    self._db = open_for_writing(self._path, busy_s=self._options.busy_s)
                return work(self._db)
            except (sqlite3.Error, OSError) as e:
                self._drop()
                raise SinkUnavailable(describe(self._path, e)) from e

    def _close(self) -> None:
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = None


def _write(
    db: sqlite3.Connection, batch: Sequence[Measurement], cursor: str | None, gaps: Sequence[Gap] = ()
) -> int:
    """Store what is new; how many were there already."""
    with transaction(db):
        schools = {s: _number(db, "schools", (s,)) for s in sorted({m.school.id for m in batch})}
        sessions = {s: _number(db, "sessions", s) for s in sorted({(m.device, m.session) for m in batch})}
        identities = [(sessions[m.device, m.session], m.record.seq) for m in batch]
        is_new = seen.mark_new(db, identities)
        lost.fill(db, [i for i, n in zip(identities, is_new, strict=True) if n])
        lost.note(db, _told(db, gaps))
        new = [m for m, n in zip(batch, is_new, strict=True) if n]
        again = [m for m, n in zip(batch, is_new, strict=True) if not n and m.time_basis is CORRECTED]
        rows = [(schools[m.school.id], sessions[m.device, m.session], from_measurement(m)) for m in new]
        _insert(db, rows)
        moving.note_unsettled(db, rows)
        moves = [(schools[m.school.id], sessions[m.device, m.session], from_measurement(m)) for m in again]
        _insert(db, moving.take_out(db, moves))
        rollups.add(db, ((school_no, stored) for school_no, _, stored in rows))
        _count(db, new)
        if cursor is not None:
            db.execute("INSERT OR REPLACE INTO position VALUES (1, ?)", (cursor,))
    return len(batch) - len(new)


def _insert(db: sqlite3.Connection, rows: Sequence[tuple[int, int, Stored]]) -> None:
    db.executemany(
        "INSERT INTO hot (school_no, at_ms, session_no, seq, kind, body) VALUES (?, ?, ?, ?, ?, ?)",
        [(school_no, s.at_ms, session_no, s.seq, s.kind, to_body(s)) for school_no, session_no, s in rows],
    )


def _told(db: sqlite3.Connection, gaps: Sequence[Gap]) -> list[lost.Told]:
    numbered = ((_number(db, "sessions", (g.device, g.session)), g) for g in gaps)
    return [(session_no, (g.first_seq, g.last_seq), g.received_ms) for session_no, g in numbered]


_NUMBER = {
    "schools": ("INSERT OR IGNORE INTO schools (id) VALUES (?)", "SELECT no FROM schools WHERE id = ?"),
    "sessions": (
        "INSERT OR IGNORE INTO sessions (device, session) VALUES (?, ?)",
        "SELECT no FROM sessions WHERE device = ? AND session = ?",
    ),
}


def _number(db: sqlite3.Connection, table: str, key: tuple[str, ...]) -> int:
    """The number by which rows refer to a school or session; given when it is first met."""
    insert, select = _NUMBER[table]
    row = db.execute(select, key).fetchone()
    if row is None:
        db.execute(insert, key)
        row = db.execute(select, key).fetchone()
    return int(row[0])


def _count(db: sqlite3.Connection, new: Sequence[Measurement]) -> None:
    """Keep each school's number of records and when it was last heard of, whatever the order of arrival."""
    db.executemany(
        "UPDATE schools SET records = records + 1, received_ms = max(ifnull(received_ms, ?1), ?1),"
        " device = CASE WHEN seen_ms IS NULL OR (?2, ?3) > (seen_ms, device) THEN ?3 ELSE device END,"
        " seen_ms = max(ifnull(seen_ms, ?2), ?2) WHERE id = ?4",
        [(m.received_ms, min(m.at_ms, m.received_ms), m.device, m.school.id) for m in new],
    )


def _cursor(db: sqlite3.Connection) -> str | None:
    row = db.execute("SELECT cursor FROM position").fetchone()
    return None if row is None else str(row[0])


def _school_numbers(db: sqlite3.Connection) -> list[int]:
    return [no for (no,) in db.execute("SELECT no FROM schools ORDER BY no")]
