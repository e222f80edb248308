# SPDX-License-Identifier: Apache-2.0
"""Where on a value axis do the marks go, and where does a line break?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

NICE = (1, 2, 2.5, 5, 10)

Point = tuple[float, float]
"""Place on the time axis from 0 to 1, and a value."""


def ticks(top: float, *, about: int = 3) -> tuple[float, ...]:
    """Round values from 0 to at least `top`."""
    if not math.isfinite(top) or top <= 0:
        return (0.0, 1.0)
    raw = top / about
    size = 10 ** math.floor(math.log10(raw))
    step = next(n * size for n in NICE if n * size >= raw * (1 - 1e-9))
    return tuple(i * step for i in range(math.ceil(top / step - 1e-9) + 1))


def unbroken(points: Iterable[Point], *, step: float) -> list[list[Point]]:
    """The points in pieces, a new one wherever a neighbour is missing: a gap is never joined over."""
    pieces: list[list[Point]] = []
    for point in points:
        if pieces and point[0] - pieces[-1][-1][0] <= step * 1.5:
            pieces[-1].append(point)
        else:
            pieces.append([point])
    return pieces


def scaled(points: Sequence[Point], top: float) -> list[Point]:
    """Values turned into heights below the upper edge, 0 to 1."""
    return [(x, 1 - min(1.0, value / top)) for x, value in points]
