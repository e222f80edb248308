# SPDX-License-Identifier: Apache-2.0
"""Which of the values is the percentile? Nearest rank: always one that was measured, never a mean of two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from math import ceil
from typing import TypeVar

T = TypeVar("T")

MEDIAN, P10, P80, P95, P99 = (Fraction(n, 100) for n in (50, 10, 80, 95, 99))


def nearest_rank(ordered: Sequence[T], quantile: Fraction) -> T | None:
    """The smallest value that at least this share of the values does not exceed; None of nothing.

    Args:
        ordered: the values, ascending.
        quantile: above 0, up to 1.
    """
    return ordered[max(1, ceil(quantile * len(ordered))) - 1] if ordered else None


def nearest_rank_of(counts: Mapping[Fraction, int], quantile: Fraction) -> Fraction | None:
    """The same of values that are counted: value to how many there are of it."""
    rank = max(1, ceil(quantile * sum(counts.values())))
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= rank:
            return value
    return None
