# SPDX-License-Identifier: Apache-2.0
"""How does a record get to its right place in the store when the time of its boot becomes known?"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Sequence

from collector.moment import SETTLED
from collector.sinks import chunks, rollups
from collector.sinks.schema import day_of
from collector.sinks.stored import Stored

Row = tuple[int, int, Stored]
"""Number of the school, number of the session, the record."""

_ChunkKey = tuple[int, int, str]
_CHUNK = "SELECT body FROM chunks WHERE (school_no, day, kind) = (?, ?, ?)"


def note_unsettled(db: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Remember where records stand whose time may be corrected."""
    db.executemany(
        "INSERT OR REPLACE INTO unsettled VALUES (?, ?, ?, ?, ?)",
        [(no, s.seq, school_no, s.at_ms, s.kind) for school_no, no, s in rows if s.time_basis not in SETTLED],
    )


def take_out(db: sqlite3.Connection, rows: Sequence[Row]) -> list[Row]:
    """Remove these from where they stand; returns those that stood anywhere, to be put in their new place.

    One that was settled before, or that was deleted for its age, is left alone. Part of a transaction of the
    caller.
    """
    found = []
    from_chunks: dict[_ChunkKey, set[tuple[str, str, int]]] = defaultdict(set)
    for row in rows:
        place = _place(db, row)
        if place is None:
            continue
        old_school, at_ms = place
        key = (old_school, at_ms, row[1], row[2].seq)
        if not _delete_hot(db, key):
            chunk = (old_school, day_of(at_ms), row[2].kind)
            if not _chunk_has(db, chunk):
                continue
            from_chunks[chunk].add((row[2].device, row[2].session, row[2].seq))
        found.append(row)
        _count(db, old_school, at_ms, row)
    for chunk, identities in from_chunks.items():
        _cut_from_chunk(db, chunk, identities)
    return found


def _place(db: sqlite3.Connection, row: Row) -> tuple[int, int] | None:
    """School and time under which it stands; it counts as settled from now on."""
    query = "DELETE FROM unsettled WHERE (session_no, seq) = (?, ?) RETURNING school_no, at_ms"
    found: tuple[int, int] | None = db.execute(query, (row[1], row[2].seq)).fetchone()
    return found


def _delete_hot(db: sqlite3.Connection, key: tuple[int, int, int, int]) -> bool:
    query = "DELETE FROM hot WHERE (school_no, at_ms, session_no, seq) = (?, ?, ?, ?)"
    return bool(db.execute(query, key).rowcount)


def _chunk_has(db: sqlite3.Connection, key: _ChunkKey) -> bool:
    return db.execute(_CHUNK, key).fetchone() is not None


def _cut_from_chunk(db: sqlite3.Connection, key: _ChunkKey, identities: set[tuple[str, str, int]]) -> None:
    (body,) = db.execute(_CHUNK, key).fetchone()
    left = [s for s in chunks.decode(key[2], body) if (s.device, s.session, s.seq) not in identities]
    if left:
        db.execute(
            "INSERT OR REPLACE INTO chunks VALUES (?, ?, ?, ?, ?)", (*key, len(left), chunks.encode(left))
        )
    else:
        db.execute("DELETE FROM chunks WHERE (school_no, day, kind) = (?, ?, ?)", key)


def _count(db: sqlite3.Connection, old_school: int, old_at_ms: int, row: Row) -> None:
    """Roll-ups and the schools' numbers of records follow."""
    school_no, _, stored = row
    rollups.subtract(db, old_school, dataclasses.replace(stored, at_ms=old_at_ms))
    rollups.add(db, [(school_no, stored)])
    if school_no != old_school:
        db.execute("UPDATE schools SET records = records - 1 WHERE no = ?", (old_school,))
        db.execute("UPDATE schools SET records = records + 1 WHERE no = ?", (school_no,))
