# SPDX-License-Identifier: Apache-2.0
"""How are round-trip times counted so that a fleet's percentiles can be had from its schools' counts?

Logarithmic buckets with a relative error of at most 1 %: bucket i holds the times in (γ^(i-1), γ^i]
milliseconds with γ = 1.01/0.99. Histograms of any number of slots and schools merge by adding counts. The
mapping is that of DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch", PVLDB
12(12), 2019, §2.1).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

RELATIVE_ERROR = 0.01
GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
SMALLEST_MS = 1e-4
_LOG_GAMMA = math.log(GAMMA)
_MOST_BUCKET = 1000
"""Bucket 914 has a whole day."""
_MOST_COUNT = 2**53

Histogram = tuple[tuple[int, int], ...]
"""Pairs (bucket, count), buckets ascending, counts at least 1."""


def count(values_ms: Iterable[float]) -> Histogram:
    """Histogram of times in milliseconds."""
    return _ordered(Counter(map(bucket, values_ms)))


def bucket(value_ms: float) -> int:
    """The bucket of one time; times below 0.1 µs fall into that of 0.1 µs."""
    return math.ceil(math.log(max(value_ms, SMALLEST_MS)) / _LOG_GAMMA - 1e-9)


def merge(histograms: Iterable[Histogram]) -> Histogram:
    """Sum of the counts."""
    total: Counter[int] = Counter()
    for histogram in histograms:
        total.update(dict(histogram))
    return _ordered(total)


def quantile_ms(histogram: Histogram, q: float) -> float | None:
    """Nearest-rank quantile in milliseconds, within 1 % of the true one; None for an empty histogram."""
    total = sum(n for _, n in histogram)
    rank = max(1, math.ceil(q * total))
    seen = 0
    for index, n in histogram:
        seen += n
        if seen >= rank:
            return 2 * math.exp(_LOG_GAMMA * index) / (GAMMA + 1)
    return None


def problem_of(histogram: Histogram) -> str | None:
    """Why nobody can have counted this; None where it makes sense."""
    buckets = [index for index, _ in histogram]
    if any(not -_MOST_BUCKET <= index <= _MOST_BUCKET for index in buckets):
        return f"a bucket beyond ±{_MOST_BUCKET}"
    if any(a >= b for a, b in pairwise(buckets)):
        return "buckets do not ascend"
    return None if all(0 < n <= _MOST_COUNT for _, n in histogram) else f"a count outside 1 … {_MOST_COUNT}"


def _ordered(counts: Counter[int]) -> Histogram:
    return tuple(sorted(counts.items()))
