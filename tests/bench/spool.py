# SPDX-License-Identifier: Apache-2.0
"""How fast is the spool, and how many bytes does it cost the card, beside SQLite and a plain file?

On an ext4 of its own on a loop device, whose counters include the file system's journal. A day of records is
spooled in simulated time. The kernel writes a file's changed time with its journal every `commit=` seconds (5
by default): that is done here by syncing the file system when so many simulated seconds have passed since the
last write, which counts the checkpoint as well.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from agent.contract.record import Ack, ClockState, Record, to_plain
from agent.spool.spool import Spool
from tests.bench.day import records
from tests.bench.figure import Figure
from tests.parts.card import Card, card, is_possible

_BATCHES = (1, 5, 60)
_ROWS = 1200

Write = Callable[[Sequence[Record]], None]
"""Commits a group of records; an empty one ends it."""


def measure() -> list[Figure]:
    """All of it; the card's part needs root."""
    figures = _rates()
    if not is_possible():
        print("NOT MEASURED: bytes written need root and loop devices", file=sys.stderr)
        return figures
    return [*figures, *_beside_others(), *_days()]


class _Day:
    """A spool in simulated time."""

    def __init__(self, directory: Path, run: Path) -> None:
        self.now_ms = 0
        self.made = 0
        self.spool = Spool(directory / "spool", self.clock, early=run, sent_grace_s=450)

    def clock(self) -> ClockState:
        return ClockState(
            wall_ms=1_790_000_000_000 + self.now_ms, mono_ms=self.now_ms, boot="5eed5eed", age_s=0
        )

    def append(self, record: Record) -> None:
        self.spool.append(
            kind=record.kind, clock=record.clock, duration_ms=record.duration_ms, fields=record.fields
        )
        self.made += 1


def _rates() -> list[Figure]:
    made = list(records(86400))
    with tempfile.TemporaryDirectory() as folder:
        day = _Day(Path(folder), Path(folder))
        append_s = _seconds(lambda: [day.append(record) for record in made])  # type: ignore[func-returns-value]
        day.spool.commit()
        drain_s = _seconds(lambda: _drain(day.spool))
    note = f"{len(made)} records of a day"
    return [
        Figure(name="append, kept through SIGKILL", value=len(made) / append_s, unit="records/s", note=note),
        Figure(
            name="drain, 200 a batch, acknowledged", value=len(made) / drain_s, unit="records/s", note=note
        ),
    ]


def _drain(spool: Spool) -> None:
    while run := spool.next_run(after=None):
        spool.acknowledge(Ack(session=run.session, up_to_seq=run.records[-1].seq, wall_ms=0))


def _seconds(act: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    act()
    return time.perf_counter() - began_s


def _beside_others() -> list[Figure]:
    """Back to back on the same card, so many records a commit."""
    rows = list(itertools.islice(records(86400), _ROWS))
    ways = {"SQLite WAL FULL": _sqlite, "append and fsync": _appended, "spool": _spooled}
    return [
        figure
        for batch in _BATCHES
        for name, way in ways.items()
        for figure in _timed(f"{name}, {batch} a commit", way, rows, batch)
    ]


def _timed(name: str, way: Callable[[Path, Path], Write], rows: list[Record], batch: int) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, card(Path(folder)) as medium:
        write = way(medium.mount, Path(folder))
        write(rows[:batch])
        medium.sync()
        before = medium.written_bytes()
        groups = [rows[i : i + batch] for i in range(batch, len(rows), batch)]
        lasted_s = _seconds(lambda: [write(group) for group in groups])
        medium.sync()
        n = len(rows) - batch
        written = (medium.written_bytes() - before) / n
        write(())
    return [
        Figure(name=name, value=written, unit="bytes/record"),
        Figure(name=name, value=n / lasted_s, unit="records/s"),
    ]


def _spooled(directory: Path, run: Path) -> Write:
    day = _Day(directory, run)

    def write(group: Sequence[Record]) -> None:
        for record in group:
            day.append(record)
        day.spool.commit() if group else day.spool.close()

    return write


def _sqlite(directory: Path, _run: Path) -> Write:
    database = sqlite3.connect(directory / "q.sqlite", isolation_level=None)
    database.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE q (seq INTEGER PRIMARY KEY, row BLOB)"
    )

    def write(group: Sequence[Record]) -> None:
        database.execute("BEGIN")
        database.executemany("INSERT INTO q (row) VALUES (?)", [(_plain(record),) for record in group])
        database.execute("COMMIT")
        if not group:
            database.close()

    return write


def _appended(directory: Path, _run: Path) -> Write:
    fd = os.open(directory / "q", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(group: Sequence[Record]) -> None:
        os.write(fd, b"".join(map(_plain, group)))
        os.fsync(fd) if group else os.close(fd)

    return write


def _plain(record: Record) -> bytes:
    return json.dumps(to_plain(record), separators=(",", ":")).encode()


def _days() -> list[Figure]:
    return [
        _day("a day offline, commit=600", 600, 10.0, is_online=False),
        _day("a day offline, commit=5 (default)", 5, None, is_online=False),
        _day("a day online, commit=600", 600, 1.0, is_online=True),
        _day("a day online, commit=5 (default)", 5, 1.0, is_online=True),
    ]


def _day(name: str, interval_s: int, goal: float | None, *, is_online: bool) -> Figure:
    with (
        tempfile.TemporaryDirectory() as folder,
        card(Path(folder), options="noatime,commit=3600") as medium,
    ):
        day = _Day(medium.mount, Path(folder))
        day.spool.commit()
        medium.sync()
        before = medium.written_bytes()
        commits = _live(day, _Kernel(medium, interval_s), is_online=is_online)
        day.spool.close()
        medium.sync()
        written = medium.written_bytes() - before
    note = f"{commits} commits, {day.made} records"
    return Figure(name=name, value=written / 1e6, unit="MB/day", goal=goal, note=note)


class _Kernel:
    """Writes the file system's journal so many simulated seconds after it was first touched."""

    def __init__(self, medium: Card, interval_s: int) -> None:
        self._medium, self._interval_ms = medium, interval_s * 1000
        self._touched_ms: int | None = None

    def touched(self, now_ms: int) -> None:
        self._touched_ms = now_ms if self._touched_ms is None else self._touched_ms

    def passes(self, now_ms: int) -> None:
        if self._touched_ms is not None and now_ms - self._touched_ms >= self._interval_ms:
            self._medium.sync()
            self._touched_ms = None


def _live(day: _Day, kernel: _Kernel, *, is_online: bool) -> int:
    """A day second by second, as the service and the publisher do it; says how often it committed."""
    waiting = deque(records(86400))
    jitter = random.Random(1)
    commits = report_due_ms = ask_due_ms = 0
    for second in range(86400 + 1100):
        day.now_ms = second * 1000 + jitter.randrange(300)
        while waiting and waiting[0].clock.mono_ms + waiting[0].duration_ms <= day.now_ms:
            day.append(waiting.popleft())
        if is_online and day.now_ms >= report_due_ms:
            report_due_ms = second // 60 * 60_000 + 60_000 + 23_000
            day.spool.sent(day.spool.end())
            if day.now_ms >= ask_due_ms and (end := day.spool.end()):
                ask_due_ms = day.now_ms + 330_000
                day.spool.acknowledge(Ack(session=day.spool.session, up_to_seq=end[1], wall_ms=0))
        is_time = day.spool.commit_if_due() if is_online else second % 60 == 30 and day.spool.commit()
        if is_time:
            commits += 1
            kernel.touched(day.now_ms)
        kernel.passes(day.now_ms)
    return commits
