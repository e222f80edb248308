# SPDX-License-Identifier: Apache-2.0
"""Are tests at random but repeatable times within the windows, and never all devices at once?"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.plan import windows
from agent.plan.times import Times
from agent.plan.windows import WHOLE_DAY
from tests.unit.agent.plan.test_windows import places
from tests.unit.agent.plan.test_windows import windows as some_windows

ALMATY = ZoneInfo("Asia/Almaty")
DAY = dt.date(2026, 11, 23)
SCHOOLS = 7378


def _times(device: str = "kz-0001", *, every_s: float = 21_600, text: str = "08:00-18:00") -> Times:
    return Times(device=device, test="capacity", every_s=every_s, windows=windows.parse(text), zone=ALMATY)


@given(
    places, some_windows(), st.sampled_from([600.0, 3600.0, 21_600.0, 86_400.0]), st.text("ab", min_size=1)
)
def test_every_start_lies_in_a_window_of_its_day_in_order(
    place: tuple[str, dt.date], wanted: Sequence[windows.Span], every_s: float, device: str
) -> None:
    where = ZoneInfo(place[0])
    times = Times(device=device, test="capacity", every_s=every_s, windows=tuple(wanted), zone=where)
    spans = windows.of_day(place[1], wanted, where)
    starts = list(times.of_day(place[1]))

    assert all(any(s.begin_s <= start.at_s < s.end_s == start.until_s for s in spans) for start in starts)
    assert all(a.at_s < b.at_s for a, b in pairwise(starts))
    length_s = sum(s.seconds for s in spans)
    assert len(starts) == (max(1, round(length_s / every_s)) if length_s else 0)


@given(st.floats(1e9, 2e9), st.sampled_from([3600.0, 21_600.0, 172_800.0, 604_800.0]))
def test_the_next_start_is_ahead_and_no_other_lies_before_it(now_s: float, every_s: float) -> None:
    times = _times(every_s=every_s)
    first = times.next(now_s)
    assert first is not None

    assert first.at_s > now_s
    assert times.next((now_s + first.at_s) / 2) == first
    assert first.at_s - now_s < max(2, every_s / 86_400 + 1) * 86_400


def test_a_device_has_the_same_times_after_every_start_and_others_each_day() -> None:
    monday = [start.at_s for start in _times().of_day(DAY)]
    tuesday = [start.at_s - 86_400 for start in _times().of_day(DAY + dt.timedelta(1))]

    assert monday == [start.at_s for start in _times().of_day(DAY)]
    assert monday != tuesday
    assert len(monday) == 2


def test_a_fleet_spreads_evenly_over_its_windows() -> None:
    starts = [s.at_s for i in range(SCHOOLS) for s in _times(f"kz-{i:04d}").of_day(DAY)]
    begin_s = windows.of_day(DAY, windows.parse("08:00-18:00"), ALMATY)[0].begin_s
    hours = Counter(int((at_s - begin_s) // 3600) for at_s in starts)
    seconds = Counter(int(at_s) for at_s in starts)
    most = max(seconds.values())
    print(f"{len(starts)} starts in 10 hours: {sorted(hours.items())}, {most} in the same second")

    assert len(starts) == 2 * SCHOOLS
    assert min(hours.values()) > 0.92 * len(starts) / 10
    assert max(hours.values()) < 1.08 * len(starts) / 10
    # On average 0.41 start in a second; ten at once would be one chance in millions.
    assert most < 10


def test_tests_rarer_than_daily_come_on_different_days() -> None:
    days = Counter(
        day
        for i in range(700)
        for day in range(7)
        for _ in _times(f"kz-{i:04d}", every_s=604_800).of_day(DAY + dt.timedelta(day))
    )

    assert sum(days.values()) == 700
    assert min(days.values()) > 60


@pytest.mark.parametrize("every_s", [3600.0, 21_600.0, 86_400.0, 259_200.0, 604_800.0])
@given(day=st.dates(dt.date(2026, 1, 1), dt.date(2030, 1, 1)))
def test_a_months_number_is_never_exceeded(every_s: float, day: dt.date) -> None:
    times = _times(every_s=every_s)
    made = sum(len(list(times.of_day(day + dt.timedelta(n)))) for n in range(31))

    assert made <= times.a_month() <= made + 2 * max(1, round(36_000 / every_s))


def test_a_months_number_is_that_of_all_windows_together() -> None:
    both = windows.joined([*windows.parse("08:00-10:00"), *windows.parse("20:00-24:00")])
    times = Times(device="a", test="b", every_s=3600, windows=both, zone=dt.UTC)

    assert times.a_month() == 31 * 6


def test_without_any_window_left_there_is_no_start() -> None:
    times = Times(device="a", test="b", every_s=60, windows=(), zone=dt.UTC)

    assert times.next(1e9) is None
    assert Times(device="a", test="b", every_s=60, windows=(WHOLE_DAY,), zone=dt.UTC).next(1e9) is not None
