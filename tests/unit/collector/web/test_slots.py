# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collector.web.slots import DAY_MS, SLOT_MS, Window, cells, stretches
from collector.web.state import Run, State
from tests.unit.collector.web.fakes import MINUTE_MS, NOW_MS

WINDOW = Window.of(NOW_MS)
STALE_MS = 15 * MINUTE_MS
UP = Run(State.UP, WINDOW.start_ms - SLOT_MS, WINDOW.now_ms)


def at(minutes: float) -> int:
    return WINDOW.start_ms + round(minutes * MINUTE_MS)


def test_window_is_a_day_cut_at_slot_borders() -> None:
    assert WINDOW.end_ms - WINDOW.start_ms == DAY_MS
    assert WINDOW.end_ms % SLOT_MS == 0
    assert WINDOW.end_ms - SLOT_MS <= NOW_MS < WINDOW.end_ms
    assert WINDOW.place(WINDOW.start_ms - 5) == 0
    assert WINDOW.place(WINDOW.end_ms + 5) == 1


def test_cells_are_up_when_all_is_well() -> None:
    assert cells([UP], WINDOW, stale_ms=STALE_MS) == (State.UP,) * 96


def test_cells_are_unknown_when_there_is_nothing() -> None:
    assert cells([], WINDOW, stale_ms=STALE_MS) == (State.UNKNOWN,) * 96


def test_cell_is_down_when_any_settled_outage_touches_it() -> None:
    down = Run(State.DOWN, at(20), at(24))
    after = Run(State.UP, at(24), NOW_MS)
    found = cells([Run(State.UP, at(0), at(20)), down, after], WINDOW, stale_ms=STALE_MS)
    assert found[:3] == (State.UP, State.DOWN, State.UP)


def test_cell_is_unknown_when_less_than_half_of_it_is_known() -> None:
    found = cells(
        [Run(State.UP, at(0), at(7)), Run(State.UNKNOWN, at(7), at(22)), Run(State.UP, at(22), NOW_MS)],
        WINDOW,
        stale_ms=STALE_MS,
    )
    assert found[:3] == (State.UNKNOWN, State.UP, State.UP)


def test_cell_is_degraded_when_part_of_it_is() -> None:
    found = cells(
        [Run(State.DEGRADED, at(0), at(3)), Run(State.UP, at(3), NOW_MS)], WINDOW, stale_ms=STALE_MS
    )
    assert found[:2] == (State.DEGRADED, State.UP)


def test_last_cells_are_left_open_when_data_may_still_come() -> None:
    fresh = cells([Run(State.UP, at(0), NOW_MS - 14 * MINUTE_MS)], WINDOW, stale_ms=STALE_MS)
    stale = cells([Run(State.UP, at(0), NOW_MS - 24 * MINUTE_MS)], WINDOW, stale_ms=STALE_MS)
    assert (fresh[-2], fresh[-1]) == (State.UP, None)
    assert (stale[-2], stale[-1]) == (State.UNKNOWN, State.UNKNOWN)


def test_cells_are_open_when_the_store_was_not_read_that_far_back() -> None:
    found = cells([UP], WINDOW, stale_ms=STALE_MS, read_from_ms=at(30))
    assert found[:3] == (None, None, State.UP)


def test_stretches_join_equal_neighbours_only() -> None:
    strip = (State.UP, State.UP, None, State.UP, State.DOWN)
    found = [
        (r.state, r.start_ms - WINDOW.start_ms, r.end_ms - WINDOW.start_ms) for r in stretches(strip, WINDOW)
    ]
    assert found == [
        (State.UP, 0, 2 * SLOT_MS),
        (State.UP, 3 * SLOT_MS, 4 * SLOT_MS),
        (State.DOWN, 4 * SLOT_MS, 5 * SLOT_MS),
    ]
