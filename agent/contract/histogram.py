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

RELATIVE_ERROR = 0.01
GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
SMALLEST_MS = 1e-4
_LOG_GAMMA = math.log(GAMMA)

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


def _ordered(counts: Counter[int]) -> Histogram:
    return tuple(sorted(counts.items()))
