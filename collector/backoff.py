# SPDX-License-Identifier: Apache-2.0
"""How long until the next try, so that a thousand clients do not all try at once?"""

from __future__ import annotations

import random

LONGEST_ASKED_S = 3600.0
"""A slip in a header must not stop a sink for years."""


class Backoff:
    """Waits that double up to a limit, each shortened by chance by up to a half."""

    def __init__(self, *, first_s: float, most_s: float) -> None:
        self._first_s = first_s
        self._most_s = most_s
        self._next_s = first_s

    def reset(self) -> None:
        """It worked: begin anew with the shortest wait."""
        self._next_s = self._first_s

    def next_s(self, *, at_least_s: float | None = None) -> float:
        """The next wait; never shorter than the other side asked for, up to an hour."""
        wait_s = self._next_s * random.uniform(0.5, 1.0)  # noqa: S311  # chance, not secrecy
        self._next_s = min(self._next_s * 2, self._most_s)
        return max(wait_s, min(at_least_s or 0.0, LONGEST_ASKED_S))
