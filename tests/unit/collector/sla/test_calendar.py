# SPDX-License-Identifier: Apache-2.0
"""Is service time what the calendar and the clock of the place say, on odd days too?"""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sla.calendar import Calendar, Days, Override, Timetable
from collector.sla.localtime import day_of, days
from collector.sla.period import Month
from tests.unit.collector.sla.school import ALMATY, DAYTIME, NONE, WEEKDAYS, YEAR, calendar, slot

DAILY = (DAYTIME,) * 7
ALL_DAY = (((0, 1440),),) * 7
OVER_MIDNIGHT = (((22 * 60, 26 * 60),),) * 7
ZONES = [
    "Asia/Almaty",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "America/St_Johns",
    "Africa/Casablanca",
    "Pacific/Chatham",
    "UTC",
]
ANY_SHIFTS = st.lists(
    st.integers(0, 1439).flatmap(lambda a: st.tuples(st.just(a), st.integers(a + 1, a + 1440))), max_size=3
)


def hours(made: Calendar, first: str, end: str) -> float:
    return len(made.service(slot(first), slot(end))) / 60


def whole_day(zone: str, day: dt.date) -> int:
    made = calendar(zone=ZoneInfo(zone), shifts=ALL_DAY, since=dt.date(2000, 1, 1))
    begin = slot(f"{day}T00:00+00:00")
    found = made.service(begin - 3000, begin + 4500)
    return sum(day_of(at, made.zone) == day for at in found)


def test_twelve_hours_on_twenty_two_days_are_15840_slots() -> None:
    """December 2026 has 23 weekdays; with one holiday 22: 22 x 12 x 60 = 15,840."""
    timetable = Timetable(
        since=YEAR,
        shifts=WEEKDAYS,
        holidays=(Days(first=dt.date(2026, 12, 16), last=dt.date(2026, 12, 16)),),
    )
    made = calendar(versions=(timetable,))

    service = made.service(*Month.parse("2026-12").slots(ALMATY).spans[0])

    assert len(service) == 15_840
    assert service.spans[0] == (slot("2026-12-01T08:00+05:00"), slot("2026-12-01T20:00+05:00"))


@pytest.mark.parametrize("name", ["Almaty", "Qyzylorda", "Qostanay", "Aqtobe", "Atyrau", "Aqtau", "Oral"])
def test_all_of_kazakhstan_is_five_hours_ahead_since_march_2024(name: str) -> None:
    made = calendar(zone=ZoneInfo(f"Asia/{name}"), shifts=DAILY, since=dt.date(2024, 1, 1))

    service = made.service(slot("2024-03-02T00:00+05:00"), slot("2024-03-03T00:00+05:00"))

    assert service.spans == ((slot("2024-03-02T03:00+00:00"), slot("2024-03-02T15:00+00:00")),)


@pytest.mark.parametrize(
    ("zone", "day", "minutes"),
    [
        ("Asia/Almaty", dt.date(2024, 2, 29), 1500),  # at midnight the clock was set back by an hour
        ("Asia/Qyzylorda", dt.date(2024, 2, 29), 1440),
        ("Europe/Berlin", dt.date(2026, 3, 29), 1380),
        ("Europe/Berlin", dt.date(2026, 10, 25), 1500),
        ("America/New_York", dt.date(2026, 3, 8), 1380),
        ("America/New_York", dt.date(2026, 11, 1), 1500),
        ("Australia/Lord_Howe", dt.date(2026, 4, 5), 1470),  # half an hour
        ("Australia/Lord_Howe", dt.date(2026, 10, 4), 1410),
        ("Pacific/Apia", dt.date(2011, 12, 30), 0),  # never was
        ("Pacific/Apia", dt.date(2011, 12, 31), 1440),
        ("Asia/Kathmandu", dt.date(2026, 6, 1), 1440),
    ],
)
def test_a_day_is_as_long_as_the_clock_makes_it(zone: str, day: dt.date, minutes: int) -> None:
    assert whole_day(zone, day) == minutes


@pytest.mark.parametrize(
    ("day", "begin", "end", "minutes"),
    [
        # 02:00 becomes 03:00: of 02:30-04:00 only the hour from 03:00 ever comes
        (dt.date(2026, 3, 29), 150, 240, 60),
        # of 02:00-03:00 nothing
        (dt.date(2026, 3, 29), 120, 180, 0),
        # 03:00 becomes 02:00: 02:30-04:00 has the half hour twice, 30 + 30 + 60
        (dt.date(2026, 10, 25), 150, 240, 120),
        # school in the daytime never notices
        (dt.date(2026, 10, 25), 480, 1200, 720),
    ],
)
def test_a_shift_in_a_gap_is_shorter_and_in_a_fold_longer(
    day: dt.date, begin: int, end: int, minutes: int
) -> None:
    made = calendar(zone=ZoneInfo("Europe/Berlin"), shifts=(((begin, end),),) * 7, since=dt.date(2026, 1, 1))
    noon = slot(f"{day}T12:00+00:00")

    assert len(made.service(noon - 720, noon + 600)) == minutes


@given(st.sampled_from(ZONES), st.dates(dt.date(2011, 1, 1), dt.date(2027, 12, 31)), ANY_SHIFTS)
def test_service_is_what_a_look_at_the_clock_in_every_slot_says(
    zone: str, day: dt.date, shifts: list[tuple[int, int]]
) -> None:
    where = ZoneInfo(zone)
    made = calendar(zone=where, shifts=(tuple(shifts),) * 7, since=dt.date(2010, 1, 1))
    first = slot(f"{day}T00:00+00:00")
    looked = range(first, first + 1441, 7)

    def is_service(at: int) -> bool:
        shown = dt.datetime.fromtimestamp(at * 60, where)
        minute = shown.hour * 60 + shown.minute
        return any(begin <= minute < end or begin <= minute + 1440 < end for begin, end in shifts)

    service = made.service(first, first + 1441)

    assert [at for at in looked if at in service] == [at for at in looked if is_service(at)]


@given(st.sampled_from(ZONES), st.integers(0, 400_000), st.integers(0, 3000), st.integers(0, 3000))
def test_service_of_two_times_in_a_row_is_that_of_both(zone: str, start: int, one: int, two: int) -> None:
    made = calendar(zone=ZoneInfo(zone), shifts=OVER_MIDNIGHT, since=dt.date(2026, 1, 1))
    first = slot("2026-01-01T00:00+00:00") + start

    whole = made.service(first, first + one + two)

    assert whole == made.service(first, first + one) | made.service(first + one, first + one + two)


def test_a_shift_over_midnight_belongs_to_its_first_day() -> None:
    """Friday's goes on into Saturday, which has none; Monday begins with nothing left of Sunday."""
    shifts = (*(((22 * 60, 26 * 60),),) * 5, NONE, NONE)
    made = calendar(shifts=shifts)

    assert hours(made, "2026-11-07T00:00+05:00", "2026-11-08T00:00+05:00") == 2
    assert hours(made, "2026-11-09T00:00+05:00", "2026-11-09T12:00+05:00") == 0


def test_a_holiday_takes_out_the_whole_shift_that_begins_on_it() -> None:
    timetable = Timetable(
        since=YEAR,
        shifts=OVER_MIDNIGHT,
        holidays=(Days(first=dt.date(2026, 11, 6), last=dt.date(2026, 11, 6)),),
    )
    made = calendar(versions=(timetable,))

    assert hours(made, "2026-11-06T00:00+05:00", "2026-11-07T12:00+05:00") == 2  # the day before's


def test_there_is_no_service_outside_terms_nor_before_the_first_version() -> None:
    terms = (
        Days(first=dt.date(2026, 9, 1), last=dt.date(2026, 10, 30)),
        Days(first=dt.date(2026, 11, 9), last=dt.date(2026, 12, 30)),
    )
    made = calendar(versions=(Timetable(since=YEAR, shifts=DAILY, terms=terms),))

    assert hours(made, "2026-08-01T00:00+05:00", "2026-09-01T00:00+05:00") == 0
    assert hours(made, "2026-10-30T00:00+05:00", "2026-11-10T00:00+05:00") == 24


def test_overlapping_shifts_count_once() -> None:
    made = calendar(shifts=(((480, 840), (780, 1200)),) * 7)

    assert hours(made, "2026-11-02T00:00+05:00", "2026-11-03T00:00+05:00") == 12


def test_an_override_comes_before_holidays_and_terms_and_the_first_one_holds() -> None:
    """A Saturday on which a Monday is made up for, and a school that is closed for repairs."""
    saturday, week = dt.date(2026, 11, 7), Days(first=dt.date(2026, 11, 2), last=dt.date(2026, 11, 8))
    worked = Override(days=Days(first=saturday, last=saturday), shifts=DAYTIME)
    closed = Override(days=week, reason="repairs")

    assert hours(calendar(overrides=(worked,)), "2026-11-02T00:00+05:00", "2026-11-09T00:00+05:00") == 72
    assert hours(calendar(overrides=(closed,)), "2026-11-02T00:00+05:00", "2026-11-09T00:00+05:00") == 0
    assert (
        hours(calendar(overrides=(worked, closed)), "2026-11-02T00:00+05:00", "2026-11-09T00:00+05:00") == 12
    )


def test_a_new_version_holds_from_its_first_day_on() -> None:
    shorter = Timetable(since=dt.date(2026, 11, 4), shifts=(((8 * 60, 14 * 60),),) * 7)
    made = calendar(versions=(Timetable(since=YEAR, shifts=DAILY), shorter))

    assert hours(made, "2026-11-03T00:00+05:00", "2026-11-05T00:00+05:00") == 12 + 6


def test_days_and_months_follow_the_clock_of_the_place() -> None:
    """Leap day, new year, and a month in which the clock is set."""
    assert len(days(dt.date(2028, 2, 29), dt.date(2028, 2, 29), ALMATY)) == 1440
    assert len(Month.parse("2028-02").slots(ALMATY)) == 29 * 1440
    assert Month.parse("2026-12").slots(ALMATY).spans == (
        (slot("2026-12-01T00:00+05:00"), slot("2027-01-01T00:00+05:00")),
    )
    assert len(Month.parse("2026-10").slots(ZoneInfo("Europe/Berlin"))) == 31 * 1440 + 60
    assert len(Month.parse("2026-03").slots(ZoneInfo("Europe/Berlin"))) == 31 * 1440 - 60


@pytest.mark.parametrize("text", ["2026-13", "2026", "November", "2026-11-01", ""])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a month such as 2026-11"):
        Month.parse(text)


def test_no_time_has_no_service() -> None:
    assert not calendar().service(100, 100)
