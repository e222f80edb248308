# SPDX-License-Identifier: Apache-2.0
"""From when on does a transfer run at a steady rate, and at which one?

A transfer is steady when two windows side by side, each at least a round trip, 0.25 s and sixty segments
long, carried as much within 3 %, and still do so half a window later; where that takes long the windows grow.
The rate is that of both windows; its confidence interval comes from the parts they are cut into (batch
means). Because windows that differ are not taken, how little the two differ says nothing: the interval is
never narrower than the parts within each say.
"""

from __future__ import annotations

import bisect
import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

TOLERANCE_RATIO = 0.03
_MIN_WINDOW_S = 0.25
_MIN_SEGMENTS = 60
_SHORTEST_S = 1e-6
"""Looks are no closer together: what the reflector reports is in microseconds."""
_EARLY_TRIPS, _LATE_RATIO = 16, 0.125
_PARTS = 8
_T_95, _T_95_WITHIN = 2.365, 2.447
"""Student's t for 7 degrees of freedom, and for the 6 within two windows; two-sided 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """The steady part of a transfer.

    Attributes:
        rate: segments in a second.
        low: lower end of the 95 % confidence interval; None when there were too few looks for one.
        high: its upper end.
        from_s: where it begins.
        to_s: where it ends.
        is_steady: False when the transfer ended before it was; then this is its second half.
    """

    rate: float
    low: float | None
    high: float | None
    from_s: float
    to_s: float
    is_steady: bool


class Arrivals:
    """How many segments had arrived by when."""

    def __init__(self) -> None:
        self._at_s: list[float] = []
        self._count: list[float] = []
        self._agreed_since_s: float | None = None

    def add(self, at_s: float, count: float) -> None:
        """Count all that have arrived until then; what is not news is passed over."""
        if self._at_s and (at_s < self._at_s[-1] + _SHORTEST_S or count < self._count[-1]):
            return
        self._at_s.append(at_s)
        self._count.append(count)

    @property
    def elapsed_s(self) -> float:
        """From the first to the last look."""
        return self._at_s[-1] - self._at_s[0] if self._at_s else 0.0

    @property
    def arrived(self) -> float:
        """Between the first and the last look."""
        return self._count[-1] - self._count[0] if self._count else 0.0

    def until(self, at_s: float) -> float:
        """How many by then, read off between two looks."""
        i = bisect.bisect_left(self._at_s, at_s)
        if i == 0:
            return self._count[0]
        if i == len(self._at_s):
            return self._count[-1]
        (a_s, b_s), (a, b) = self._at_s[i - 1 : i + 1], self._count[i - 1 : i + 1]
        return a + (b - a) * (at_s - a_s) / (b_s - a_s)

    def recent_rate(self, within_s: float) -> float:
        """Over so many last seconds."""
        within_s = min(within_s, self.elapsed_s)
        return (self._count[-1] - self.until(self._at_s[-1] - within_s)) / within_s if within_s > 0 else 0.0

    def steady(self, rtt_s: float) -> Segment | None:
        """The steady segment, if it is there by now; to be asked after each look."""
        window_s = self._window_s(rtt_s)
        if self.elapsed_s < 2 * window_s + 2 * rtt_s or not self._agree(window_s):
            self._agreed_since_s = None
            return None
        now_s = self._at_s[-1]
        if self._agreed_since_s is None:
            self._agreed_since_s = now_s
        if now_s - self._agreed_since_s < window_s / 2:
            return None
        return self._segment(now_s - 2 * window_s, is_steady=True)

    def rest(self) -> Segment | None:
        """What can be said of a transfer that never was steady."""
        if self.arrived <= 0 or self.elapsed_s <= 0:
            return None
        return self._segment(self._at_s[-1] - self.elapsed_s / 2, is_steady=False)

    def _window_s(self, rtt_s: float) -> float:
        rate = self.recent_rate(max(rtt_s, 2 * _MIN_WINDOW_S))
        # Slots and gusts longer than a window never let two of them agree but by luck.
        late_s = (self.elapsed_s - _EARLY_TRIPS * rtt_s) * _LATE_RATIO
        return max(rtt_s, _MIN_WINDOW_S, late_s, _MIN_SEGMENTS / rate if rate > 0 else math.inf)

    def _agree(self, window_s: float) -> bool:
        now_s = self._at_s[-1]
        first, middle, last = (self.until(now_s - n * window_s) for n in (2, 1, 0))
        return middle > first and abs((last - middle) / (middle - first) - 1) < TOLERANCE_RATIO

    def _segment(self, from_s: float, *, is_steady: bool) -> Segment:
        to_s = self._at_s[-1]
        step_s = (to_s - from_s) / _PARTS
        marks = [self.until(from_s + n * step_s) for n in range(_PARTS + 1)]
        rates = [(b - a) / step_s for a, b in itertools.pairwise(marks)]
        rate = statistics.fmean(rates)
        half = _half_width(rates)
        is_looked_at = sum(at_s >= from_s for at_s in self._at_s) > _PARTS
        return Segment(
            rate=rate,
            low=max(0.0, rate - half) if is_looked_at else None,
            high=rate + half if is_looked_at else None,
            from_s=from_s,
            to_s=to_s,
            is_steady=is_steady,
        )


def _half_width(rates: Sequence[float]) -> float:
    """Of the 95 % confidence interval about the mean of these parts of two windows."""
    windows = rates[: _PARTS // 2], rates[_PARTS // 2 :]
    within = math.sqrt(statistics.fmean(map(statistics.variance, windows)))
    return max(_T_95 * statistics.stdev(rates), _T_95_WITHIN * within) / math.sqrt(_PARTS)
