# SPDX-License-Identifier: Apache-2.0
"""What is a month, and which slots are its days by the clock of a place?"""

from __future__ import annotations

import calendar
import datetime as dt
import functools
from dataclasses import dataclass

from collector.sla.localtime import days
from collector.sla.slotset import SlotSet


@dataclass(frozen=True, order=True, slots=True)
class Month:
    """A calendar month."""

    year: int
    number: int

    @classmethod
    def parse(cls, text: str) -> Month:
        """`2026-11`.

        Raises:
            ValueError: it is no month.
        """
        try:
            day = dt.date.fromisoformat(f"{text}-01")
        except ValueError as e:
            raise ValueError(f"{text!r} is not a month such as 2026-11") from e
        return cls(day.year, day.month)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"

    @property
    def days(self) -> tuple[dt.date, ...]:
        """All of them."""
        count = calendar.monthrange(self.year, self.number)[1]
        return tuple(dt.date(self.year, self.number, n + 1) for n in range(count))

    def slots(self, zone: dt.tzinfo) -> SlotSet:
        """Those in which the clock of a place shows one of the month's days."""
        return days(self.days[0], self.days[-1], zone)

    def slots_of_days(self, zone: dt.tzinfo) -> tuple[tuple[dt.date, SlotSet], ...]:
        """Each day, and the slots in which the clock shows it."""
        return _slots_of_days(self, zone)


@functools.lru_cache(maxsize=256)
def _slots_of_days(month: Month, zone: dt.tzinfo) -> tuple[tuple[dt.date, SlotSet], ...]:
    return tuple((day, days(day, day, zone)) for day in month.days)
