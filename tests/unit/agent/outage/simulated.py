# SPDX-License-Identifier: Apache-2.0
"""How does the watch do on a link that is computed: delays, losses and outages, a whole day in seconds?"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.outage.evidence import Sight
from agent.outage.pace import Part
from agent.outage.plan import ECHO_BYTES, Plan
from agent.outage.watch import Ask, Outage, Watch

ANCHORS = ("1.1.1.1", "8.8.8.8", "9.9.9.9")
HOSTS: Mapping[Part, Sequence[str]] = {
    "gateway": ("192.168.77.1",),
    "modem": ("192.168.100.1",),
    "hop": ("100.64.0.1",),
    "dns": ("100.64.53.53",),
}
_BEHIND: Mapping[str, tuple[Part, ...]] = {
    "gateway": ("gateway", "modem", "hop", "anchors", "dns"),
    "modem": ("modem", "hop", "anchors", "dns"),
    "line": ("hop", "anchors", "dns"),
    "operator": ("anchors", "dns"),
    "upstream": ("anchors",),
    "dns": ("dns",),
}
_LOOK_EVERY_S = 0.5
_LAN_MS = 0.001
_ON_LAN = ("gateway", "modem")


@dataclass(frozen=True, slots=True)
class Cut:
    """A place is dead for a while."""

    place: str
    from_s: float
    until_s: float


@dataclass
class Chain:
    """Bursty loss after Gilbert and Elliott, per packet or, with `per_s`, in time."""

    to_bad: float
    to_good: float
    rng: random.Random
    is_bad: bool = False
    per_s: bool = False
    fades: list[tuple[float, float]] = field(default_factory=list)
    _until_s: float = 0.0

    def loses(self, at_s: float) -> bool:
        if self.per_s:
            while self._until_s <= at_s:
                self.is_bad = not self.is_bad
                began_s = self._until_s
                self._until_s += self.rng.expovariate(self.to_good if self.is_bad else self.to_bad)
                self.fades += [(began_s, self._until_s)] if self.is_bad else []
            return self.is_bad
        self.is_bad = self.rng.random() < (1 - self.to_good if self.is_bad else self.to_bad)
        return self.is_bad


@dataclass
class Road:
    """The way of one request and its answer.

    Attributes:
        failing: from when until when resolvers answer that they cannot.
        limits_s: a part of the way answers no more than once in so many seconds.
    """

    rtt_s: float = 0.05
    jitter_s: float = 0.0
    loss: float = 0.0
    cuts: Sequence[Cut] = ()
    chain: Chain | None = None
    dead: frozenset[str] = frozenset()
    rng: random.Random = field(default_factory=lambda: random.Random(1))
    slow: Callable[[float], float] = lambda _: 0.0
    failing: Sequence[tuple[float, float]] = ()
    limits_s: Mapping[Part, float] = field(default_factory=dict)
    _answered_s: dict[Part, float] = field(default_factory=dict)

    def fails(self, ask: Ask, at_s: float) -> bool:
        """Whether the answer is a failure."""
        return ask.part == "dns" and any(a <= at_s < b for a, b in self.failing)

    def _is_limited(self, part: Part, at_s: float) -> bool:
        if at_s < self._answered_s.get(part, -1e9) + self.limits_s.get(part, 0.0):
            return True
        self._answered_s[part] = at_s
        return False

    def answered_after_s(self, ask: Ask, at_s: float) -> float | None:
        is_lan = ask.part in _ON_LAN
        back_s = _LAN_MS if is_lan else self.rtt_s + self.rng.random() * self.jitter_s + self.slow(at_s)
        if ask.host in self.dead or any(self._kills(c, ask.part, at_s, back_s) for c in self.cuts):
            return None
        if self._is_limited(ask.part, at_s):
            return None
        if is_lan:
            return back_s
        lost = [self.rng.random() < self.loss, self.rng.random() < self.loss]
        if self.chain:
            lost.append(self.chain.loses(at_s))
        return None if any(lost) else back_s

    @staticmethod
    def _kills(cut: Cut, part: Part, at_s: float, back_s: float) -> bool:
        """Near places are passed twice, far ones in the middle of the way."""
        if part not in _BEHIND.get(cut.place, ()) and cut.place != "lan":
            return False
        passes = (
            [at_s + back_s / 2] if cut.place in {"operator", "upstream", "dns"} else [at_s, at_s + back_s]
        )
        return any(cut.from_s <= p < cut.until_s for p in passes)


@dataclass
class Day:
    """What the watch told, and what it cost."""

    changes: list[Outage]
    packets: Counter[str]
    answers: Counter[str]

    @property
    def closed(self) -> list[Outage]:
        return [c for c in self.changes if c.closed is not None]

    def link_bytes(self, dns_bytes: tuple[int, int] = (57, 73)) -> int:
        echoes = sum(self.packets[p] + self.answers[p] for p in ("anchors", "hop"))
        return ECHO_BYTES * echoes + dns_bytes[0] * self.packets["dns"] + dns_bytes[1] * self.answers["dns"]


def live(plan: Plan, road: Road, *, seconds: float, hosts: Mapping[Part, Sequence[str]] = HOSTS) -> Day:
    """Let the watch run on a road."""
    watch = Watch(plan, ANCHORS)
    watch.meet(hosts, 0.0)
    arrivals: list[tuple[float, int, bool]] = []
    day = Day([], Counter(), Counter())
    now_s, look_s = 0.0, 0.0
    for _ in itertools.count():
        if now_s >= seconds:
            return day
        while arrivals and arrivals[0][0] <= now_s:
            at_s, number, fails = heapq.heappop(arrivals)
            day.changes += watch.answered(number, at_s, fails=fails)
        if road.cuts and now_s >= look_s:
            has_carrier = not any(c.place == "lan" and c.from_s <= now_s < c.until_s for c in road.cuts)
            watch.saw(Sight(carrier=has_carrier, route=True), now_s)
            look_s = now_s + _LOOK_EVERY_S
        day.changes += watch.tick(now_s)
        for ask in watch.asks(now_s):
            day.packets[ask.part] += 1
            after_s = road.answered_after_s(ask, now_s)
            if after_s is not None:
                day.answers[ask.part] += 1
                heapq.heappush(arrivals, (now_s + after_s, ask.number, road.fails(ask, now_s)))
        soonest_s = min(watch.next_s(now_s), arrivals[0][0] if arrivals else seconds)
        if road.cuts:
            soonest_s = min(soonest_s, look_s)
        now_s = max(now_s + 1e-6, soonest_s)
    raise AssertionError
