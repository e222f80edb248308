# SPDX-License-Identifier: Apache-2.0
"""By which way are the anchors asked: by echo, or by connections where echoes are not answered?

Operators and routers drop echo requests, or let one through in some seconds, on links that work. So while
answers are overdue the anchors are asked by the other way, too. One that is answered proves that the link
lives, one that is not proves nothing. Where echo after echo is lost while connections between them are
answered, connections become the calm way; the echo is tried again after a minute, later after longer.
"""

from __future__ import annotations

from agent.echo.way import Way
from agent.outage.asked import Asked

BESIDE = 3
"""So many anchors at once are asked by connections beside echoes: one that is lost proves little."""

_DOUBT_EVERY_S = 0.5
_FIRST_DOUBTED: dict[Way, int] = {"connection": 3, "echo": 1}
"""So many requests must be overdue before the other way is asked: a connection is dear, an echo is not."""
_OPEN_FOR_S, _OPEN_EVERY_S, _OPEN_LONG_S = 60.0, 0.35, 1.0
_LOST_ECHOES, _CONTRADICTED = 5, 3
_SURE = 2
_TRIALS, _TRIALS_ANSWERED = 5, 4
_TRY_AFTER_S, _TRY_AFTER_MOST_S = 60.0, 3600.0
_NEVER_S = 1e12


class Ways:
    """Keeps which way is answered.

    Attributes:
        calm: the way anchors are asked by in peace; only requests by it make an outage.
    """

    def __init__(self, *, echo_is_permitted: bool = True) -> None:
        self.calm: Way = "echo" if echo_is_permitted else "connection"
        self._is_fixed = not echo_is_permitted
        self._beside_s = -_NEVER_S
        self._voids = 0
        self._has_echoed = False
        self._lost_echoes = self._contradicted = self._lost_connections = 0
        self._is_heard_by_connection = False
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
    def can_tell(self) -> bool:
        """Whether silence says anything.

        Echoes that nobody ever answered do not where somebody near the school accepts each connection.
        """
        return self._has_echoed or not self.is_blind

    @property
    def is_blind(self) -> bool:
        """Whether connections say nothing, because somebody near the school accepts all of them."""
        return self._voids >= BESIDE

    def beside_due_s(self, now_s: float, *, overdue: int, open_since_s: float | None) -> float:
        """When anchors are asked by the other way."""
        if self.other is None:
            return _NEVER_S
        if open_since_s is not None:
            is_young = now_s - open_since_s < _OPEN_FOR_S
            return self._beside_s + (_OPEN_EVERY_S if is_young else _OPEN_LONG_S)
        return self._beside_s + _DOUBT_EVERY_S if overdue >= _FIRST_DOUBTED[self.other] else _NEVER_S

    def asked_beside(self, now_s: float) -> None:
        """They are asked so now."""
        self._beside_s = now_s

    def trial_due_s(self) -> float:
        """When the next echo is sent to see whether echoes are answered again."""
        return self._trial_s

    def tried(self, now_s: float, every_s: float) -> None:
        """Such an echo is sent now."""
        self._sent += 1
        self._trial_s = now_s + every_s if self._sent < _TRIALS else _NEVER_S

    def settle(self, asked: Asked, now_s: float) -> None:
        """Take in what became of a request to an anchor, in sending order."""
        if asked.way == "connection":
            self._hear_connection(asked)
        else:
            self._has_echoed |= asked.has_helped
        if self._is_fixed:
            return
        if self.calm == "connection":
            self._settle_trial(asked, now_s)
        elif asked.way == "echo":
            self._settle_echo(asked, now_s)

    def _hear_connection(self, asked: Asked) -> None:
        if asked.is_void:
            self._voids += 1
        elif asked.has_helped:
            self._voids = self._lost_connections = 0
            self._is_heard_by_connection = True
        else:
            self._lost_connections += 1

    def _settle_echo(self, asked: Asked, now_s: float) -> None:
        """An echo lost after a connection was answered contradicts it; the last ones of an outage do not."""
        if asked.has_helped:
            self._lost_echoes = self._contradicted = 0
        elif asked.counts:
            self._contradicted += bool(self._lost_echoes and self._is_heard_by_connection)
            self._lost_echoes += 1
        self._is_heard_by_connection = False
        if self._lost_echoes >= _LOST_ECHOES and self._contradicted >= _CONTRADICTED:
            self._leave_echo(now_s)

    def _leave_echo(self, now_s: float) -> None:
        is_again = now_s - self._switched_s < _TRY_AFTER_MOST_S
        self._try_after_s = min(_TRY_AFTER_MOST_S, 2 * self._try_after_s) if is_again else _TRY_AFTER_S
        self.calm = "connection"
        self._lost_connections = 0
        self._plan_trial(now_s + self._try_after_s)

    def _plan_trial(self, at_s: float) -> None:
        self._sent = self._settled = self._answered = 0
        self._trial_s = at_s

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
        if self._settled >= _TRIALS:
            self._end_trial(now_s)

    def _end_trial(self, now_s: float) -> None:
        if self._answered >= _TRIALS_ANSWERED:
            self.calm, self._switched_s, self._trial_s = "echo", now_s, _NEVER_S
            self._lost_echoes = self._contradicted = 0
        else:
            self._try_after_s = min(_TRY_AFTER_MOST_S, 2 * self._try_after_s)
            self._plan_trial(now_s + self._try_after_s)
