# SPDX-License-Identifier: Apache-2.0
"""Which tables does the embedded store have, and how is its file opened?"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

VERSION = 2
DAY_MS = 86_400_000
_BEFORE_GAPS_AND_MOVING = 1
FIRST_DAY = -(2**62) // DAY_MS

GAPS = """
    CREATE TABLE gaps (
        session_no INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL,
        received_ms INTEGER NOT NULL, PRIMARY KEY (session_no, first_seq, last_seq)
    ) STRICT, WITHOUT ROWID
    """
"""What devices said no longer exists; a page and `/metrics` count it."""

UNSETTLED = """
    CREATE TABLE unsettled (
        session_no INTEGER NOT NULL, seq INTEGER NOT NULL, school_no INTEGER NOT NULL, at_ms INTEGER NOT NULL,
        kind TEXT NOT NULL, PRIMARY KEY (session_no, seq)
    ) STRICT, WITHOUT ROWID
    """
"""Records that stand where their arrival put them, until the time of their boot becomes known."""

TABLES = (
    """
    CREATE TABLE position (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), cursor TEXT NOT NULL) STRICT
    """,
    # seen_ms: newest start of a record, but never later than its arrival, as clocks may be wrong
    """
    CREATE TABLE schools (
        no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, records INTEGER NOT NULL DEFAULT 0,
        seen_ms INTEGER, received_ms INTEGER, device TEXT
    ) STRICT
    """,
    """
    CREATE TABLE sessions (
        no INTEGER PRIMARY KEY, device TEXT NOT NULL, session TEXT NOT NULL, UNIQUE (device, session)
    ) STRICT
    """,
    # which records have ever been stored, one bit each
    """
    CREATE TABLE seen (
        session_no INTEGER NOT NULL, block INTEGER NOT NULL, bits BLOB NOT NULL,
        PRIMARY KEY (session_no, block)
    ) STRICT, WITHOUT ROWID
    """,
    GAPS,
    # School first: a batch comes from one school, so a commit touches few pages; a web page reads one range.
    """
    CREATE TABLE hot (
        school_no INTEGER NOT NULL, at_ms INTEGER NOT NULL, session_no INTEGER NOT NULL, seq INTEGER NOT NULL,
        kind TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (school_no, at_ms, session_no, seq)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE chunks (
        school_no INTEGER NOT NULL, day INTEGER NOT NULL, kind TEXT NOT NULL,
        records INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (school_no, day, kind)
    ) STRICT
    """,
    UNSETTLED,
    # The body is JSON of sent, received, late and the histogram.
    """
    CREATE TABLE rollups (
        school_no INTEGER NOT NULL, span TEXT NOT NULL, start_ms INTEGER NOT NULL, target TEXT NOT NULL,
        loaded INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (school_no, span, start_ms, target, loaded)
    ) STRICT, WITHOUT ROWID
    """,
)


class WrongVersion(sqlite3.DatabaseError):
    """The file was written by another version of this program."""


def open_for_writing(path: Path, *, busy_s: float) -> sqlite3.Connection:
    """Open the store, making file and tables where there are none; any thread may use it, one at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        with transaction(db):
            if _version(db) == 0:
                _create(db)
            elif _version(db) == _BEFORE_GAPS_AND_MOVING:
                _upgrade(db)
        _expect_version(db)
    except BaseException:
        db.close()
        raise
    return db


def open_for_reading(path: Path, *, busy_s: float) -> sqlite3.Connection:
    """Open the store read-only."""
    uri = path.absolute().as_uri() + "?mode=ro"
    db = sqlite3.connect(uri, uri=True, timeout=busy_s, isolation_level=None)
    try:
        _expect_version(db)
    except BaseException:
        db.close()
        raise
    return db


@contextlib.contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing, durable at the end."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def day_of(at_ms: int) -> int:
    """Number of the UTC day since 1970-01-01."""
    return at_ms // DAY_MS


def _create(db: sqlite3.Connection) -> None:
    for statement in TABLES:
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {VERSION}")


def _upgrade(db: sqlite3.Connection) -> None:
    """A store of version 1 has forgotten what its times rest on; they stay as they are."""
    db.execute(GAPS)
    db.execute(UNSETTLED)
    db.execute(f"PRAGMA user_version = {VERSION}")


def _expect_version(db: sqlite3.Connection) -> None:
    version = _version(db)
    if version != VERSION:
        raise WrongVersion(f"the store has format {version}, this version reads {VERSION}")


def _version(db: sqlite3.Connection) -> int:
    (version,) = db.execute("PRAGMA user_version").fetchone()
    return int(version)
