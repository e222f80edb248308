# SPDX-License-Identifier: Apache-2.0
"""Which whole numbers are in a set that is mostly runs of neighbours?"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator

Range = tuple[int, int]
"""First and last number, inclusive."""


class RangeSet:
    """Disjoint inclusive ranges, ascending, never touching one another."""

    def __init__(self, ranges: Iterable[Range] = ()) -> None:
        self._lows: list[int] = []
        self._highs: list[int] = []
        for low, high in ranges:
            self.add(low, high)

    def __iter__(self) -> Iterator[Range]:
        return iter(zip(self._lows, self._highs, strict=True))

    def __contains__(self, number: int) -> bool:
        i = bisect.bisect_right(self._lows, number) - 1
        return i >= 0 and number <= self._highs[i]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # it changes

    def __bool__(self) -> bool:
        return bool(self._lows)

    def count(self) -> int:
        """How many numbers are in the set."""
        return sum(self._highs) - sum(self._lows) + len(self._lows)

    def add(self, low: int, high: int) -> None:
        """Put every number from `low` to `high` in; nothing when `low > high`."""
        if low > high:
            return
        first = bisect.bisect_left(self._highs, low - 1)
        after = bisect.bisect_right(self._lows, high + 1)
        if first < after:
            low = min(low, self._lows[first])
            high = max(high, self._highs[after - 1])
        self._lows[first:after] = [low]
        self._highs[first:after] = [high]

    def missing(self, low: int, high: int) -> list[Range]:
        """The parts of `low … high` that are not in the set."""
        gaps = []
        for i in range(bisect.bisect_left(self._highs, low), len(self._lows)):
            if self._lows[i] > high:
                break
            if low < self._lows[i]:
                gaps.append((low, self._lows[i] - 1))
            low = self._highs[i] + 1
        if low <= high:
            gaps.append((low, high))
        return gaps
