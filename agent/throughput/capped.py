# SPDX-License-Identifier: Apache-2.0
"""How does a test that is bounded by its `max_bytes` keep to what the data plan leaves it?"""

from __future__ import annotations

import dataclasses
from typing import Any, Self, cast

from agent.throughput.nearest import ECHO_BYTES

_LEAST_BYTES = 100_000
"""The smallest `max_bytes` that may be configured."""
_BESIDE_RATIO, _BESIDE_BYTES = 0.1, 20_000
"""Headers, acknowledgements and what is said before and after, beside the bytes that are bounded."""


class Capped:
    """Methods of `CostsData` for a probe whose option `max_bytes` bounds each of its `parts`."""

    max_bytes: int
    more_servers: tuple[str, ...] = ()

    @property
    def parts(self) -> int:
        """Directions that may move `max_bytes` each."""
        return 1

    @property
    def echo_bytes(self) -> int:
        """What finding the nearest of several servers costs; with one there is nothing to find."""
        return ECHO_BYTES * (1 + len(self.more_servers)) if self.more_servers else 0

    def estimate_bytes(self) -> int:
        """Most one round moves, both ways, at the IP layer."""
        return self._with_what_is_beside(self.max_bytes)

    def least_bytes(self) -> int:
        """With less no figure can be had."""
        return self._with_what_is_beside(_LEAST_BYTES)

    def within(self, max_bytes: int) -> Self | None:
        """The same, told to move no more."""
        if max_bytes < self.least_bytes():
            return None
        each_bytes = int(((max_bytes - self.echo_bytes) / self.parts - _BESIDE_BYTES) / (1 + _BESIDE_RATIO))
        told = dataclasses.replace(
            cast("Any", self), max_bytes=min(self.max_bytes, max(_LEAST_BYTES, each_bytes))
        )
        return cast("Self", told)

    def _with_what_is_beside(self, each_bytes: int) -> int:
        return self.parts * (int(each_bytes * (1 + _BESIDE_RATIO)) + _BESIDE_BYTES) + self.echo_bytes


class CappedEachWay(Capped):
    """Where each direction may move `max_bytes`."""

    directions: tuple[Any, ...]

    @property
    def parts(self) -> int:
        """One for each direction asked for."""
        return len(self.directions)
