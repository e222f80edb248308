# SPDX-License-Identifier: Apache-2.0
"""Was an answer that took long held back on the way, or is the way slow now?

A router that looks for a dead neighbour holds requests back, and lets them go together when it is found: they
were sent far apart and are answered at once. On a way that has become slow answers come as far apart as the
requests were sent. So a long one is kept for a moment, to see what comes with it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from agent.outage.asked import Asked

_TOGETHER_S, _FAR_APART_S = 0.1, 0.2


@dataclass(slots=True)
class _Come:
    """An answer and when it came."""

    asked: Asked
    at_s: float
    is_told: bool = False

    def came_with(self, other: _Come) -> bool:
        """Whether both were let go together."""
        is_together = abs(self.at_s - other.at_s) < _TOGETHER_S
        return is_together and abs(self.asked.at_s - other.asked.at_s) > _FAR_APART_S


class LongAnswers:
    """Those of the last moment."""

    def __init__(self) -> None:
        self._come: list[_Come] = []

    def take(self, asked: Asked, at_s: float, *, is_doubted: bool = True) -> None:
        """One came that took long; it `is_doubted`, or only tells what others are worth."""
        self._come.append(_Come(asked, at_s, is_told=not is_doubted))

    def due_s(self) -> float | None:
        """When the next one is judged."""
        return min((come.at_s + _TOGETHER_S for come in self._come if not come.is_told), default=None)

    def is_judging(self, asked: Asked) -> bool:
        """Whether it came, and what it is worth is not told yet."""
        return any(come.asked is asked and not come.is_told for come in self._come)

    def judged(self, now_s: float) -> Iterator[tuple[Asked, float, bool]]:
        """Each whose moment has passed, when it came, and whether it was held back."""
        for come in self._come:
            if not come.is_told and now_s - come.at_s >= _TOGETHER_S:
                come.is_told = True
                yield come.asked, come.at_s, any(come.came_with(other) for other in self._come)
        self._come = [c for c in self._come if not c.is_told or now_s - c.at_s < 2 * _TOGETHER_S]
