# SPDX-License-Identifier: Apache-2.0
"""Which numbers did devices say no longer exist, and which of those are not in the store after all?

A number is stored or lost, never both, and lost once, whatever is told and comes again in which order: a
device may be asked twice, and a file of its card that could not be read may come back.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator

from agent.contract.ranges import Range, RangeSet
from collector.sinks.seen import BLOCK

Told = tuple[int, Range, int]
"""Number of the session, the numbers that are gone, Unix time (ms) at which that was told."""

_IN_THE_WAY = """
SELECT first_seq, last_seq, received_ms FROM gaps WHERE session_no = ? AND last_seq >= ? AND first_seq <= ?
"""


def note(db: sqlite3.Connection, told: Iterable[Told]) -> None:
    """Count what was told, without what is stored or was told before. Part of the caller's transaction."""
    for session_no, (low, high), received_ms in told:
        known = RangeSet(_stored(db, session_no, low, high))
        for first, last, _ in db.execute(_IN_THE_WAY, (session_no, low, high)):
            known.add(first, last)
        _insert(db, session_no, known.missing(low, high), received_ms)


def fill(db: sqlite3.Connection, identities: Iterable[tuple[int, int]]) -> None:
    """These (session_no, seq) are stored now: they are not lost. Part of the caller's transaction."""
    by_session: dict[int, RangeSet] = {}
    for session_no, seq in identities:
        by_session.setdefault(session_no, RangeSet()).add(seq, seq)
    for session_no, here in by_session.items():
        for low, high in here:
            for first, last, received_ms in db.execute(_IN_THE_WAY, (session_no, low, high)).fetchall():
                db.execute(
                    "DELETE FROM gaps WHERE (session_no, first_seq, last_seq) = (?, ?, ?)",
                    (session_no, first, last),
                )
                _insert(db, session_no, RangeSet([(low, high)]).missing(first, last), received_ms)


def _insert(db: sqlite3.Connection, session_no: int, parts: Iterable[Range], received_ms: int) -> None:
    db.executemany(
        "INSERT INTO gaps VALUES (?, ?, ?, ?)", [(session_no, low, high, received_ms) for low, high in parts]
    )


def _stored(db: sqlite3.Connection, session_no: int, low: int, high: int) -> Iterator[Range]:
    query = "SELECT block, bits FROM seen WHERE session_no = ? AND block BETWEEN ? AND ?"
    for block, bits in db.execute(query, (session_no, low // BLOCK, high // BLOCK)):
        yield from _ranges(int.from_bytes(bits, "little"), block * BLOCK)


def _ranges(bits: int, start: int) -> Iterator[Range]:
    """Runs of ones, as numbers from `start` on."""
    while bits:
        zeros = (bits & -bits).bit_length() - 1
        bits, start = bits >> zeros, start + zeros
        ones = (~bits & (bits + 1)).bit_length() - 1
        yield start, start + ones - 1
        bits, start = bits >> ones, start + ones
