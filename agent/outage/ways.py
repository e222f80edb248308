# SPDX-License-Identifier: Apache-2.0
"""By which way are the anchors asked: by echo, or by connections where nobody answers echoes?

Operators and routers drop echo requests, or let one through in some seconds, on links that work. So in doubt
connections are made beside the echoes, and an outage is only what both ways were silent in. Where connections
are answered again and again while no echo is, they become the calm way; the echo is tried again after a
minute, later after longer.
"""

from __future__ import annotations

from agent.echo.way import Way
from agent.outage.voice import Asked

KNOCKS = 2
"""So many anchors at once are asked by connections in doubt: one that is lost proves little."""

_SURE = 2
_DOUBT_EVERY_S = 0.5
_OPEN_EVERY_S = ((60.0, 1.0),)
_OPEN_LONG_S = 5.0
_LOST_ECHOES, _CONNECTIONS = 5, 3
_TRIALS, _TRIALS_ANSWERED = 5, 4
_TRY_AFTER_S, _TRY_AFTER_MOST_S = 60.0, 3600.0
_NEVER_S = 1e12


class Ways:
    """Keeps which way is answered."""

    def __init__(self, *, echo_is_permitted: bool = True) -> None:
        self.calm: Way = "echo" if echo_is_permitted else "connection"
        self._is_fixed = not echo_is_permitted
        self._knocked_s = -_NEVER_S
        self._lost_echoes = self._connections = 0
        self._try_after_s = _TRY_AFTER_S
        self._switched_s = -_NEVER_S
        self._trial_s = _NEVER_S
        self._sent = self._settled = self._answered = 0

    def knock_due_s(self, now_s: float, *, overdue: int, open_since_s: float | None) -> float:
        """When an anchor is asked by a connection beside the echoes."""
        if self.calm == "connection":
            return _NEVER_S
        return self._knocked_s + _every_s(overdue, open_since_s, now_s)

    def knocked(self, now_s: float) -> None:
        """It is asked so now."""
        self._knocked_s = now_s

    def trial_due_s(self) -> float:
        """When the next echo is sent to see whether echoes are answered again."""
        return self._trial_s

    def tried(self, now_s: float, every_s: float) -> None:
        """Such an echo is sent now."""
        self._sent += 1
        self._trial_s = now_s + every_s if self._sent < _TRIALS else _NEVER_S

    def settle(self, asked: Asked, now_s: float) -> None:
        """Take in what became of a request to an anchor, in sending order."""
        if self._is_fixed:
            return
        if self.calm == "connection":
            if asked.way == "echo":
                self._settle_trial(asked, now_s)
        elif asked.way == "connection":
            self._connections += bool(self._lost_echoes and asked.has_helped)
            self._leave_echo(now_s)
        elif asked.has_helped:
            self._lost_echoes = self._connections = 0
        elif asked.counts:
            self._lost_echoes += 1
            self._leave_echo(now_s)

    def _leave_echo(self, now_s: float) -> None:
        if self._lost_echoes < _LOST_ECHOES or self._connections < _CONNECTIONS:
            return
        is_again = now_s - self._switched_s < _TRY_AFTER_MOST_S
        self._try_after_s = min(_TRY_AFTER_MOST_S, 2 * self._try_after_s) if is_again else _TRY_AFTER_S
        self.calm = "connection"
        self._plan_trial(now_s)

    def _plan_trial(self, now_s: float) -> None:
        self._sent = self._settled = self._answered = 0
        self._trial_s = now_s + self._try_after_s

    def _settle_trial(self, asked: Asked, now_s: float) -> None:
        if asked.counts:
            return
        self._settled += 1
        self._answered += asked.has_helped
        if self._settled < _TRIALS:
            return
        if self._answered >= _TRIALS_ANSWERED:
            self.calm, self._switched_s = "echo", now_s
            self._lost_echoes = self._connections = 0
        else:
            self._try_after_s = min(_TRY_AFTER_MOST_S, 2 * self._try_after_s)
            self._plan_trial(now_s)


def _every_s(overdue: int, open_since_s: float | None, now_s: float) -> float:
    """Time between two connections while echo is the calm way."""
    if open_since_s is not None:
        lasted_s = now_s - open_since_s
        return next((every_s for until_s, every_s in _OPEN_EVERY_S if lasted_s < until_s), _OPEN_LONG_S)
    return _DOUBT_EVERY_S if overdue >= _SURE else _NEVER_S
