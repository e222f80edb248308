# SPDX-License-Identifier: Apache-2.0
"""Is a test's window what the school's clock shows, on days when that clock is set too?"""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.plan.windows import WHOLE_DAY, Span, day_of, joined, of_day, parse, zone

# Almaty gave up its hour in 2024; Lord Howe shifts by half an hour, Troll by two hours, Apia skipped a day.
ZONES = (
    "Asia/Almaty",
    "Europe/Berlin",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Pacific/Apia",
    "Africa/Casablanca",
    "UTC",
)
SET = {
    "Asia/Almaty": dt.date(2024, 3, 1),
    "Europe/Berlin": dt.date(2026, 10, 25),
    "America/Sao_Paulo": dt.date(2018, 11, 4),
    "Australia/Lord_Howe": dt.date(2026, 10, 4),
    "Antarctica/Troll": dt.date(2026, 3, 29),
    "Pacific/Apia": dt.date(2011, 12, 30),
    "Africa/Casablanca": dt.date(2026, 2, 15),
}
minutes = st.integers(0, 24 * 60)
days = st.dates(dt.date(2005, 1, 1), dt.date(2037, 12, 31))
days_near_a_change = st.sampled_from(sorted(SET.items())).flatmap(
    lambda s: st.tuples(st.just(s[0]), st.integers(-1, 1).map(lambda n: s[1] + dt.timedelta(n)))
)
places = st.tuples(st.sampled_from(ZONES), days) | days_near_a_change


@st.composite
def windows(draw: st.DrawFn) -> tuple[Span, ...]:
    """One to three, in order."""
    edges = draw(st.lists(minutes, min_size=2, max_size=6, unique=True).map(sorted))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return joined([Span(begin * 60, end * 60) for begin, end in pairs])


def _shown_s(at_s: float, where: dt.tzinfo) -> tuple[dt.date, float]:
    shown = dt.datetime.fromtimestamp(at_s, where)
    return shown.date(), shown.hour * 3600 + shown.minute * 60 + shown.second


@given(places, windows(), st.integers(-20 * 60, 44 * 60))
@example(("Europe/Berlin", dt.date(2026, 10, 25)), (Span(9000, 9900),), 60)
def test_an_instant_is_in_a_window_exactly_when_the_clock_shows_so(
    place: tuple[str, dt.date], wanted: tuple[Span, ...], minute: int
) -> None:
    where, day = ZoneInfo(place[0]), place[1]
    at_s = dt.datetime.combine(day, dt.time(), dt.UTC).timestamp() + minute * 60
    shown_day, shown_s = _shown_s(at_s, where)

    is_shown = shown_day == day and any(w.begin_s <= shown_s < w.end_s for w in wanted)
    spans = of_day(day, wanted, where)

    assert any(span.begin_s <= at_s < span.end_s for span in spans) is is_shown
    assert all(a.end_s < b.begin_s for a, b in pairwise(spans))


@given(places)
def test_the_whole_days_follow_one_another_without_a_gap(place: tuple[str, dt.date]) -> None:
    where, day = ZoneInfo(place[0]), place[1]
    days = [day + dt.timedelta(n) for n in range(-1, 3)]
    spans = joined([span for each in days for span in of_day(each, (WHOLE_DAY,), where)])

    assert len(spans) == 1


def test_days_on_which_the_clock_is_set_are_an_hour_shorter_or_longer() -> None:
    where = ZoneInfo("Europe/Berlin")
    hours = [
        sum(s.seconds for s in of_day(day, parse("00:00-24:00"), where)) / 3600
        for day in (dt.date(2026, 3, 29), dt.date(2026, 10, 25), dt.date(2026, 7, 1))
    ]

    assert hours == [23, 25, 24]
    assert of_day(dt.date(2026, 3, 29), parse("02:00-03:00"), where) == ()
    assert sum(s.seconds for s in of_day(dt.date(2026, 10, 25), parse("02:00-03:00"), where)) == 7200


def test_a_day_that_a_country_skipped_has_no_windows() -> None:
    where = ZoneInfo("Pacific/Apia")

    assert of_day(dt.date(2011, 12, 30), (WHOLE_DAY,), where) == ()
    assert of_day(dt.date(2011, 12, 31), (WHOLE_DAY,), where)


def test_a_window_over_midnight_is_the_end_and_the_beginning_of_the_day() -> None:
    assert parse("22:00-06:00") == (Span(0, 21600), Span(79200, 86400))
    assert parse("22:00-00:00") == (Span(79200, 86400),)
    assert parse("00:00-24:00") == (WHOLE_DAY,)
    assert parse("08:30-17:45") == (Span(30_600, 63_900),)
    assert parse("22:15-06:05") == (Span(0, 21_900), Span(80_100, 86_400))


@pytest.mark.parametrize(
    "text", ["", "8-18", "08:00", "25:00-26:00", "08:00-08:00", "24:00-06:00", "08:00-24:30"]
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="window"):
        parse(text)


@given(st.lists(st.tuples(minutes, minutes).filter(lambda p: p[0] != p[1]).map(sorted)))
def test_joined_windows_cover_the_same_minutes_once(pairs: list[list[int]]) -> None:
    spans = [Span(begin, end) for begin, end in pairs]
    made = joined(spans)

    covered = {minute for s in spans for minute in range(int(s.begin_s), int(s.end_s))}
    assert sum(s.seconds for s in made) == len(covered)
    assert {minute for s in made for minute in range(int(s.begin_s), int(s.end_s))} == covered


def test_a_zone_that_is_none_is_refused_and_an_empty_name_is_the_devices_own() -> None:
    with pytest.raises(ValueError, match="'Asia/Almatty' is not known"):
        zone("Asia/Almatty")
    with pytest.raises(ValueError, match="is not known"):
        zone("../etc/passwd")
    assert day_of(0, zone("")) in (dt.date(1970, 1, 1), dt.date(1969, 12, 31))
