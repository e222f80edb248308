# SPDX-License-Identifier: Apache-2.0
"""Does a sink go on where it stopped?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from collector.cursor import Cursor, FileCursor, OwnCursor, cursor_of
from collector.segment import Position
from collector.sinks.base import Gap, Measurement, SinkUnavailable
from tests.unit.collector.samples import DEVICE, NOW_MS, SCHOOL, SESSION, record


class Recorder:
    """A sink that remembers what it got, or raises what it is told to."""

    name = "recorder"

    def __init__(self) -> None:
        self.batches: list[Sequence[Measurement]] = []
        self.problem: Exception | None = None

    async def write(self, batch: Sequence[Measurement]) -> None:
        self.batches.append(batch)
        if self.problem:
            raise self.problem

    async def close(self) -> None:
        pass


class Keeper(Recorder):
    """A sink that keeps its position itself."""

    kept: str | None = None

    async def write_at(self, batch: Sequence[Measurement], cursor: str, _gaps: Sequence[Gap] = ()) -> None:
        await self.write(batch)
        self.kept = cursor

    async def cursor(self) -> str | None:
        return self.kept


MEASUREMENT = Measurement(
    school=SCHOOL,
    device=DEVICE,
    session=SESSION,
    record=record(1),
    at_ms=0,
    received_ms=NOW_MS,
    backlog=False,
)


@pytest.mark.parametrize(("sink", "kind"), [(Recorder(), FileCursor), (Keeper(), OwnCursor)])
async def test_the_position_of_the_last_write_comes_back(
    tmp_path: Path, sink: Recorder, kind: type[Cursor]
) -> None:
    cursor = cursor_of(sink, tmp_path / "cursors")
    assert isinstance(cursor, kind)
    assert await cursor.load() is None

    await cursor.write([MEASUREMENT], Position(1, 5))
    await cursor.keep(Position(1, 5))

    assert await cursor_of(sink, tmp_path / "cursors").load() == Position(1, 5)
    assert sink.batches == [[MEASUREMENT]]


async def test_nothing_is_remembered_of_a_failed_write(tmp_path: Path) -> None:
    sink = Recorder()
    cursor = cursor_of(sink, tmp_path)
    sink.problem = SinkUnavailable("down")

    with pytest.raises(SinkUnavailable):
        await cursor.write([MEASUREMENT], Position(1, 5))
    assert await cursor.load() is None


async def test_a_sink_is_not_troubled_with_nothing(tmp_path: Path) -> None:
    sink = Recorder()
    await cursor_of(sink, tmp_path).write([], Position(1, 5))

    assert sink.batches == []


async def test_a_damaged_file_begins_at_the_beginning(tmp_path: Path) -> None:
    (tmp_path / "recorder").write_bytes(b"\xff\0")

    assert await cursor_of(Recorder(), tmp_path).load() is None


async def test_a_disk_that_does_not_keep_the_position_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    await cursor_of(Recorder(), tmp_path / "file").keep(Position(1, 5))

    assert caplog.records[0].message.startswith("cursor.not_saved")
