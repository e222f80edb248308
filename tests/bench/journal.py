# SPDX-License-Identifier: Apache-2.0
"""How fast does evidence become durable, beside SQLite and a plain file on the same disk?

Each takes the same groups of real batches, one fsync (or commit) a group, one after the other in turns, so
that a busy disk is busy for all. Ratios of one run mean something; figures of two machines do not.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from agent.contract.codec import encode
from agent.contract.kinds import Reach
from agent.contract.record import Batch, ClockState, Record
from collector.entry import NewEntry
from collector.journal import Journal
from tests.bench.figure import Figure

GROUPS = int(os.environ.get("SCHOOLPULSE_BENCH_GROUPS", "200"))
SIZES = (1, 50, 500)
RECORDS = 12
"""In one report of one minute."""

Writer = Callable[[list[NewEntry]], None]


def measure() -> list[Figure]:
    """Write the same to all three, in turns."""
    Path("build").mkdir(exist_ok=True)
    figures = []
    for size in SIZES:
        with tempfile.TemporaryDirectory(dir=Path("build").resolve()) as folder:
            figures += _race(Path(folder), size)
    return figures


def _race(directory: Path, size: int) -> list[Figure]:
    journal = Journal.open(directory / "journal")
    db = _database(directory / "sqlite.db")
    fd = os.open(directory / "plain", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    writers: dict[str, Writer] = {
        "journal": journal.write,
        "SQLite, WAL, synchronous FULL": lambda group: _insert(db, group),
        "append-only file, fdatasync": lambda group: _append(fd, group),
    }
    spent_s = dict.fromkeys(writers, 0.0)
    for turn in range(GROUPS):
        group = [_entry(turn * size + i) for i in range(size)]
        for name, write in writers.items():
            began_s = time.perf_counter()
            write(group)
            spent_s[name] += time.perf_counter() - began_s
    files = {"journal": "journal/*.journal", "SQLite, WAL, synchronous FULL": "sqlite.db*"}
    bytes_ = {n: sum(p.stat().st_size for p in directory.glob(files.get(n, "plain"))) for n in writers}
    journal.close()
    db.close()
    os.close(fd)
    return [figure for name in writers for figure in _figures(name, size, spent_s, bytes_)]


def _figures(name: str, size: int, spent_s: dict[str, float], bytes_: dict[str, int]) -> list[Figure]:
    entries = GROUPS * size
    of_file = spent_s["append-only file, fdatasync"]
    note = f"groups of {size}, {GROUPS} of them"
    return [
        Figure(name=f"{name}: batches made durable", value=entries / spent_s[name], unit="/s", note=note),
        Figure(name=f"{name}: time beside a plain file", value=spent_s[name] / of_file, unit="x", note=note),
        Figure(
            name=f"{name}: bytes per record",
            value=bytes_[name] / entries / RECORDS,
            unit="B",
            note=f"{note}, {RECORDS} records in a batch",
        ),
    ]


def _entry(n: int) -> NewEntry:
    clock = ClockState(wall_ms=1_790_000_000_000 + n, mono_ms=1000 + n, boot="0badcafe", age_s=5)
    first = n * RECORDS + 1
    fields = Reach(up=True, anchors=3, anchors_up=3, anchor_asked=12, anchor_answered=12)
    records = tuple(
        Record(seq=first + i, kind="reach", clock=clock, duration_ms=700 + i, fields=fields)
        for i in range(RECORDS)
    )
    made = Batch(device="kz-1", session="00000000000000aa", first_seq=first, clock=clock, records=records)
    return NewEntry(
        received_ms=clock.wall_ms,
        device=made.device,
        session=made.session,
        new=((first, made.last_seq),),
        payload=encode(made),
    )


def _database(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE entries (number INTEGER PRIMARY KEY, device TEXT, session TEXT, payload BLOB)")
    return db


def _insert(db: sqlite3.Connection, group: list[NewEntry]) -> None:
    db.execute("BEGIN")
    rows = [(entry.device, entry.session, entry.payload) for entry in group]
    db.executemany("INSERT INTO entries (device, session, payload) VALUES (?, ?, ?)", rows)
    db.execute("COMMIT")


def _append(fd: int, group: list[NewEntry]) -> None:
    os.write(fd, b"".join(entry.payload for entry in group))
    os.fdatasync(fd)
