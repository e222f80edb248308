# SPDX-License-Identifier: Apache-2.0
"""How many requests in a row does this link lose on an ordinary day, so that more of them mean an outage?

Loss is described by how often a run of lost requests begins and how likely it goes on (the bad state of
Gilbert's model). Both are learnt from runs that ended; old ones fade, and those that became outages teach
nothing.
"""

from __future__ import annotations

import math

FALSE_PER_DAY = 0.0005
"""So many outages a day may be told that were ordinary loss."""

LEAST, MOST = 5, 120
MOST_CONNECTIONS = 8
"""They go to several hosts, a good tenth of a second apart: as many lost in a row are no loss by chance."""

_FADES_AT_LOST = 400
_FADES_AT_ASKS = 20_000


class Ordinary:
    """What a link has been seen to lose."""

    def __init__(self, asks_per_day: float) -> None:
        self._asks_per_day = asks_per_day
        self.forget()

    def forget(self, *, most: int = MOST) -> None:
        """Nothing is known of the link: it is asked by another way, and no more than `most` are needed."""
        self._most = most
        # Before anything is known: one run in 200 requests, which goes on with every other one.
        self._asks, self._runs = 200.0, 1.0
        self._lost, self._continued = 10.0, 5.0
        self._needed = self._reckon()

    @property
    def needed(self) -> int:
        """Lost requests in a row that are more than ordinary loss."""
        return self._needed

    def learn_answer(self) -> None:
        """A request was answered."""
        self._asks += 1
        if self._asks > _FADES_AT_ASKS:
            self._asks, self._runs = self._asks / 2, self._runs / 2

    def learn_run(self, length: int) -> None:
        """So many requests in a row were lost, and then one was answered."""
        self._asks += length
        self._runs += 1
        self._lost += length
        self._continued += length - 1
        if self._lost > _FADES_AT_LOST:
            self._lost, self._continued = self._lost / 2, self._continued / 2
        self._needed = self._reckon()

    def _reckon(self) -> int:
        """Runs a day · P(goes on)^(needed - 1) = what is allowed."""
        runs_per_day = self._asks_per_day * self._runs / self._asks
        goes_on = min(0.99, self._continued / self._lost)
        needed = 1 + math.log(FALSE_PER_DAY / runs_per_day) / math.log(goes_on)
        return max(LEAST, min(self._most, math.ceil(needed)))
