# SPDX-License-Identifier: Apache-2.0
"""In which slots does the contract promise a school its service?

A slot is service time when the clock of the place shows, at its begin, a time within a shift of a day on
which there is school. A shift over midnight belongs to the day on which it begins. Dates and times are those
of the place's clock: where it is set forward within a shift the shift is shorter, where set back longer.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterator
from dataclasses import dataclass

from collector.sla.localtime import day_of, minute_of, slots_of
from collector.sla.slotset import NO_SLOTS, SlotSet, Span

_ONE_DAY = dt.timedelta(days=1)
Shift = Span
"""Minutes of the day on which it begins; the end may be that of the next."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Days:
    """From one day up to and including another."""

    first: dt.date
    last: dt.date

    def __contains__(self, day: dt.date) -> bool:
        return self.first <= day <= self.last


@dataclass(frozen=True, kw_only=True, slots=True)
class Timetable:
    """One version of a calendar.

    Attributes:
        since: the first day it is in force; until the next version's.
        shifts: those of each day of the week, Monday first.
        terms: when there is school at all; none: all the year.
        holidays: when there is none, within the terms.
    """

    since: dt.date
    shifts: tuple[tuple[Shift, ...], ...]
    terms: tuple[Days, ...] = ()
    holidays: tuple[Days, ...] = ()

    def of(self, day: dt.date) -> tuple[Shift, ...]:
        """The shifts that begin on a day."""
        is_term = not self.terms or any(day in term for term in self.terms)
        if not is_term or any(day in holiday for holiday in self.holidays):
            return ()
        return self.shifts[day.weekday()]


@dataclass(frozen=True, kw_only=True, slots=True)
class Override:
    """Other shifts on some days, whatever terms and holidays say; none: closed."""

    days: Days
    shifts: tuple[Shift, ...] = ()
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Calendar:
    """When there is school; one for all schools that have the same overrides.

    Attributes:
        zone: the clock of the place.
        versions: in the order of their first days; before the first there is no service time.
        overrides: the first that has a day is the one that holds.
    """

    id: str
    zone: dt.tzinfo
    versions: tuple[Timetable, ...]
    overrides: tuple[Override, ...] = ()

    def service(self, first: int, end: int) -> SlotSet:
        """Service time from slot `first` up to but not including `end`."""
        if first >= end:
            return NO_SLOTS
        start, stop = day_of(first, self.zone) - 2 * _ONE_DAY, day_of(end, self.zone) + 2 * _ONE_DAY
        return _service(self, start, stop).within(first, end)

    def shifts_of(self, day: dt.date) -> tuple[Shift, ...]:
        """The shifts that begin on a day."""
        for override in self.overrides:
            if day in override.days:
                return override.shifts
        in_force = [version for version in self.versions if version.since <= day]
        return in_force[-1].of(day) if in_force else ()


@functools.lru_cache(maxsize=4096)
def _service(calendar: Calendar, first: dt.date, last: dt.date) -> SlotSet:
    """The same for every school of the calendar, so it is kept."""
    return slots_of(_minutes(calendar, first, last), calendar.zone)


def _minutes(calendar: Calendar, first: dt.date, last: dt.date) -> Iterator[Span]:
    day = first
    while day <= last:
        begin = minute_of(day)
        for start, end in calendar.shifts_of(day):
            yield begin + start, begin + end
        day += _ONE_DAY
