# SPDX-License-Identifier: Apache-2.0
"""Which of several equal hosts is asked next, and which one is dead by itself?

A host that has been silent four times while others answered is mute: it is asked once a minute and speaks for
nobody but itself. So a dead anchor is no outage, costs nothing and does not make the link look lossy.
"""

from __future__ import annotations

from collections.abc import Sequence

from agent.outage.asked import Asked

_MUTE_AFTER = 4
_MUTE_EVERY_S = 60.0


class Places:
    """Hosts in rotation."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self.hosts = tuple(hosts)
        self._turn = 0
        self._unsure = dict.fromkeys(hosts, 0)
        self._missed = dict.fromkeys(hosts, 0)
        self._asked_s: dict[str, float] = {}

    @property
    def speaking(self) -> frozenset[str]:
        """Hosts that are not mute."""
        return frozenset(h for h in self.hosts if self._missed[h] < _MUTE_AFTER) or frozenset(self.hosts)

    def next(self, *, any_will_do: bool = False) -> str:
        """Whom to ask now; mute ones only where any answer is welcome."""
        heard = frozenset(self.hosts) if any_will_do else self.speaking
        while True:
            host = self.hosts[self._turn % len(self.hosts)]
            self._turn += 1
            if host in heard:
                return host

    def mute_due(self, now_s: float) -> list[str]:
        """Mute hosts whose minute has come."""
        due = [
            h
            for h in self.hosts
            if h not in self.speaking and now_s - self._asked_s.get(h, -_MUTE_EVERY_S) >= _MUTE_EVERY_S
        ]
        self._asked_s |= dict.fromkeys(due, now_s)
        return due

    def settle(self, asked: Asked) -> None:
        """Take in what became of a request; a loss counts only when somebody else is heard after it."""
        if asked.place not in self._missed:
            return
        if not asked.has_helped:
            self._unsure[asked.place] += 1
            return
        # What all of them missed was the link's fault.
        was_shared = all(self._unsure.values())
        for host in self.hosts:
            self._missed[host] += min(1, self._unsure[host]) if not was_shared else 0
            self._unsure[host] = 0
        self._missed[asked.place] = 0
