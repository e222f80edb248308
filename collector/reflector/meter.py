# SPDX-License-Identifier: Apache-2.0
"""How much was there within the last hour or day, by name?"""

from __future__ import annotations

from collections import OrderedDict, deque

_MAX_KNOWN = 100_000
"""So many names are remembered; those not seen longest are forgotten first."""


class Meter:
    """How much was there within the last so many seconds, by name? Forgets on its own."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._entries: OrderedDict[str, deque[tuple[float, int]]] = OrderedDict()

    def add(self, name: str, amount: int, now_s: float) -> None:
        """Count."""
        self._entries.setdefault(name, deque()).append((now_s, amount))
        self._entries.move_to_end(name)
        while len(self._entries) > _MAX_KNOWN:
            self._entries.popitem(last=False)

    def sum(self, name: str, now_s: float) -> int:
        """What counts still."""
        entries = self._entries.get(name)
        if entries is None:
            return 0
        while entries and entries[0][0] <= now_s - self._within_s:
            entries.popleft()
        if not entries:
            del self._entries[name]
        return sum(amount for _, amount in entries)

    def frees_after_s(self, name: str, now_s: float) -> int:
        """Seconds until the oldest of it no longer counts."""
        entries = self._entries.get(name)
        return max(1, round(entries[0][0] + self._within_s - now_s)) if entries else 1
