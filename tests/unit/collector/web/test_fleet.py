# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from agent.contract.kinds import Reach
from collector.registry import School
from collector.web.board import Board
from collector.web.day import read_day
from collector.web.fleet import Fleet, counts
from collector.web.options import WebOptions
from collector.web.state import State
from tests.unit.collector.web.fakes import MINUTE_MS, NOW_MS, Reader, Seen, Stored, view

A = School(id="a", name="Әбай", operator="Operator B")


def fleet_of(
    *minutes_ago: int,
    up: bool = True,
    seen: Seen | None = None,
    schools: tuple[School, ...] = (A,),
    looked_ms: int | None = NOW_MS,
) -> Fleet:
    """One school with a record at each of these minutes before now."""
    stored = [
        Stored(at_ms=NOW_MS - m * MINUTE_MS, fields=Reach(up=up)) for m in sorted(minutes_ago, reverse=True)
    ]
    reader = Reader(stored={"a": stored})
    shown = view(reader, *schools)
    board = Board(shown, refresh_every_s=1)
    board.close()
    board.looked_ms = looked_ms
    if stored:
        board.last_seen = {"a": seen or Seen(at_ms=stored[-1].at_ms, received_ms=stored[-1].at_ms + 900)}
        board.days["a"] = read_day(reader, "a", now_ms=NOW_MS, received_ms=1)
    return Fleet(shown, board, WebOptions())


def test_school_is_pending_when_it_never_reported() -> None:
    (school,) = fleet_of().schools()
    assert (school.state, school.since_ms, school.data_age_s) == (State.PENDING, None, None)


@pytest.mark.parametrize("looked_ms", [None, NOW_MS - 30_001])
def test_school_is_not_called_pending_when_the_store_was_not_looked_at_lately(looked_ms: int | None) -> None:
    (school,) = fleet_of(looked_ms=looked_ms).schools()
    assert (school.state, school.since_ms, school.data_age_s) == (State.UNKNOWN, None, None)


def test_view_is_as_old_as_the_older_of_look_and_reading() -> None:
    assert fleet_of(looked_ms=NOW_MS - 2000).view_age_s is None
    board = Board(view(), refresh_every_s=1)
    board.close()
    board.looked_ms, board.read_ms = NOW_MS - 2000, NOW_MS - 9000
    assert Fleet(view(), board, WebOptions()).view_age_s == 9


def test_school_is_up_since_its_run_began() -> None:
    (school,) = fleet_of(*range(30)).schools()
    assert (school.state, school.since_ms) == (State.UP, NOW_MS - 29 * MINUTE_MS)
    assert school.data_age_s == 0
    assert not school.since_is_earliest


def test_beginning_is_uncertain_when_the_run_fills_what_was_read() -> None:
    (school,) = fleet_of(*range(25 * 60 + 1)).schools()
    assert school.since_is_earliest


def test_school_is_unknown_when_its_data_is_stale() -> None:
    (school,) = fleet_of(*range(30, 90)).schools()
    assert (school.state, school.since_ms) == (State.UNKNOWN, NOW_MS - 29 * MINUTE_MS)


def test_school_that_measures_seldom_is_given_more_time() -> None:
    (school,) = fleet_of(*range(30, 600, 15)).schools()
    assert school.state is State.UP


def test_school_is_unknown_when_only_other_kinds_came_today() -> None:
    fleet = fleet_of(3000)
    assert fleet.schools()[0].state is State.UNKNOWN
    assert set(fleet.strip("a")) == {State.UNKNOWN}


def test_age_is_of_the_message_when_the_clock_runs_ahead() -> None:
    seen = Seen(at_ms=NOW_MS + 10**9, received_ms=NOW_MS - 5000)
    (school,) = fleet_of(1, seen=seen).schools()
    assert school.data_age_s == 5


def clock_ahead(*, silent_s: int, is_heard: bool = False) -> Fleet:
    """Five good records stamped 90 s to 130 s after their arrival, none since; other kinds if `is_heard`."""
    heard_ms = NOW_MS - silent_s * 1000
    ahead_ms = [heard_ms + s * 1000 for s in range(90, 140, 10)]
    stored = [Stored(at_ms=at_ms, received_ms=heard_ms, fields=Reach(up=True)) for at_ms in ahead_ms]
    reader = Reader(stored={"a": stored})
    shown = view(reader, A)
    board = Board(shown, refresh_every_s=1)
    board.close()
    newest_ms = NOW_MS if is_heard else heard_ms
    board.last_seen = {"a": Seen(at_ms=newest_ms, received_ms=newest_ms)}
    board.days["a"] = read_day(reader, "a", now_ms=NOW_MS, received_ms=heard_ms)
    return Fleet(shown, board, WebOptions(stale_after_s=60))


def test_silent_school_is_never_up_when_its_clock_ran_ahead() -> None:
    for is_heard in (False, True):
        fleets = [clock_ahead(silent_s=silent_s, is_heard=is_heard) for silent_s in range(0, 400, 3)]
        assert {f.schools()[0].state for f in fleets} == {State.UNKNOWN}
        assert not any(State.UP in f.strip("a") for f in fleets)


def test_school_is_unknown_when_nothing_arrived_for_longer_than_is_stale() -> None:
    seen = Seen(at_ms=NOW_MS - 901_000, received_ms=NOW_MS - 901_000)
    (school,) = fleet_of(*range(16, 60), seen=seen).schools()
    assert (school.state, school.since_ms) == (State.UNKNOWN, NOW_MS - 15 * MINUTE_MS)


def test_school_is_up_when_its_clock_runs_ahead_and_it_goes_on_reporting() -> None:
    seen = Seen(at_ms=NOW_MS - 20_000, received_ms=NOW_MS - 20_000)
    (school,) = fleet_of(*range(30), seen=seen).schools()
    assert (school.state, school.since_ms) == (State.UP, NOW_MS - 29 * MINUTE_MS)


def test_school_is_listed_when_it_reports_without_being_registered() -> None:
    fleet = fleet_of(1, schools=())
    assert [s.id for s in fleet.schools()] == ["a"]
    assert fleet.school("a") is not None
    assert fleet.school("b") is None


def test_counts_name_every_state() -> None:
    found = counts(fleet_of(0, 1, 2, up=False).schools())
    assert found == {State.UP: 0, State.DEGRADED: 0, State.DOWN: 1, State.UNKNOWN: 0, State.PENDING: 0}
