# SPDX-License-Identifier: Apache-2.0
"""Which month of the data plan is it? One begins on the same day of each calendar month."""

from __future__ import annotations

import calendar
import datetime as dt


def begin_of(day: dt.date, reset_day: int) -> dt.date:
    """The day on which the plan's month that holds `day` began; the last one where a month is too short."""
    this = _reset_in(day.year, day.month, reset_day)
    if day >= this:
        return this
    last = day.replace(day=1) - dt.timedelta(1)
    return _reset_in(last.year, last.month, reset_day)


def end_of(begin: dt.date, reset_day: int) -> dt.date:
    """The first day of the plan's month that follows the one begun then."""
    following = begin.replace(day=28) + dt.timedelta(4)
    return _reset_in(following.year, following.month, reset_day)


def _reset_in(year: int, month: int, reset_day: int) -> dt.date:
    return dt.date(year, month, min(reset_day, calendar.monthrange(year, month)[1]))
