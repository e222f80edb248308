# SPDX-License-Identifier: Apache-2.0
"""How do people write a calendar down? Each field is a key of its TOML table."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from agent.contract.decoder import DecodeError
from agent.contract.option import option, required
from collector.sla.calendar import Days, Shift

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DayName = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_HOURS = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_DAY_MIN = 1440
_EARLIEST, _LATEST = dt.date(2000, 1, 1), dt.date(2099, 12, 31)
"""An end for ever is none that anybody can count the hours of."""


def day_key(doc: str, example: str) -> Any:
    """A key that is a day which contracts of our time can have."""
    return required(doc, example, low=_EARLIEST, high=_LATEST)


def shift_of(text: str, path: str) -> Shift:
    """Minutes of the day of `08:00-20:00`; one that ends at or before its begin ends on the next day.

    Raises:
        DecodeError: it is none.
    """
    found = _HOURS.fullmatch(text)
    if found is None:
        raise DecodeError(path, f"{text!r} must be like 08:00-20:00")
    hour, minute, end_hour, end_minute = (int(number) for number in found.groups())
    begin, end = hour * 60 + minute, end_hour * 60 + end_minute
    if begin >= _DAY_MIN or end > _DAY_MIN or begin == end:
        raise DecodeError(path, f"{text!r} must begin and end at different times of 00:00 to 24:00")
    return begin, end if begin < end else end + _DAY_MIN


@dataclass(frozen=True, kw_only=True)
class DaysForm:
    """From one day to another, both of them included."""

    first: dt.date = day_key("the first day", "2026-09-01")
    last: dt.date = day_key("the last day; it is one of them", "2026-10-25")

    def __post_init__(self) -> None:
        """Refuse days the wrong way round."""
        if self.last < self.first:
            raise DecodeError("last", f"{self.last} is before {self.first}")

    @property
    def days(self) -> Days:
        """The days."""
        return Days(first=self.first, last=self.last)


@dataclass(frozen=True, kw_only=True)
class ShiftForm:
    """A shift of some days of the week."""

    days: tuple[DayName, ...] = required("`mon` … `sun`: days on which it begins", ["mon", "tue"])
    hours: str = required("by the clock of the place; over midnight: `22:00-02:00`", "08:00-14:00")
    name: str = option("what people call it", "")

    def __post_init__(self) -> None:
        """Refuse a shift that never is."""
        if not self.days:
            raise DecodeError("days", "needs at least one day")
        shift_of(self.hours, "hours")


@dataclass(frozen=True, kw_only=True)
class TimetableForm:
    """One version of a calendar."""

    since: dt.date = day_key("the first day it is in force, until the next version's", "2026-09-01")
    shift: tuple[ShiftForm, ...] = required("tables `[[calendar.version.shift]]`", None)
    term: tuple[DaysForm, ...] = option("tables `{ first, last }`: when there is school at all", ())
    holidays: tuple[dt.date, ...] = option("single days without school", ())
    holiday: tuple[DaysForm, ...] = option("tables `{ first, last }`: days without school", ())

    def __post_init__(self) -> None:
        """A calendar without a shift would promise nothing, and no verdict could ever be given."""
        if not self.shift:
            raise DecodeError("shift", "needs at least one: without service time there is nothing to judge")

    @property
    def shifts(self) -> tuple[tuple[Shift, ...], ...]:
        """Those of each day of the week."""
        return tuple(tuple(shift_of(s.hours, "hours") for s in self.shift if day in s.days) for day in WEEK)

    @property
    def days_off(self) -> tuple[Days, ...]:
        """All holidays."""
        single = (Days(first=day, last=day) for day in self.holidays)
        return (*single, *(h.days for h in self.holiday))


@dataclass(frozen=True, kw_only=True)
class OverrideForm(DaysForm):
    """Other hours on some days, whatever terms and holidays say."""

    hours: tuple[str, ...] = option("shifts of each of these days; none: closed", (), example=["09:00-13:00"])
    schools: tuple[str, ...] = option(
        "whose; none: those of the whole calendar. A school's own come before the calendar's, later ones "
        "before earlier ones",
        (),
    )
    reason: str = option("why", "")

    def __post_init__(self) -> None:
        """Refuse what are no hours too."""
        DaysForm.__post_init__(self)
        self.shifts  # noqa: B018  # reading them is the check

    @property
    def shifts(self) -> tuple[Shift, ...]:
        """Shifts of each of the days."""
        return tuple(shift_of(text, f"hours[{i}]") for i, text in enumerate(self.hours))


@dataclass(frozen=True, kw_only=True)
class CalendarForm:
    """When there is school."""

    id: str = required("its name in contracts", "two-shifts")
    zone: str = required("IANA name of the time zone", "Asia/Almaty")
    version: tuple[TimetableForm, ...] = required("tables `[[calendar.version]]`", None)
    override: tuple[OverrideForm, ...] = option("tables `[[calendar.override]]`", ())

    def __post_init__(self) -> None:
        """Refuse what leaves open which version holds."""
        refuse_bad_id(self.id)
        refuse_same_day([v.since for v in self.version])


def refuse_bad_id(text: str) -> None:
    """Names stand in files and web addresses.

    Raises:
        DecodeError: this one could not.
    """
    if not _ID.fullmatch(text):
        raise DecodeError("id", f"{text!r} must be 1 to 64 letters, digits, '.', '_' or '-'")


def refuse_same_day(days: Sequence[dt.date]) -> None:
    """Versions must begin on different days, and there must be one.

    Raises:
        DecodeError: two begin on the same, or there is none.
    """
    if not days:
        raise DecodeError("version", "needs at least one")
    for i, day in enumerate(days):
        if day in days[:i]:
            raise DecodeError(f"version[{i}].since", f"version[{days.index(day)}] begins on {day} too")
