# SPDX-License-Identifier: Apache-2.0
"""Does a record that moves leave nothing behind?"""

from __future__ import annotations

import asyncio
import dataclasses
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.moment import TimeBasis
from collector.sinks.base import Gap, Measurement
from collector.sinks.reader import StoreReader
from collector.sinks.store import StoreOptions, StoreSink
from tests.unit.collector.sinks.measurements import (
    AT_MS,
    DAY_MS,
    SCHOOLS,
    content,
    found,
    latency,
    measurement,
    measurements,
)

LATER_MS = AT_MS + 30 * DAY_MS


def arrived(m: Measurement, by_ms: int) -> Measurement:
    """As it is before its time is known."""
    return dataclasses.replace(m, at_ms=m.at_ms + by_ms, time_basis=TimeBasis.ARRIVAL)


def settled(m: Measurement) -> Measurement:
    return dataclasses.replace(m, time_basis=TimeBasis.CORRECTED)


async def _written(path: Path, *batches: list[Measurement], tidy: bool) -> dict[str, object]:
    sink = StoreSink(StoreOptions(path=str(path)))
    for batch in batches:
        await sink.write(batch)
        if tidy:
            await sink.tidy(LATER_MS)
    await sink.close()
    return content(path)


@settings(max_examples=30)
@given(measurements(), st.integers(-3 * DAY_MS, 3 * DAY_MS), st.booleans())
def test_a_store_after_moving_is_as_if_the_time_had_been_known(
    batch: list[Measurement], by_ms: int, tidy: bool
) -> None:
    late = [dataclasses.replace(m, received_ms=AT_MS + 20 * DAY_MS) for m in batch]
    right = [settled(m) for m in late]
    with tempfile.TemporaryDirectory() as directory:
        moved = asyncio.run(
            _written(Path(directory, "a"), [arrived(m, by_ms) for m in late], right, right, tidy=tidy)
        )
        at_once = asyncio.run(_written(Path(directory, "b"), right, tidy=tidy))
    for seen in (moved, at_once):
        del seen["last_seen"]

    assert moved == at_once


@pytest.mark.parametrize("packed", [False, True])
async def test_a_record_may_move_to_another_school(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "store.db"
    sink = StoreSink(StoreOptions(path=str(path)))
    first = measurement(1, latency(), school=SCHOOLS[0])
    await sink.write([arrived(first, DAY_MS)])
    if packed:
        await sink.tidy(LATER_MS)
    await sink.write([settled(dataclasses.replace(first, school=SCHOOLS[2]))])
    await sink.close()

    assert found(path, "latency") == []
    assert [s.at_ms for s in found(path, "latency", "42")] == [AT_MS]
    assert StoreReader(path).count() == 1


async def test_what_retention_deleted_does_not_come_back(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    sink = StoreSink(StoreOptions(path=str(path), keep_days=5))
    first = measurement(1, latency())
    await sink.write([arrived(first, 0)])
    await sink.tidy(LATER_MS)
    await sink.write([settled(first)])
    await sink.close()

    assert found(path, "latency") == []
    assert StoreReader(path).count() == 0


async def test_a_store_of_the_version_before_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    sink = StoreSink(StoreOptions(path=str(path)))
    await sink.write([measurement(1)])
    for statement in ("DROP TABLE unsettled", "DROP TABLE gaps", "PRAGMA user_version = 1"):
        await sink._run(lambda db, statement=statement: db.execute(statement).fetchall())
    await sink.close()
    gap = Gap(device="kz-1", session="0" * 16, first_seq=3, last_seq=4, received_ms=5)
    await sink.write_at([measurement(2)], "1:2", [gap])
    assert await sink._run(lambda db: db.execute("SELECT first_seq, last_seq FROM gaps").fetchall()) == [
        (3, 4)
    ]
    await sink.close()

    assert [s.seq for s in found(path, "reach")] == [1, 2]
