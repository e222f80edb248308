# SPDX-License-Identifier: Apache-2.0
"""What is in the embedded store? Read-only, from any thread or process, while the collector writes."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from collector.sinks import chunks, rollups
from collector.sinks.base import Gap, SinkUnavailable
from collector.sinks.compaction import HOT_ROWS
from collector.sinks.problems import describe
from collector.sinks.rollups import RollUp, Span
from collector.sinks.schema import day_of, open_for_reading
from collector.sinks.stored import Damaged, Stored, from_row


@dataclass(frozen=True, slots=True, kw_only=True)
class LastSeen:
    """When a school was last heard of.

    Attributes:
        at_ms: start of its newest record; its arrival, where the device's clock was ahead of it.
        received_ms: when a record of it last arrived.
        device: which device made the newest record.
    """

    at_ms: int
    received_ms: int
    device: str


class StoreReader:
    """Each question opens the file anew and sees one moment of it.

    Every method raises `SinkUnavailable` where there is no store yet, or none that can be read.
    """

    def __init__(self, path: Path, *, busy_s: float = 5.0) -> None:
        self._path = path
        self._busy_s = busy_s

    def count(self) -> int:
        """Records in the store."""
        with self._snapshot() as db:
            (records,) = db.execute("SELECT ifnull(sum(records), 0) FROM schools").fetchone()
        return int(records)

    def last_seen(self) -> dict[str, LastSeen]:
        """Every school that was ever heard of, by its id."""
        query = "SELECT id, seen_ms, received_ms, device FROM schools WHERE seen_ms IS NOT NULL ORDER BY id"
        with self._snapshot() as db:
            rows = db.execute(query).fetchall()
        return {row[0]: LastSeen(at_ms=row[1], received_ms=row[2], device=row[3]) for row in rows}

    def gaps(self, device: str) -> list[Gap]:
        """What a device said no longer exists, as it was told."""
        query = (
            "SELECT device, session, first_seq, last_seq, gaps.received_ms FROM gaps"
            " JOIN sessions ON sessions.no = session_no WHERE device = ? ORDER BY gaps.received_ms, first_seq"
        )
        with self._snapshot() as db:
            rows = db.execute(query, (device,)).fetchall()
        return [Gap(device=r[0], session=r[1], first_seq=r[2], last_seq=r[3], received_ms=r[4]) for r in rows]

    def lost(self) -> dict[str, int]:
        """How many records each device that lost any said no longer exist."""
        query = (
            "SELECT device, CAST(total(last_seq - first_seq + 1) AS INTEGER) FROM gaps"
            " JOIN sessions ON sessions.no = session_no"
            " GROUP BY device"
        )
        with self._snapshot() as db:
            return dict(db.execute(query).fetchall())

    def records(self, school_id: str, kind: str, *, start_ms: int, end_ms: int) -> list[Stored]:
        """Records that began in start_ms … end_ms (exclusive), ascending."""
        with self._snapshot() as db:
            return _records(db, school_id, kind, start_ms, end_ms)

    def records_since(self, starts: Mapping[str, int], kind: str, *, end_ms: int) -> dict[str, list[Stored]]:
        """The same for many schools, each from a start of its own; opening the file is what costs most."""
        with self._snapshot() as db:
            return {i: _records(db, i, kind, start_ms, end_ms) for i, start_ms in starts.items()}

    def rtt_rollups(self, school_id: str, *, start_ms: int, end_ms: int, span: Span = "hour") -> list[RollUp]:
        """Hourly (or daily, by UTC) roll-ups that begin in start_ms … end_ms (exclusive), ascending."""
        with self._snapshot() as db:
            return list(rollups.read(db, _school_no(db, school_id), span, start_ms, end_ms))

    @contextlib.contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """A read transaction: a compaction in between is not seen by halves."""
        try:
            with contextlib.closing(open_for_reading(self._path, busy_s=self._busy_s)) as db:
                db.execute("BEGIN")
                yield db
        except (sqlite3.Error, Damaged) as e:
            raise SinkUnavailable(describe(self._path, e)) from e


def _records(db: sqlite3.Connection, school_id: str, kind: str, start_ms: int, end_ms: int) -> list[Stored]:
    no = _school_no(db, school_id)
    rows = db.execute(HOT_ROWS + " AND kind = ?", (no, start_ms, end_ms, kind))
    found = [from_row(row) for row in rows]
    found += [r for r in _cold(db, no, kind, start_ms, end_ms) if start_ms <= r.at_ms < end_ms]
    return sorted(found, key=lambda r: r.order)


def _school_no(db: sqlite3.Connection, school_id: str) -> int:
    row = db.execute("SELECT no FROM schools WHERE id = ?", (school_id,)).fetchone()
    return -1 if row is None else int(row[0])


def _cold(db: sqlite3.Connection, no: int, kind: str, start_ms: int, end_ms: int) -> Iterator[Stored]:
    query = "SELECT body FROM chunks WHERE school_no = ? AND kind = ? AND day BETWEEN ? AND ?"
    for (body,) in db.execute(query, (no, kind, day_of(start_ms), day_of(end_ms))):
        yield from chunks.decode(kind, body)
