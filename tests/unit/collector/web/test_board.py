# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from agent.contract.kinds import Reach
from collector.web.board import Board
from tests.unit.collector.web.fakes import MINUTE_MS, NOW_MS, Reader, Seen, Stored, view


def reader_of(*school_ids: str) -> Reader:
    stored = [Stored(at_ms=NOW_MS - m * MINUTE_MS, fields=Reach(up=True)) for m in range(120, 0, -1)]
    seen = Seen(at_ms=NOW_MS - MINUTE_MS, received_ms=NOW_MS - MINUTE_MS)
    return Reader(stored=dict.fromkeys(school_ids, stored), seen=dict.fromkeys(school_ids, seen))


async def test_board_knows_every_school_after_one_pass() -> None:
    board = Board(view(reader_of("a", "b")), refresh_every_s=1)
    await board.refresh()
    assert board.ready.is_set()
    assert set(board.days) == {"a", "b"}
    assert all(day.read_ms for day in board.days.values())
    assert board.records == 240
    board.close()


async def test_states_come_before_days_when_there_is_no_time() -> None:
    board = Board(view(reader_of("a", "b")), refresh_every_s=1, budget_s=0)
    await board.refresh()
    assert [day.read_ms for day in board.days.values()] == [0, 0]
    assert all(day.runs for day in board.days.values())
    board.close()


async def test_tail_is_read_only_when_something_new_came() -> None:
    reader = reader_of("a", "b")
    board = Board(view(reader), refresh_every_s=1, budget_s=0)
    await board.refresh()
    reader.asked.clear()
    reader.seen["b"] = Seen(at_ms=NOW_MS, received_ms=NOW_MS)
    await board.refresh()
    assert [school_id for school_id, _, _ in reader.asked] == ["b"]
    board.close()


@dataclass
class HeldReader(Reader):
    """A store whose records are not to be had before the gate is opened."""

    gate: threading.Event = field(default_factory=threading.Event)

    def records_since(self, starts: Mapping[str, int], kind: str, *, end_ms: int) -> dict[str, list[Stored]]:
        self.gate.wait()
        return super().records_since(starts, kind, end_ms=end_ms)


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110 - the board tells nobody
        await asyncio.sleep(0.001)


async def test_new_schools_and_records_are_counted_while_a_pass_is_under_way() -> None:
    plain = reader_of("a")
    reader = HeldReader(stored=plain.stored, seen=plain.seen)
    board = Board(view(reader), refresh_every_s=0.001)
    task = asyncio.create_task(board.run())
    try:
        async with asyncio.timeout(30):
            await until(lambda: "a" in board.last_seen)
            reader.stored["late"] = reader.stored["a"]
            reader.seen["late"] = reader.seen["a"]
            await until(lambda: ("late" in board.last_seen, board.records) == (True, 240))
        assert (board.looked_ms, board.read_ms, board.days) == (NOW_MS, None, {})
    finally:
        reader.gate.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        board.close()


async def test_problem_of_a_pass_stays_when_a_look_succeeds() -> None:
    reader = reader_of("a")
    board = Board(view(reader), refresh_every_s=1)
    reader.damaged = "row"
    await board.refresh()
    await board.look()
    assert (board.records, board.problem, board.ready.is_set()) == (120, "SinkUnavailable: row", False)
    reader.damaged = None
    await board.refresh()
    assert (board.problem, board.ready.is_set()) == (None, True)
    board.close()


async def test_what_was_known_stays_when_the_store_cannot_be_read(caplog: pytest.LogCaptureFixture) -> None:
    reader = reader_of("a")
    board = Board(view(reader), refresh_every_s=1)
    await board.refresh()
    reader.problem = "disk gone"
    with caplog.at_level(logging.INFO, "collector.web.board"):
        await board.refresh()
        await board.refresh()
        assert (set(board.days), board.problem) == ({"a"}, "SinkUnavailable: disk gone")
        reader.problem = None
        await board.refresh()
    assert board.problem is None
    assert [r.message for r in caplog.records] == ["store.unreadable", "store.readable"]
    board.close()


async def test_board_is_not_ready_when_the_store_was_never_read() -> None:
    board = Board(view(Reader(problem="not there yet")), refresh_every_s=1)
    await board.refresh()
    assert not board.ready.is_set()
    board.close()


async def test_board_goes_on_until_it_is_cancelled() -> None:
    board = Board(view(reader_of("a")), refresh_every_s=0.001, budget_s=0.001)
    task = asyncio.create_task(board.run())
    for _ in range(2):
        await board.ready.wait()
        board.ready.clear()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    board.close()
