# SPDX-License-Identifier: Apache-2.0
"""How steep is the line of arrival times over bytes, how sure is that, and is it a straight one?"""

from __future__ import annotations

import bisect
import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

MIN_PACKETS = 5
_BLOCKS, _FEWEST_BLOCKS = 10, 2
_T_95 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26)
"""Student's t, two-sided 95 %, for 1 to 9 degrees of freedom."""
_STAMP_US = 50.0
_LEAST = 1e-9
"""Microseconds a byte: what comes faster came all at once."""
_QUARTERS, _FIRST = 4, 3
_BY_CHANCE = 6.0
"""So many times the variance that scattered arrivals explain is still theirs."""


@dataclass(frozen=True, slots=True)
class Point:
    """So many bytes had come by then; gaps that the sender made are taken out of the time."""

    us: float
    bytes: float


def fit(points: Sequence[Point]) -> float | None:
    """Least squares of time over bytes, microseconds a byte; time has the noise."""
    if len(points) < MIN_PACKETS:
        return None
    bytes_, us = _off_mean(points)
    square = sum(b * b for b in bytes_)
    product = sum(b * t for b, t in zip(bytes_, us, strict=True))
    return product / square if square > 0 and product > _LEAST * square else None


def deviations(points: Sequence[Point], steep: float) -> list[float]:
    """Of each point from a line so steep, microseconds."""
    return [t - steep * b for b, t in zip(*_off_mean(points), strict=True)]


def half_width(points: Sequence[Point], steep: float, off_us: Sequence[float]) -> float:
    """Half the confidence interval of the slope; deviations within a block may hang together."""
    n = len(points)
    blocks = min(_BLOCKS, n // 3)
    span_bytes = points[-1].bytes - points[0].bytes
    if blocks < _FEWEST_BLOCKS or span_bytes <= 0:
        return steep
    bytes_, _ = _off_mean(points)
    sums = [0.0] * blocks
    for i, (b, off) in enumerate(zip(bytes_, off_us, strict=True)):
        sums[i * blocks // n] += b * off
    # Two figures were fitted: as many fewer are free.
    spread = math.sqrt(sum(s * s for s in sums) * blocks / max(1, blocks - 2)) / sum(b * b for b in bytes_)
    return math.hypot(_T_95[blocks - 2] * spread, _STAMP_US / span_bytes)


def trend(points: Sequence[Point]) -> float:
    """Rate of the second half over that of the first."""
    middle = points[-1].us / 2 + points[0].us / 2
    at = bisect.bisect_left(points, middle, key=lambda p: p.us)
    first, second = fit(points[:at]), fit(points[at:])
    return first / second if first and second else 1.0


def unsteadiness(points: Sequence[Point]) -> float:
    """Half the confidence interval, beside the slope, as far as the rate itself differs between quarters.

    A rate that changes makes a line of several slopes, and the mean of a few of them is known no better than
    they scatter; what deviates from one line then hangs together over half of it, which blocks do not see.
    0 where scattered arrivals explain as much.
    """
    # The first ones found the link idle.
    marks = [_FIRST + (len(points) - _FIRST) * n // _QUARTERS for n in range(_QUARTERS + 1)]
    parts = [points[a:b] for a, b in itertools.pairwise(marks)]
    slopes = [steep for part in parts if (steep := fit(part)) is not None]
    if len(slopes) < _QUARTERS:
        return 0.0
    by_chance = statistics.median_low(_variance(p, s) for p, s in zip(parts, slopes, strict=True))
    mean = statistics.fmean(slopes)
    excess = sum((s - mean) ** 2 for s in slopes) / (_QUARTERS - 1) - _BY_CHANCE * by_chance
    return _T_95[_QUARTERS - 2] * math.sqrt(max(0.0, excess) / _QUARTERS) / mean


def _variance(points: Sequence[Point], steep: float) -> float:
    """Of a slope, by how arrivals scatter about it; those that come in batches deviate together."""
    off_us = deviations(points, steep)
    alone = max(1, sum((a < 0) != (b < 0) for a, b in itertools.pairwise(off_us)))
    scattered = sum(off * off for off in off_us) / min(len(points) - 2, 2 * alone)
    return max(scattered, _STAMP_US**2 / 3) / sum(b * b for b in _off_mean(points)[0])


def _off_mean(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    """Bytes and times, each less its mean."""
    mean_b, mean_t = statistics.fmean(p.bytes for p in points), statistics.fmean(p.us for p in points)
    return [p.bytes - mean_b for p in points], [p.us - mean_t for p in points]
