# SPDX-License-Identifier: Apache-2.0
"""Which calendar does a school go by, its own exceptions included?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.contract.decoder import DecodeError, nearest
from collector.contracts.calendar_form import CalendarForm, OverrideForm, TimetableForm
from collector.contracts.zone import read_zone
from collector.sla.calendar import Calendar, Override, Timetable


@dataclass
class Calendars:
    """Those of all files; one object for all schools that go by the same."""

    _forms: dict[str, CalendarForm] = field(default_factory=dict)
    _zones: dict[str, dt.tzinfo] = field(default_factory=dict)
    _made: dict[tuple[str, str], Calendar] = field(default_factory=dict)

    def add(self, form: CalendarForm) -> None:
        """One more.

        Raises:
            DecodeError: its name is taken, or nobody knows its time zone.
        """
        if form.id in self._forms:
            raise DecodeError("id", f"there is another calendar {form.id!r}")
        self._forms[form.id] = form
        self._zones[form.id] = read_zone(form.zone)

    def names(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._forms)

    def of(self, name: str, school: str) -> Calendar:
        """What a school goes by.

        Raises:
            DecodeError: there is no such calendar.
        """
        if name not in self._forms:
            raise DecodeError("calendar", f"unknown calendar {name!r}{nearest(name, self._forms)}")
        form = self._forms[name]
        own = [o for o in form.override if school in o.schools]
        key = name, school if own else ""
        if key not in self._made:
            everybodys = [o for o in form.override if not o.schools]
            self._made[key] = Calendar(
                id=name,
                zone=self._zones[name],
                versions=tuple(map(_timetable, sorted(form.version, key=lambda v: v.since))),
                overrides=tuple(map(_override, (*reversed(own), *reversed(everybodys)))),
            )
        return self._made[key]

    def warnings(self) -> Iterator[str]:
        """Holidays that no term is near: the year is probably another."""
        for name, form in self._forms.items():
            for version in form.version:
                begin = min((t.first for t in version.term), default=dt.date.min)
                end = max((t.last for t in version.term), default=dt.date.max)
                for off in version.days_off:
                    if off.last < begin or off.first > end:
                        yield f"calendar {name!r}: the holiday {off.first} is outside all its terms"


def _timetable(form: TimetableForm) -> Timetable:
    return Timetable(
        since=form.since,
        shifts=form.shifts,
        terms=tuple(t.days for t in form.term),
        holidays=form.days_off,
    )


def _override(form: OverrideForm) -> Override:
    return Override(days=form.days, shifts=form.shifts, reason=form.reason)
