# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import pytest

from agent.contract.histogram import count
from agent.contract.kinds import Reach
from collector.web.day import Day, Rtt, read_day, read_tails, summarise
from collector.web.state import State
from tests.unit.collector.web.fakes import HOUR_MS, MINUTE_MS, NOW_MS, Reader, RollUp, Seen, Stored


def reach(ago_min: int, *, up: bool = True) -> Stored:
    return Stored(at_ms=NOW_MS - ago_min * MINUTE_MS, fields=Reach(up=up, gateway_answered=1))


def read_tail(reader: Reader, school_id: str, day: Day | None, *, now_ms: int, received_ms: int) -> Day:
    seen = {school_id: Seen(at_ms=received_ms, received_ms=received_ms)}
    return read_tails(reader, {school_id: day}, seen, now_ms=now_ms)[school_id]


def test_day_holds_runs_and_figures() -> None:
    rollups = [RollUp(hour_ms=NOW_MS - 2 * HOUR_MS, histogram=count([40.0] * 9 + [900.0]), received=9)]
    reader = Reader(stored={"a": [reach(m, up=m > 5) for m in range(90, -1, -1)]}, rollups={"a": rollups})
    day = read_day(reader, "a", now_ms=NOW_MS, received_ms=7)
    assert [r.state for r in day.runs] == [State.UP, State.DOWN]
    assert day.rtt.median_ms == pytest.approx(40, rel=0.01)
    assert day.rtt.p95_ms == pytest.approx(900, rel=0.01)
    assert day.rtt.loss_ratio == pytest.approx(0.1)
    assert (day.read_ms, day.received_ms, day.every_ms) == (NOW_MS, 7, MINUTE_MS)


def test_tail_joined_to_the_day_equals_the_day_read_again() -> None:
    pattern = [reach(m, up=not 20 < m % 47 < 30) for m in range(300, -1, -1) if not 100 < m < 111]
    earlier = Reader(stored={"a": [s for s in pattern if s.at_ms < NOW_MS - 10 * MINUTE_MS]})
    day = read_day(earlier, "a", now_ms=NOW_MS - 10 * MINUTE_MS, received_ms=1)
    reader = Reader(stored={"a": pattern})
    assert (
        read_tail(reader, "a", day, now_ms=NOW_MS, received_ms=2).runs
        == read_day(reader, "a", now_ms=NOW_MS, received_ms=2).runs
    )


def test_run_ends_an_interval_after_the_last_arrival_when_the_clock_ran_ahead() -> None:
    heard_ms = NOW_MS - 30 * MINUTE_MS
    ahead = [dataclasses.replace(reach(m), received_ms=heard_ms) for m in range(50, -1, -1)]
    reader = Reader(stored={"a": ahead})
    day = read_day(reader, "a", now_ms=NOW_MS, received_ms=1)
    assert [(r.state, r.end_ms) for r in day.runs] == [(State.UP, heard_ms + MINUTE_MS)]
    assert read_tail(reader, "a", day, now_ms=NOW_MS, received_ms=2).runs == day.runs


def test_tail_alone_says_how_far_back_it_looked() -> None:
    reader = Reader(stored={"a": [reach(m) for m in range(300, -1, -1)]})
    day = read_tail(reader, "a", None, now_ms=NOW_MS, received_ms=2)
    assert day.from_ms == NOW_MS - HOUR_MS
    assert day.read_ms == 0
    assert day.rtt == Rtt()


def test_figures_leave_out_the_gateway_and_the_loaded_line() -> None:
    slow = count([9000.0] * 50)
    rollups = [
        RollUp(hour_ms=0, target="gateway", histogram=slow),
        RollUp(hour_ms=0, loaded=True, histogram=slow),
        RollUp(hour_ms=0, sent=10, received=8, late=1, histogram=count([20.0])),
    ]
    found = summarise(rollups)
    assert found.p95_ms == pytest.approx(20, rel=0.01)
    assert found.loss_ratio == pytest.approx(0.1)


def test_hours_without_an_answer_have_no_median() -> None:
    found = summarise([RollUp(hour_ms=0, received=0, histogram=()), RollUp(hour_ms=HOUR_MS)])
    assert [hour_ms for hour_ms, _ in found.hourly] == [HOUR_MS]
    assert summarise([]) == Rtt()


def test_figures_are_those_of_all_times_not_of_the_hours_percentiles() -> None:
    """Three slow targets of one busy hour and one quick target of a quiet one, read in the wrong order."""
    hours_ms = {HOUR_MS: [600.0 + n for n in range(30)], 0: [20.0 + n / 10 for n in range(70)]}
    rollups = [
        RollUp(hour_ms=hour_ms, target=f"{part}", histogram=count(times_ms[part::3]))
        for hour_ms, times_ms in hours_ms.items()
        for part in range(3)
    ]
    found = summarise(rollups)
    every_ms = sorted(time for times_ms in hours_ms.values() for time in times_ms)
    assert found.median_ms == pytest.approx(every_ms[49], rel=0.01)
    assert found.p95_ms == pytest.approx(every_ms[94], rel=0.01)
    assert [hour_ms for hour_ms, _ in found.hourly] == [0, HOUR_MS]
    assert [ms for _, ms in found.hourly] == [pytest.approx(ms, rel=0.01) for ms in (23.4, 614)]


def test_more_answers_than_questions_are_no_gain() -> None:
    assert summarise([RollUp(hour_ms=0, sent=3, received=3, late=1)]).loss_ratio == 0
