# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.contract.decoder import DecodeError, decode
from agent.contract.histogram import count, merge
from collector.sinks.base import Measurement, SinkUnavailable
from collector.sinks.reader import LastSeen, StoreReader
from collector.sinks.store import StoreOptions, StoreSink
from tests.unit.collector.sinks.measurements import (
    AT_MS,
    DAY_MS,
    HOUR_MS,
    SCHOOLS,
    content,
    event,
    found,
    latency,
    measurement,
    measurements,
    minutes,
    rollups,
)

LATER_MS = AT_MS + 10 * DAY_MS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store" / "store.db"


@pytest.fixture
async def sink(path: Path) -> AsyncIterator[StoreSink]:
    made = StoreSink(StoreOptions(path=str(path), busy_s=0.1))
    yield made
    await made.close()


async def test_record_is_read_back_equal_when_hot_and_when_packed(sink: StoreSink, path: Path) -> None:
    batch = [
        measurement(1, latency(), detail="Алматы \ud800", backlog=True),
        measurement(2, reason="timeout"),
    ]
    await sink.write(batch)
    for packed in (0, 2):
        assert await sink.tidy(LATER_MS if packed else AT_MS) == packed
        stored = found(path, "latency")
        assert [s.record for s in stored] == [m.record for m in batch]
        assert [s.backlog for s in stored] == [True, False]


async def test_range_excludes_its_end(sink: StoreSink, path: Path) -> None:
    await sink.write(minutes(10))
    for _ in range(2):
        stored = StoreReader(path).records("17", "latency", start_ms=AT_MS + 60_000, end_ms=AT_MS + 180_000)
        assert [s.seq for s in stored] == [2, 3]
        await sink.tidy(LATER_MS)


async def test_record_is_stored_once_when_sent_again_later(sink: StoreSink, path: Path) -> None:
    await sink.write(minutes(5))
    before = content(path)
    await sink.tidy(LATER_MS)
    await sink.write([*minutes(5), *minutes(5)])
    assert content(path) == before


async def test_first_time_counts_when_record_comes_again_with_another(sink: StoreSink, path: Path) -> None:
    await sink.write([measurement(1)])
    await sink.write([measurement(1, at_ms=AT_MS + 7)])
    (stored,) = found(path, "reach")
    assert stored.at_ms == AT_MS


async def test_late_record_joins_its_chunk_when_day_is_packed(sink: StoreSink, path: Path) -> None:
    batch = minutes(30)
    await sink.write(batch[::2])
    assert await sink.tidy(LATER_MS) == 15
    await sink.write(batch[1::2])
    reader = StoreReader(path)
    assert [s.seq for s in found(path, "latency")] == list(range(1, 31))
    assert await sink.tidy(LATER_MS) == 15
    assert [s.seq for s in found(path, "latency")] == list(range(1, 31))
    assert reader.count() == 30


async def test_day_is_packed_only_when_all_of_it_is_old(sink: StoreSink) -> None:
    midnight = AT_MS - AT_MS % DAY_MS
    await sink.write([event("a", 1, at_ms=midnight), event("b", 2, at_ms=midnight + DAY_MS)])
    assert await sink.tidy(midnight + DAY_MS + 48 * HOUR_MS - 1) == 0
    assert await sink.tidy(midnight + DAY_MS + 48 * HOUR_MS) == 1


async def test_rollup_is_the_sum_of_an_hour(sink: StoreSink, path: Path) -> None:
    batch = minutes(120, start_ms=AT_MS - AT_MS % DAY_MS)
    await sink.write(batch)
    first, second = rollups(path)
    assert (first.target, first.sent, first.received, first.loaded) == ("1.1.1.1", 180, 120, False)
    assert second.hour_ms - first.hour_ms == HOUR_MS
    (day,) = rollups(path, span="day")
    assert day.histogram == merge((first.histogram, second.histogram))
    assert sum(n for _, n in day.histogram) == 240


async def test_rollup_stands_apart_when_line_was_loaded(sink: StoreSink, path: Path) -> None:
    await sink.write([measurement(n, latency(rtts_ms=(n,), loaded=n == 2)) for n in (1, 2)])
    idle, loaded = rollups(path)
    assert (idle.histogram, loaded.histogram) == (count([1]), count([2]))
    assert loaded.loaded


async def test_rollup_takes_numbers_and_names_that_sqlite_does_not(sink: StoreSink, path: Path) -> None:
    huge = measurement(1, latency(target="\ud800"))
    object.__setattr__(huge.record.fields, "sent", 10**30)
    await sink.write([huge])
    (total,) = rollups(path)
    assert (total.target, total.sent) == ("?", 10**30)


async def test_last_seen_is_the_newest_but_not_after_its_arrival(sink: StoreSink, path: Path) -> None:
    await sink.write([measurement(2, at_ms=AT_MS + 100 * DAY_MS, received_ms=AT_MS + 5)])
    await sink.write([measurement(1, device="rpi-2", at_ms=AT_MS, received_ms=AT_MS + 9, backlog=True)])
    expected = LastSeen(at_ms=AT_MS + 5, received_ms=AT_MS + 9, device="rpi-1")
    assert StoreReader(path).last_seen() == {"17": expected}


async def test_records_of_many_schools_equal_those_of_each(sink: StoreSink, path: Path) -> None:
    for school in SCHOOLS:
        await sink.write(minutes(30, school=school, session=f"{school.id:>016}"))
    await sink.tidy(LATER_MS)
    for school in SCHOOLS:
        late = minutes(9, start_ms=AT_MS + DAY_MS, school=school, session=f"{school.id:>015}f")
        await sink.write(late)
    reader, end_ms = StoreReader(path), AT_MS + DAY_MS + 300_000
    starts = {s.id: AT_MS + 60_000 * i * 9 for i, s in enumerate(SCHOOLS)} | {"nobody": 0}
    each = {i: reader.records(i, "latency", start_ms=a, end_ms=end_ms) for i, a in starts.items()}
    assert reader.records_since(starts, "latency", end_ms=end_ms) == each
    assert [len(each[s.id]) for s in SCHOOLS][:2] == [35, 26]
    assert each["nobody"] == []


async def test_nothing_is_found_when_school_is_unknown(sink: StoreSink, path: Path) -> None:
    await sink.write([])
    reader = StoreReader(path)
    assert (reader.count(), reader.last_seen()) == (0, {})
    assert not found(path, "reach", "nobody")
    assert not rollups(path, "nobody")


async def test_cursor_moves_with_its_batch(sink: StoreSink, path: Path) -> None:
    assert await sink.cursor() is None
    await sink.write_at(minutes(3), "segment-1:512")
    await sink.write(minutes(4))
    await sink.close()
    again = StoreSink(StoreOptions(path=str(path)))
    assert await again.cursor() == "segment-1:512"
    await again.close()


async def test_neither_rows_nor_cursor_are_kept_when_batch_fails(sink: StoreSink, path: Path) -> None:
    await sink.write_at(minutes(3), "one")
    before = content(path)
    await _fail(sink, "CREATE TRIGGER t BEFORE INSERT ON position BEGIN SELECT raise(ABORT, 'no'); END")
    with pytest.raises(SinkUnavailable, match="no"):
        await sink.write_at(minutes(9), "two")
    assert (content(path), await sink.cursor()) == (before, "one")


async def test_old_records_and_rollups_go_when_they_are_not_to_be_kept(path: Path) -> None:
    options = StoreOptions(path=str(path), keep_days=30, keep_rollup_days=60)
    sink = StoreSink(options)
    await sink.write([*minutes(3), measurement(9, at_ms=AT_MS + 20 * DAY_MS)])
    await sink.tidy(AT_MS + 20 * DAY_MS)
    await sink.tidy(AT_MS + 31 * DAY_MS)
    await sink.write(minutes(3))
    reader = StoreReader(path)
    assert (reader.count(), len(found(path, "latency"))) == (1, 0)
    assert len(rollups(path)) == 1
    await sink.tidy(AT_MS + 61 * DAY_MS)
    assert (reader.count(), rollups(path)) == (0, [])
    await sink.close()


@settings(max_examples=40, deadline=None)
@given(measurements(), st.randoms(use_true_random=False), st.integers(1, 5))
def test_content_is_equal_whatever_order_split_and_repetition(
    batch: list[Measurement], random: Any, parts: int
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        straight, mixed = Path(directory) / "straight.db", Path(directory) / "mixed.db"
        asyncio.run(_fill(straight, [batch], tidy=False))
        shuffled = batch * 2
        random.shuffle(shuffled)
        asyncio.run(_fill(mixed, [shuffled[i::parts] for i in range(parts)], tidy=True))
        expected, shown = content(straight), content(mixed)
    assert shown == expected
    assert shown["count"] == len(batch)


async def _fill(path: Path, parts: Sequence[Sequence[Measurement]], *, tidy: bool) -> None:
    sink = StoreSink(StoreOptions(path=str(path)))
    for part in parts:
        await sink.write(part)
        if tidy:
            await sink.tidy(LATER_MS)
    await sink.close()


async def test_store_says_so_and_goes_on_when_file_is_locked(sink: StoreSink, path: Path) -> None:
    await sink.write(minutes(1))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(SinkUnavailable, match="another program locks the file"):
        await sink.write(minutes(2))
    assert StoreReader(path).count() == 1
    other.close()
    await sink.write(minutes(2))
    assert StoreReader(path).count() == 2


async def test_store_says_so_and_goes_on_when_disk_is_full(sink: StoreSink, path: Path) -> None:
    await sink.write_at(minutes(1), "one")
    await _fail(sink, "PRAGMA max_page_count = 1")
    with pytest.raises(SinkUnavailable, match="free some disk space"):
        await sink.write_at(minutes(2000), "two")
    assert await sink.cursor() == "one"
    await sink.write_at(minutes(2000), "two")
    assert StoreReader(path).count() == 2000


@pytest.mark.parametrize("damage", [b"this is no database", b"SQLite format 3\x00" + b"\xff" * 5000])
async def test_store_says_what_to_do_when_file_is_damaged(sink: StoreSink, path: Path, damage: bytes) -> None:
    _damage(path, damage * 100)
    with pytest.raises(SinkUnavailable, match="move the file away"):
        await sink.write(minutes(1))
    with pytest.raises(SinkUnavailable, match=r"store\.db"):
        StoreReader(path).count()
    await asyncio.to_thread(path.unlink)
    await sink.write(minutes(1))
    assert StoreReader(path).count() == 1


def _damage(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)


async def test_store_says_so_when_directory_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    sink = StoreSink(StoreOptions(path=str(tmp_path / "file" / "store.db")))
    with pytest.raises(SinkUnavailable, match=r"store\.db"):
        await sink.write(minutes(1))
    await sink.close()


async def test_store_is_left_alone_when_it_is_of_another_version(sink: StoreSink, path: Path) -> None:
    await sink.write(minutes(1))
    await _fail(sink, "PRAGMA user_version = 9")
    await sink.close()
    for ask in (sink.cursor(), asyncio.to_thread(StoreReader(path).count)):
        with pytest.raises(SinkUnavailable, match="format 9, this version reads 2"):
            await ask


async def test_rows_stay_hot_when_their_chunk_is_damaged(
    sink: StoreSink, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    batch = minutes(2)
    await sink.write(batch[:1])
    await sink.tidy(LATER_MS)
    await _fail(sink, "UPDATE chunks SET body = x'00'")
    await sink.write(batch[1:])
    assert await sink.tidy(LATER_MS) == 0
    assert "store.damaged" in caplog.text
    with pytest.raises(SinkUnavailable, match="chunk of 1 bytes"):
        found(path, "latency")


def test_reader_says_so_when_there_is_no_store(path: Path) -> None:
    with pytest.raises(SinkUnavailable, match="check that the directory exists"):
        StoreReader(path).count()


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ({"path": ""}, r"sinks\.store\.path: must not be empty"),
        ({"keep_days": 2}, "keep_days: 2 is not longer than hot_hours = 48"),
        ({"hot_hours": 0}, "hot_hours: 0 is outside 1 … 8760"),
        ({"file": "x"}, "file: unknown key"),
    ],
)
def test_options_are_refused_when_impossible(table: dict[str, Any], sentence: str) -> None:
    with pytest.raises(DecodeError, match=sentence):
        decode(StoreOptions, table, strict=True, path="sinks.store")


async def _fail(sink: StoreSink, statement: str) -> None:
    """Prepare a fault through the sink's own connection."""
    await sink._run(lambda db: db.execute(statement).fetchall())


async def test_schools_are_told_apart(sink: StoreSink, path: Path) -> None:
    await sink.write([measurement(n, latency(), school=school) for n, school in enumerate(SCHOOLS, 1)])
    assert [len(found(path, "latency", s.id)) for s in SCHOOLS] == [1, 1, 1]
    assert [len(rollups(path, s.id)) for s in SCHOOLS] == [1, 1, 1]
