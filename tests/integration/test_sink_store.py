# SPDX-License-Identifier: Apache-2.0
"""Do rows, roll-ups and cursor of the embedded store agree when its writer is killed while others read?"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import time
from pathlib import Path

from collector.sinks.base import SinkUnavailable
from collector.sinks.reader import StoreReader
from collector.sinks.store import StoreOptions, StoreSink
from tests.unit.collector.sinks.measurements import found, rollups

KILLS = 8
TREE = Path(__file__).resolve().parents[2]
WRITER = """
import asyncio, sys
from collector.sinks.store import StoreOptions, StoreSink
from tests.unit.collector.sinks.measurements import AT_MS, DAY_MS, minutes

async def main():
    everything = minutes(20000)
    sink = StoreSink(StoreOptions(path=sys.argv[1]))
    at = int(await sink.cursor() or 0)
    while at < len(everything):
        part = everything[max(0, at - 3) : at + 10]
        at = min(at + 10, len(everything))
        await sink.write_at(part, str(at))
        if at % 500 == 0:
            await sink.tidy(AT_MS + at * 60_000 + 2 * DAY_MS)

asyncio.run(main())
"""


def test_records_rollups_and_cursor_agree_when_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    stored = 0
    for _ in range(KILLS):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=TREE)
        wait_until_more_than(path, stored + random.randrange(300))
        writer.kill()
        writer.wait()
        stored = StoreReader(path).count()
        assert [s.seq for s in found(path, "latency")] == list(range(1, stored + 1))
        assert asyncio.run(cursor(path)) == str(stored)
        assert sum(r.received for r in rollups(path)) == 2 * stored
        assert sum(r.sent for r in rollups(path, span="day")) == 3 * stored


async def cursor(path: Path) -> str | None:
    sink = StoreSink(StoreOptions(path=str(path)))
    try:
        return await sink.cursor()
    finally:
        await sink.close()


def wait_until_more_than(path: Path, records: int) -> None:
    deadline = time.monotonic() + 30
    while count(path) <= records:
        assert time.monotonic() < deadline
        time.sleep(0.005)


def count(path: Path) -> int:
    try:
        return StoreReader(path).count()
    except SinkUnavailable:
        return -1
