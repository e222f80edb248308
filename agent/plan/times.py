# SPDX-License-Identifier: Apache-2.0
"""When does this device test next? At random, but the same after every start, and never with all the others.

A day's windows, laid end to end, are cut into as many equal parts as there are to be tests; in each part a
hash of device, test, date and part says when. Nothing is agreed upon with anybody; a fleet spreads evenly.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.plan import windows
from agent.plan.windows import Span

_DAY_S = 86_400
_DAYS_AHEAD = 400
"""A test is never rarer, and no zone ever skipped so many days."""


@dataclass(frozen=True, kw_only=True)
class Times:
    """Of one test on one device.

    Attributes:
        every_s: mean time between two starts; within a day only the windows count.
        windows: seconds of the day by the school's clock.
    """

    device: str
    test: str
    every_s: float
    windows: tuple[Span, ...]
    zone: dt.tzinfo

    def next(self, after_s: float) -> Start | None:
        """The first start behind this time; None when there is none within a year."""
        today = windows.day_of(after_s, self.zone)
        for ahead in range(-1, _DAYS_AHEAD):
            for start in self.of_day(today + dt.timedelta(ahead)):
                if start.at_s > after_s:
                    return start
        return None

    def of_day(self, day: dt.date) -> Iterator[Start]:
        """All of one date of the school's clock, in order."""
        spans = windows.of_day(day, self.windows, self.zone)
        length_s = sum(span.seconds for span in spans)
        if not length_s or not self._is_day(day):
            return
        count = max(1, round(length_s / self.every_s))
        for part in range(count):
            place = chance(self.device, self.test, day.isoformat(), str(part))
            yield _placed(spans, (part + place) / count * length_s)

    def a_month(self) -> int:
        """How many there are in the longest month."""
        days = max(1, round(self.every_s / _DAY_S))
        length_s = sum(span.seconds for span in self.windows)
        return -(-31 // days) * max(1, round(length_s / self.every_s))

    def _is_day(self, day: dt.date) -> bool:
        """Whether a test that is rarer than daily has its turn."""
        days = max(1, round(self.every_s / _DAY_S))
        return (day.toordinal() + int(chance(self.device, self.test) * days)) % days == 0


@dataclass(frozen=True, slots=True)
class Start:
    """When, and when the window it lies in ends: Unix time."""

    at_s: float
    until_s: float


def _placed(spans: Sequence[Span], along_s: float) -> Start:
    for span in spans:
        if along_s < span.seconds:
            return Start(span.begin_s + along_s, span.end_s)
        along_s -= span.seconds
    # Adding up may round beyond the last end.
    return Start(spans[-1].begin_s, spans[-1].end_s)


def chance(*words: str) -> float:
    """0 ≤ ratio < 1, the same for the same words."""
    digest = hashlib.blake2b("/".join(words).encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48
