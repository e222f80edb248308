# SPDX-License-Identifier: Apache-2.0
"""How do rows of past days, late ones included, become chunks, and how are the oldest deleted?"""

from __future__ import annotations

import sqlite3
from collections import defaultdict

from collector.sinks import chunks
from collector.sinks.schema import DAY_MS, day_of, transaction
from collector.sinks.stored import Stored, from_row

HOT_ROWS = """
SELECT device, session, seq, kind, at_ms, body FROM hot JOIN sessions ON sessions.no = hot.session_no
WHERE school_no = ? AND at_ms >= ? AND at_ms < ?
"""

COUNT_DOWN = """
UPDATE schools SET records = records
    - (SELECT ifnull(sum(records), 0) FROM chunks WHERE school_no = no AND day < ?1)
    - (SELECT count(*) FROM hot WHERE school_no = no AND at_ms < ?2)
"""


def next_day(db: sqlite3.Connection, school_no: int, from_day: int, before_day: int) -> int | None:
    """First day from `from_day` on, before `before_day`, that has hot rows."""
    bounds = (school_no, from_day * DAY_MS, before_day * DAY_MS)
    query = "SELECT min(at_ms) FROM hot WHERE school_no = ? AND at_ms >= ? AND at_ms < ?"
    (at_ms,) = db.execute(query, bounds).fetchone()
    return None if at_ms is None else day_of(at_ms)


def compact_day(db: sqlite3.Connection, school_no: int, day: int) -> int:
    """Move the hot rows of one school's day into its chunks; returns how many."""
    bounds = (school_no, day * DAY_MS, (day + 1) * DAY_MS)
    with transaction(db):
        rows = [from_row(row) for row in db.execute(HOT_ROWS, bounds)]
        by_kind: dict[str, list[Stored]] = defaultdict(list)
        for stored in rows:
            by_kind[stored.kind].append(stored)
        for kind, new in by_kind.items():
            _merge_into_chunk(db, (school_no, day, kind), new)
        db.execute("DELETE FROM hot WHERE school_no = ? AND at_ms >= ? AND at_ms < ?", bounds)
    return len(rows)


def _merge_into_chunk(db: sqlite3.Connection, key: tuple[int, int, str], new: list[Stored]) -> None:
    query = "SELECT body FROM chunks WHERE school_no = ? AND day = ? AND kind = ?"
    row = db.execute(query, key).fetchone()
    everything = new if row is None else chunks.decode(key[2], row[0]) + new
    values = (*key, len(everything), chunks.encode(everything))
    db.execute("INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?)", values)


def forget_records(db: sqlite3.Connection, before_day: int) -> None:
    """Delete the records of days before `before_day`; that they were stored is not forgotten."""
    with transaction(db):
        db.execute(COUNT_DOWN, (before_day, before_day * DAY_MS))
        db.execute("DELETE FROM chunks WHERE day < ?", (before_day,))
        db.execute("DELETE FROM hot WHERE at_ms < ?", (before_day * DAY_MS,))
        db.execute("DELETE FROM unsettled WHERE at_ms < ?", (before_day * DAY_MS,))


def forget_rollups(db: sqlite3.Connection, before_day: int) -> None:
    """Delete the roll-ups of days before `before_day`."""
    with transaction(db):
        db.execute("DELETE FROM rollups WHERE start_ms < ?", (before_day * DAY_MS,))
