# SPDX-License-Identifier: Apache-2.0
"""How soon is each part of the way asked again: in peace, in doubt, while the link is dead?

A doubt is an overdue answer of an anchor. Then more is asked, so that an outage is soon made of more lost
requests than the link loses on an ordinary day, and so that its end is dated well. The hasty way asks at once
at full density; the other sends a single request first, which on a lossy link mostly settles it.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from agent.echo.way import Way
from agent.outage.ordinary import Ordinary
from agent.outage.plan import COSTS, Plan
from agent.outage.voice import Voice
from agent.outage.ways import BESIDE, Ways

Part = Literal["anchors", "dns", "gateway", "modem", "hop"]

_DENSE_WITHIN_S = 0.35
_DENSEST_S, _DENSE_S = 0.02, 0.1
_CONNECTIONS_WITHIN_S = 1.2
_FREE_EVERY_S = 1.0
_MODEM_EVERY_S = 5.0
_HOP_EVERY_S = 300.0
_DEAD_EVERY_S = ((60.0, 0.25), (600.0, 0.5))
_DEAD_LONG_S = 1.0
_BEYOND: tuple[Part, ...] = ("anchors", "hop", "dns")
_LOCAL_EVERY_S = 0.25
_REMOTE_EVERY_S = 0.5
_CURIOUS_S = 20.0
_CALM_EVERY_S = 5.0
_SURE = 2
_AFTER_ENOUGH = 3
_NEVER_S = 1e12
_SPARE_MOST = 600.0
"""So many requests may be sent in doubt at once: more than any link needs to be sure."""
_KEPT_FOR_OTHER_WAY = BESIDE * COSTS["connection"]
"""Of these, so many are for connections: an outage of echoes alone is none."""
_SELDOM = 2
_SPENDINGS = 1024


class Pace:
    """Keeps since when there is doubt."""

    def __init__(self, plan: Plan, ordinary: Ordinary, ways: Ways) -> None:
        self._plan = plan
        self._ordinary = ordinary
        self._ways = ways
        self._overdue = 0
        self._dns_overdue = 0
        self._names_fail = False
        self._doubted_s: float | None = None
        self._open_s: float | None = None
        self._names_open_s: float | None = None
        self._began_s: dict[Part, float] = {}
        self._spare, self._spare_at_s = _SPARE_MOST, -_NEVER_S
        self._spent: deque[tuple[float, float]] = deque(maxlen=_SPENDINGS)

    @property
    def is_doubted(self) -> bool:
        """Whether an answer of an anchor is overdue."""
        return self._overdue > 0

    def begin(self, part: Part, now_s: float) -> None:
        """A part of the way is new: ask it soon."""
        self._began_s[part] = now_s

    def note(self, anchors: Voice, dns: Voice, now_s: float) -> None:
        """Is there doubt?"""
        grown = max(0.0, now_s - self._spare_at_s) * self._plan.spare_per_s
        self._spare, self._spare_at_s = min(_SPARE_MOST, self._spare + grown), now_s
        self._overdue = anchors.overdue(now_s)
        self._dns_overdue, self._names_fail = dns.overdue(now_s), dns.is_failing
        if not self._overdue:
            self._doubted_s = None
        elif self._doubted_s is None:
            self._doubted_s = now_s

    def is_open_since(self, link_s: float | None, names_s: float | None) -> None:
        """An outage of the link or of names lasts since then."""
        self._open_s, self._names_open_s = link_s, names_s

    @property
    def echo_every_s(self) -> float:
        """Time between two echoes in peace."""
        return self._plan.anchor_every_s

    @property
    def calm_s(self) -> float:
        """Time between two requests to anchors in peace."""
        by_echo = self._ways.calm == "echo"
        return self._plan.anchor_every_s if by_echo else self._plan.by_connection_every_s

    def beside_due_s(self, now_s: float) -> float:
        """When anchors are asked by the other way, too."""
        due_s = self._ways.beside_due_s(now_s, overdue=self._overdue, open_since_s=self._open_s)
        if self._open_s is not None:
            return due_s
        short = max(0.0, _KEPT_FOR_OTHER_WAY - self._spare)
        return max(due_s, now_s + short / self._plan.spare_per_s)

    @property
    def beside_at_once(self) -> int:
        """How many connections go out together: a round in doubt, one by one while the link is dead."""
        return BESIDE if self._open_s is None else 1

    def give_back(self, since_s: float) -> None:
        """A doubt was right: what was sent since then has cost nothing."""
        while self._spent and self._spent[-1][0] >= since_s:
            self._spare += self._spent.pop()[1]

    def spend(self, part: Part, way: Way, now_s: float) -> None:
        """A request leaves; one beyond the link that only a doubt asked for is not free."""
        if self.is_doubted and self._open_s is None and part in _BEYOND:
            cost = min(COSTS[way], self._spare)
            self._spare -= cost
            self._spent.append((now_s, cost))

    def due_s(self, part: Part, voice: Voice, now_s: float) -> float:
        """When to ask this part next."""
        if voice.asked_s is None:
            return self._began_s.get(part, now_s)
        return voice.asked_s + self._every_s(part, voice, now_s)

    def _every_s(self, part: Part, voice: Voice, now_s: float) -> float:
        if part == "anchors":
            return self._anchors_every_s(voice, now_s)
        if part == "dns":
            return self._dns_every_s(now_s)
        if part == "hop":
            return self._further_every_s(now_s, calm_s=_HOP_EVERY_S)
        calm_s = _FREE_EVERY_S if part == "gateway" else _MODEM_EVERY_S
        return _LOCAL_EVERY_S if self._is_curious(now_s) else min(calm_s, self._dead_s(now_s) or calm_s)

    def _anchors_every_s(self, voice: Voice, now_s: float) -> float:
        dead_s = self._dead_s(now_s)
        if dead_s is not None:
            return dead_s
        if not self._overdue or self._spare < COSTS[self._ways.calm] + _KEPT_FOR_OTHER_WAY:
            return self.calm_s
        needed = self._ordinary.needed
        if len(voice.trail) >= needed + _AFTER_ENOUGH and self._overdue >= needed:
            return _LOCAL_EVERY_S if self._ways.calm == "echo" else _REMOTE_EVERY_S
        if self._plan.is_hasty or self._overdue >= _SURE:
            return self._dense_s(needed)
        return 0.0 if len(voice.trail) == 1 else self.calm_s

    def _dense_s(self, needed: int) -> float:
        """Time between two requests while there may be an outage."""
        if self._ways.calm == "connection":
            return max(_DENSE_S, min(_LOCAL_EVERY_S, _CONNECTIONS_WITHIN_S / needed))
        return max(_DENSEST_S, min(_DENSE_S, _DENSE_WITHIN_S / needed))

    def _dns_every_s(self, now_s: float) -> float:
        if self._names_open_s is None and self._dns_overdue and not self._overdue:
            return _REMOTE_EVERY_S if self._names_fail else _DENSE_S
        if self._names_open_s is not None:
            since_s = now_s - (self._names_open_s or now_s)
            return _LOCAL_EVERY_S if since_s < _DEAD_EVERY_S[0][0] else _DEAD_LONG_S
        seldom = 1 if self._ways.calm == "echo" else _SELDOM
        return self._further_every_s(now_s, calm_s=seldom * self._plan.dns_every_s)

    def _further_every_s(self, now_s: float, *, calm_s: float) -> float:
        """What lies beyond the link is asked only when the doubt has grown."""
        is_wondered = self._overdue >= (1 if self._plan.is_hasty else _SURE) and self._is_curious(now_s)
        if is_wondered and (self._spare >= 1 or self._open_s is not None):
            return _REMOTE_EVERY_S
        return min(calm_s, _CALM_EVERY_S) if self._open_s is not None else calm_s

    def _is_curious(self, now_s: float) -> bool:
        """Whether the cause is still being looked for."""
        return self._doubted_s is not None and now_s - self._doubted_s < _CURIOUS_S

    def _dead_s(self, now_s: float) -> float | None:
        """Time between two requests while the link is dead: the longer it is, the less often."""
        if self._open_s is None or not self._overdue:
            return None
        lasted_s = now_s - self._open_s
        return next((every_s for until_s, every_s in _DEAD_EVERY_S if lasted_s < until_s), _DEAD_LONG_S)
