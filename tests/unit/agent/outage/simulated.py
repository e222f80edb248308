# SPDX-License-Identifier: Apache-2.0
"""How does the watch do on a link that is computed: delays, losses and outages, a whole day in seconds?"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.echo.way import Way
from agent.outage.evidence import Sight
from agent.outage.outage import Outage
from agent.outage.pace import Part
from agent.outage.plan import COSTS, ECHO_BYTES, Plan
from agent.outage.rota import Ask
from agent.outage.watch import Watch

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
_SURE_S, _SURE_MOST_S, _BELIEVED_S = 0.3, 1.0, 180.0
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
        limits_s: a part of the way, or a host, answers no more than one echo in so many seconds.
        filtered: from when until when echoes beyond the gateway are dropped.
        closed: from when until when connections beyond the gateway are dropped.
        mute: hosts that answer no echo.
        deaf: hosts that answer no connection.
        ration_s: no more than one connection in so many seconds passes.
        accepts_all: somebody near the school accepts every connection.
        caches: resolvers in the school, which answer from memory.
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
    limits_s: Mapping[str, float] = field(default_factory=dict)
    filtered: Sequence[tuple[float, float]] = ()
    closed: Sequence[tuple[float, float]] = ()
    mute: frozenset[str] = frozenset()
    deaf: frozenset[str] = frozenset()
    ration_s: float = 0.0
    accepts_all: bool = False
    caches: frozenset[str] = frozenset()
    _passed_s: float = -1e9
    _answered_s: dict[str, float] = field(default_factory=dict)

    def fails(self, ask: Ask, at_s: float) -> bool:
        """Whether the answer is a failure."""
        if ask.way == "connection":
            return self.accepts_all
        return ask.part == "dns" and any(a <= at_s < b for a, b in self.failing)

    def _is_limited(self, ask: Ask, at_s: float) -> bool:
        named = [name for name in (ask.part, ask.host) if name in self.limits_s]
        if any(at_s < self._answered_s.get(name, -1e9) + self.limits_s[name] for name in named):
            return True
        self._answered_s |= dict.fromkeys(named, at_s)
        return False

    def _is_unanswered(self, ask: Ask, at_s: float) -> bool:
        """Whether the way it is asked by is not answered, however well the link does."""
        if ask.way == "connection":
            is_closed = ask.host in self.deaf or any(a <= at_s < b for a, b in self.closed)
            return is_closed or self._is_rationed(at_s)
        if ask.host in self.mute:
            return True
        is_filtered = ask.part not in _ON_LAN and ask.part != "dns"
        return self._is_limited(ask, at_s) or (is_filtered and any(a <= at_s < b for a, b in self.filtered))

    def _is_rationed(self, at_s: float) -> bool:
        if at_s < self._passed_s + self.ration_s:
            return True
        self._passed_s = at_s
        return False

    def answered_after_s(self, ask: Ask, at_s: float) -> float | None:
        part: Part = "gateway" if ask.host in self.caches else ask.part
        is_lan = part in _ON_LAN
        if self.accepts_all and ask.way == "connection":
            return _LAN_MS
        back_s = _LAN_MS if is_lan else self.rtt_s + self.rng.random() * self.jitter_s + self.slow(at_s)
        if ask.host in self.dead or any(self._kills(c, part, at_s, back_s) for c in self.cuts):
            return None
        if self._is_unanswered(ask, at_s):
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
    """What the watch told, what it cost, and from when on anchors were asked how in peace."""

    changes: list[Outage]
    packets: Counter[str]
    answers: Counter[str]
    ways: Counter[Way] = field(default_factory=Counter)
    calm: list[tuple[float, Way]] = field(default_factory=list)

    def note(self, now_s: float, calm: Way) -> None:
        if not self.calm or self.calm[-1][1] != calm:
            self.calm.append((now_s, calm))

    @property
    def closed(self) -> list[Outage]:
        return [c for c in self.changes if c.closed is not None]

    def link_bytes(self, dns_bytes: tuple[int, int] = (57, 73)) -> int:
        echoes = (
            sum(self.packets[p] + self.answers[p] for p in ("anchors", "hop")) - 2 * self.ways["connection"]
        )
        connections = round(2 * ECHO_BYTES * COSTS["connection"]) * self.ways["connection"]
        return (
            ECHO_BYTES * echoes
            + connections
            + dns_bytes[0] * self.packets["dns"]
            + dns_bytes[1] * self.answers["dns"]
        )


@dataclass
class _Knocker:
    """How long after its answer a request is told to be answered: nobody is waited for if asked lately."""

    heard_s: float = -1e9

    def told_after_s(self, ask: Ask, now_s: float, back_s: float) -> float:
        if ask.way != "connection":
            return 0.0
        is_known = now_s - self.heard_s < _BELIEVED_S
        self.heard_s = now_s
        return 0.0 if is_known else min(_SURE_MOST_S, max(_SURE_S, back_s))


def live(
    plan: Plan,
    road: Road,
    *,
    seconds: float,
    hosts: Mapping[Part, Sequence[str]] = HOSTS,
    echo_is_permitted: bool = True,
) -> Day:
    """Let the watch run on a road."""
    watch = Watch(plan, ANCHORS, echo_is_permitted=echo_is_permitted)
    watch.meet(hosts, 0.0)
    arrivals: list[tuple[float, float, int, bool]] = []
    day = Day([], Counter(), Counter())
    knocker = _Knocker()
    now_s, look_s = 0.0, 0.0
    for _ in itertools.count():
        if now_s >= seconds:
            return day
        while arrivals and arrivals[0][0] <= now_s:
            _, at_s, number, fails = heapq.heappop(arrivals)
            day.changes += watch.answered(number, at_s, fails=fails)
        if road.cuts and now_s >= look_s:
            has_carrier = not any(c.place == "lan" and c.from_s <= now_s < c.until_s for c in road.cuts)
            watch.saw(Sight(carrier=has_carrier, route=True), now_s)
            look_s = now_s + _LOOK_EVERY_S
        day.changes += watch.tick(now_s)
        day.note(now_s, watch.way)
        for ask in watch.asks(now_s):
            day.packets[ask.part] += 1
            day.ways[ask.way] += ask.part == "anchors"
            after_s = road.answered_after_s(ask, now_s)
            if after_s is not None:
                day.answers[ask.part] += 1
                at_s = now_s + after_s
                told_s = at_s + knocker.told_after_s(ask, now_s, after_s)
                heapq.heappush(arrivals, (told_s, at_s, ask.number, road.fails(ask, now_s)))
        soonest_s = min(watch.next_s(now_s), arrivals[0][0] if arrivals else seconds)
        if road.cuts:
            soonest_s = min(soonest_s, look_s)
        now_s = max(now_s + 1e-6, soonest_s)
    raise AssertionError
