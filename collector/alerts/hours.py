# SPDX-License-Identifier: Apache-2.0
"""When may a person be called? In the service hours; what fires outside of them is told when they begin."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Hours:
    """Days of the week and times of the day, where the schools are.

    Attributes:
        days: 0 for Monday.
        from_min, to_min: minutes since midnight.
    """

    zone: zoneinfo.ZoneInfo
    days: frozenset[int]
    from_min: int
    to_min: int

    def holds(self, at_ms: int) -> bool:
        """Whether a moment lies in them."""
        at = dt.datetime.fromtimestamp(at_ms / 1000, self.zone)
        minute = at.hour * 60 + at.minute
        return at.weekday() in self.days and self.from_min <= minute < self.to_min


def read_hours(text: str, zone: str) -> Hours | None:
    """From `mon-sat 08:00-20:00`; empty: always.

    Raises:
        ValueError: it says what is expected.
    """
    if not text:
        return None
    try:
        place = zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"time_zone {zone!r} is not in the tz database, such as Asia/Almaty") from None
    words = text.split()
    if len(words) != 2:  # noqa: PLR2004 -- days and times
        raise ValueError(f"service_hours {text!r} is not like `mon-sat 08:00-20:00`")
    try:
        first, _, last = words[0].partition("-")
        start, end = (DAYS.index(day) for day in (first, last or first))
        from_min, to_min = (_minutes(part) for part in words[1].split("-"))
    except ValueError:
        raise ValueError(f"service_hours {text!r} is not like `mon-sat 08:00-20:00`") from None
    if from_min >= to_min:
        raise ValueError("service_hours must end after they begin, on the same day")
    days = frozenset((start + n) % 7 for n in range((end - start) % 7 + 1))
    return Hours(place, days, from_min, to_min)


def _minutes(text: str) -> int:
    hour, _, minute = text.partition(":")
    if not (hour.isdigit() and minute.isdigit() and len(minute) == 2):  # noqa: PLR2004
        raise ValueError(text)
    at = int(hour) * 60 + int(minute)
    if not (0 <= at <= 24 * 60 and int(minute) < 60):  # noqa: PLR2004
        raise ValueError(text)
    return at
