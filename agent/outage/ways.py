# SPDX-License-Identifier: Apache-2.0
"""By which way are the anchors asked: by echo, or by connections where nobody answers echoes?

Operators and routers drop echo requests, or let one through in some seconds, on links that work. So in doubt
the anchors are asked by the other way too, and an outage is only what both ways were silent in. Where
connections are answered again and again while no echo is, they become the calm way; the echo is tried again
after a minute, later after longer, or when connections are lost and an echo is answered. Connections may be
rationed as well: where they decide, they must be silent for longer than the ration of one in two seconds.
"""

from __future__ import annotations

from agent.echo.way import Way
from agent.outage.voice import Asked

KNOCKS = 3
"""So many anchors at once are asked by connections in doubt: one that is lost proves little."""

RATION_S = 2.5
"""So long must connections be silent where echoes are known to fail on a link that works."""

_SURE = 2
_DOUBT_EVERY_S, _FIRST_EVERY_S = 0.5, 2.0
_OPEN_EVERY_S = ((60.0, 1.0),)
_OPEN_LONG_S = 5.0
_LOST_ECHOES, _CONNECTIONS = 5, 3
_SUSPECT_AFTER = 3
_SUSPECT_S, _NEW_S = 3600.0, 8.0
_TRIALS, _TRIALS_ANSWERED = 5, 4
_TRY_AFTER_S, _TRY_AFTER_MOST_S = 60.0, 3600.0
_NEVER_S = 1e12


class Ways:
    """Keeps which way is answered.

    Attributes:
        calm: the way anchors are asked by in peace.
    """

    def __init__(self, *, echo_is_permitted: bool = True) -> None:
        self.calm: Way = "echo" if echo_is_permitted else "connection"
        self._is_fixed = not echo_is_permitted
        self._knocked_s = -_NEVER_S
        self._voids = 0
        self._has_echoed = False
        self._lost_echoes = self._connections = self._lost_since = self._lost_connections = 0
        self._suspect_until_s: float | None = None
        self._try_after_s = _TRY_AFTER_S
        self._switched_s = -_NEVER_S
        self._trial_s = _NEVER_S
        self._sent = self._settled = self._answered = 0

    @property
    def other(self) -> Way | None:
        """The way they are asked by in doubt, too; None where there is none."""
        if self._is_fixed:
            return None
        return "connection" if self.calm == "echo" else "echo"

    @property
    def is_blind(self) -> bool:
        """Whether connections say nothing, because somebody near the school accepts all of them."""
        return self._voids >= KNOCKS

    @property
    def can_tell(self) -> bool:
        """Whether silence of the anchors says anything: echoes that nobody ever answered do not."""
        return self._has_echoed or not self.is_blind

    def silent_s(self, now_s: float) -> float:
        """How long connections must be silent in an outage."""
        is_young = self._suspect_until_s is not None and now_s < self._suspect_until_s
        is_trusted = self.calm == "echo" and self._has_echoed and not is_young
        return 0.0 if is_trusted else RATION_S

    def knock_due_s(
        self, now_s: float, *, overdue: int, open_since_s: float | None, is_hasty: bool = False
    ) -> float:
        """When anchors are asked by the other way; in haste at the first that is overdue."""
        if self._is_fixed:
            return _NEVER_S
        if open_since_s is None and is_hasty and overdue == 1:
            return self._knocked_s + _FIRST_EVERY_S
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
        if self._suspect_until_s is None:
            self._suspect_until_s = asked.at_s + _NEW_S
        if asked.way == "connection":
            self._hear_connection(asked)
        else:
            self._has_echoed |= asked.has_helped
        if self._is_fixed:
            return
        if self.calm == "connection":
            self._settle_trial(asked, now_s)
        elif asked.way == "connection":
            self._connections += bool(self._lost_echoes and asked.has_helped)
            self._leave_echo(now_s)
        elif asked.has_helped:
            self._lost_echoes = self._connections = self._lost_since = 0
        elif asked.counts:
            self._lose_echo(now_s)

    def _hear_connection(self, asked: Asked) -> None:
        self._lost_connections += asked.is_lost
        if asked.is_void or asked.has_helped:
            self._voids, self._lost_connections = (self._voids + 1 if asked.is_void else 0), 0

    def _lose_echo(self, now_s: float) -> None:
        self._lost_echoes += 1
        self._lost_since += bool(self._connections)
        if self._lost_since >= _SUSPECT_AFTER:
            self._suspect_until_s = now_s + _SUSPECT_S
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
        if asked.way != "echo":
            return
        if not self._sent:
            # Not on trial, but in doubt: where the connections are lost, it is tried at once.
            if asked.has_helped and self._lost_connections >= _SURE:
                self._trial_s = min(self._trial_s, now_s)
            return
        self._settled += 1
        self._answered += asked.has_helped
        if self._settled < _TRIALS:
            return
        if self._answered >= _TRIALS_ANSWERED:
            self.calm, self._switched_s = "echo", now_s
            self._trial_s = _NEVER_S
            self._lost_echoes = self._connections = self._lost_since = 0
        else:
            self._try_after_s = min(_TRY_AFTER_MOST_S, 2 * self._try_after_s)
            self._plan_trial(now_s)


def _every_s(overdue: int, open_since_s: float | None, now_s: float) -> float:
    """Time between two requests by the other way."""
    if open_since_s is not None:
        lasted_s = now_s - open_since_s
        return next((every_s for until_s, every_s in _OPEN_EVERY_S if lasted_s < until_s), _OPEN_LONG_S)
    return _DOUBT_EVERY_S if overdue >= _SURE else _NEVER_S
