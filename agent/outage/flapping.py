# SPDX-License-Identifier: Apache-2.0
"""How is a link told that dies and comes back every few seconds for hours? As one outage until it is quiet.

Each outage costs the card two writes and the link two messages. So the tenth within ten minutes, and those
after it, are told as one: it opens at once, closes when for a minute nothing more has happened, and says how
many it holds and how long nothing passed in all.
"""

from __future__ import annotations

import dataclasses
from collections import deque

from agent.outage.outage import Outage

MANY = 10
WITHIN_S = 600.0
QUIET_S = 60.0


class Flapping:
    """Stands between the watch and the records."""

    def __init__(self, many: int = MANY) -> None:
        self._many = many
        self._opened: deque[tuple[int, float]] = deque(maxlen=many)
        self._first: Outage | None = None
        self._last: Outage | None = None
        self._count = 0
        self._dead_s = 0.0

    def told(self, outage: Outage) -> list[Outage]:
        """What is to be told of this change."""
        is_new = not self._opened or self._opened[-1][0] != outage.number
        if is_new:
            self._opened.append((outage.number, outage.opened.at_s))
        if self._first is None:
            is_flapping = is_new and len(self._opened) == self._many and self._span_s() < WITHIN_S
            if not is_flapping:
                return [outage]
            self._first, self._count, self._dead_s = outage, 0, 0.0
        self._count += is_new
        self._dead_s += outage.lasted_s or 0.0
        self._last = outage
        return [dataclasses.replace(outage, closed=None)] if outage is self._first else []

    def quiet(self, now_s: float) -> list[Outage]:
        """What is to be told because nothing has happened for a while; to be called every few seconds."""
        first, last = self._first, self._last
        if first is None or last is None or last.closed is None or now_s - last.closed.at_s < QUIET_S:
            return []
        self._first = self._last = None
        evidence = f"{self._count} outages, {self._dead_s:.1f} s of silence; {first.evidence}"
        return [dataclasses.replace(first, closed=last.closed, evidence=evidence, lost=last.lost)]

    def _span_s(self) -> float:
        return self._opened[-1][1] - self._opened[0][1]
