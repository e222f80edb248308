# SPDX-License-Identifier: Apache-2.0
"""How many echoes did a school send and get back per hour and day, and how long did they take?

Sums of counts and of histogram buckets only, so they merge over hours and schools, and their order does not
matter.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from agent.contract.histogram import Histogram, merge
from agent.contract.kinds import Latency
from collector.sinks.schema import DAY_MS
from collector.sinks.stored import Stored

Span = Literal["hour", "day"]
SPANS: dict[Span, int] = {"hour": 3_600_000, "day": DAY_MS}

Key = tuple[int, Span, int, str, bool]
"""Number of the school, span, start of the span, target, whether the line was loaded by a test."""

_DELETE = "DELETE FROM rollups WHERE (school_no, span, start_ms, target, loaded) = (?, ?, ?, ?, ?)"
_ONE = "SELECT body FROM rollups WHERE (school_no, span, start_ms, target, loaded) = (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class RollUp:
    """One hour (or UTC day) of one target.

    Attributes:
        hour_ms: Unix time of its start.
        loaded: whether a throughput test ran at the same time; such times stand apart.
        late: answers after the time-out, neither received nor lost.
        histogram: round-trip times (`agent.contract.histogram`).
    """

    hour_ms: int
    target: str
    loaded: bool
    sent: int
    received: int
    late: int
    histogram: Histogram


@dataclass(frozen=True, slots=True)
class _Sum:
    sent: int = 0
    received: int = 0
    late: int = 0
    histogram: Histogram = ()

    def plus(self, other: _Sum) -> _Sum:
        return _Sum(
            self.sent + other.sent,
            self.received + other.received,
            self.late + other.late,
            merge((self.histogram, other.histogram)),
        )

    def minus(self, other: _Sum) -> _Sum:
        counts = dict(self.histogram)
        for bucket, count in other.histogram:
            counts[bucket] = counts.get(bucket, 0) - count
        return _Sum(
            self.sent - other.sent,
            self.received - other.received,
            self.late - other.late,
            tuple(sorted((bucket, count) for bucket, count in counts.items() if count)),
        )


def add(db: sqlite3.Connection, rows: Iterable[tuple[int, Stored]]) -> None:
    """Count records in that are new to the store; part of a transaction of the caller."""
    sums: dict[Key, _Sum] = {}
    for school_no, stored in rows:
        fields = stored.fields
        if isinstance(fields, Latency):
            for key in _keys(school_no, stored.at_ms, fields):
                sums[key] = sums.get(key, _Sum()).plus(_sum_of(fields))
    changed = [(*key, _to_body(_load(db, key).plus(total))) for key, total in sums.items()]
    db.executemany("INSERT OR REPLACE INTO rollups VALUES (?, ?, ?, ?, ?, ?)", changed)


def subtract(db: sqlite3.Connection, school_no: int, stored: Stored) -> None:
    """Count a record out again that is about to move; part of a transaction of the caller."""
    fields = stored.fields
    if not isinstance(fields, Latency):
        return
    for key in _keys(school_no, stored.at_ms, fields):
        left = _load(db, key).minus(_sum_of(fields))
        if left == _Sum():
            db.execute(_DELETE, key)
        else:
            db.execute("INSERT OR REPLACE INTO rollups VALUES (?, ?, ?, ?, ?, ?)", (*key, _to_body(left)))


def read(db: sqlite3.Connection, school_no: int, span: Span, start_ms: int, end_ms: int) -> Iterator[RollUp]:
    """Roll-ups that begin in start_ms … end_ms (exclusive), ascending by time, target."""
    rows = db.execute(
        "SELECT start_ms, target, loaded, body FROM rollups WHERE school_no = ? AND span = ?"
        " AND start_ms >= ? AND start_ms < ? ORDER BY start_ms, target, loaded",
        (school_no, span, start_ms, end_ms),
    )
    for at_ms, target, loaded, body in rows:
        s = _from_body(body)
        yield RollUp(
            hour_ms=at_ms,
            target=target,
            loaded=bool(loaded),
            sent=s.sent,
            received=s.received,
            late=s.late,
            histogram=s.histogram,
        )


def _keys(school_no: int, at_ms: int, fields: Latency) -> Iterator[Key]:
    target = fields.target.encode("utf-8", "replace").decode()
    for span, span_ms in SPANS.items():
        yield school_no, span, at_ms - at_ms % span_ms, target, bool(fields.loaded)


def _sum_of(fields: Latency) -> _Sum:
    return _Sum(fields.sent or 0, fields.received or 0, fields.late or 0, fields.rtt_histogram or ())


def _load(db: sqlite3.Connection, key: Key) -> _Sum:
    row = db.execute(_ONE, key).fetchone()
    return _Sum() if row is None else _from_body(row[0])


def _to_body(total: _Sum) -> str:
    return json.dumps([total.sent, total.received, total.late, total.histogram], separators=(",", ":"))


def _from_body(body: str) -> _Sum:
    sent, received, late, histogram = json.loads(body)
    return _Sum(sent, received, late, tuple((bucket, count) for bucket, count in histogram))
