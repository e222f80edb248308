# SPDX-License-Identifier: Apache-2.0
"""Which tables does the file of verdicts have, and how is it opened?"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from collector.sinks.schema import WrongVersion, transaction

VERSION = 1

TABLES = (
    "CREATE TABLE position (only_row INTEGER PRIMARY KEY CHECK (only_row = 1), cursor TEXT NOT NULL) STRICT",
    # terms: a digest of the contracts that the school's verdicts were judged by
    "CREATE TABLE schools (no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, terms TEXT) STRICT",
    "CREATE INDEX unbound ON schools (no) WHERE terms IS NULL",
    "CREATE TABLE devices (no INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT",
    """
    CREATE TABLE sessions (
        no INTEGER PRIMARY KEY, device_no INTEGER NOT NULL, session TEXT NOT NULL, boot TEXT NOT NULL,
        UNIQUE (device_no, session, boot)
    ) STRICT
    """,
    # What records say; a fleet says the same over and over again. Odd numbers have what may tell something of
    # a slot in which an anchor answered: a month is judged by these rows alone wherever one did.
    "CREATE TABLE facts (no INTEGER PRIMARY KEY, body TEXT NOT NULL UNIQUE) STRICT",
    """
    CREATE TABLE sightings (
        school_no INTEGER NOT NULL, device_no INTEGER NOT NULL, slot INTEGER NOT NULL,
        session_no INTEGER NOT NULL, seq INTEGER NOT NULL, at_ms INTEGER NOT NULL, until_ms INTEGER NOT NULL,
        mono_ms INTEGER NOT NULL, basis INTEGER NOT NULL, fact_no INTEGER NOT NULL,
        PRIMARY KEY (school_no, device_no, slot, session_no, seq)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE UNIQUE INDEX by_record ON sightings (session_no, seq)",
    # Which device was seen at which school.
    """
    CREATE TABLE stays (
        device_no INTEGER NOT NULL, school_no INTEGER NOT NULL, PRIMARY KEY (device_no, school_no)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX by_school ON stays (school_no)",
    """
    CREATE TABLE told (
        school_no INTEGER NOT NULL, last_slot INTEGER NOT NULL, first_slot INTEGER NOT NULL,
        session_no INTEGER NOT NULL, seq INTEGER NOT NULL,
        PRIMARY KEY (school_no, last_slot, session_no, seq)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE starts (
        session_no INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (session_no, seq)
    ) STRICT, WITHOUT ROWID
    """,
    # On which days a device heard its gateway, and how often it did not although anchors answered.
    """
    CREATE TABLE habits (
        school_no INTEGER NOT NULL, device_no INTEGER NOT NULL, day INTEGER NOT NULL,
        heard INTEGER NOT NULL, silent INTEGER NOT NULL, PRIMARY KEY (school_no, device_no, day)
    ) STRICT, WITHOUT ROWID
    """,
    # One byte a slot each; days without a verdict have no row.
    """
    CREATE TABLE days (
        school_no INTEGER NOT NULL, day INTEGER NOT NULL, classes BLOB NOT NULL, rules BLOB NOT NULL,
        PRIMARY KEY (school_no, day)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE outages (
        school_no INTEGER NOT NULL, first_slot INTEGER NOT NULL, last_slot INTEGER NOT NULL,
        body TEXT NOT NULL, PRIMARY KEY (school_no, first_slot)
    ) STRICT, WITHOUT ROWID
    """,
)


def open_for_writing(path: Path, *, busy_s: float) -> sqlite3.Connection:
    """Open the file, making it and its tables where there are none; any thread may use it, one at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=busy_s, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")  # a view: what a power cut takes comes again
        with transaction(db):
            if _version(db) == 0:
                for table in TABLES:
                    db.execute(table)
                db.execute(f"PRAGMA user_version = {VERSION}")
        _expect_version(db)
    except BaseException:
        db.close()
        raise
    return db


def open_for_reading(path: Path, *, busy_s: float) -> sqlite3.Connection:
    """Open the file read-only."""
    uri = path.absolute().as_uri() + "?mode=ro"
    db = sqlite3.connect(uri, uri=True, timeout=busy_s, isolation_level=None)
    try:
        _expect_version(db)
    except BaseException:
        db.close()
        raise
    return db


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


def _expect_version(db: sqlite3.Connection) -> None:
    if _version(db) != VERSION:
        raise WrongVersion(f"made by another version: has tables {_version(db)}, not {VERSION}")
