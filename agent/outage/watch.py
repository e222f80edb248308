# SPDX-License-Identifier: Apache-2.0
"""Whom to ask now, and which outage began or ended? No clock, no socket: both are given.

Every part of the way has a voice. Only the silence of the anchors opens an outage of the link, and while they
answer, that of the resolvers one of names; the other parts are heard to find the cause. At most one outage is
open.
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
import math
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from agent.echo.way import Way
from agent.outage import cause as causes
from agent.outage.asked import Asked
from agent.outage.cause import Cause, Scene
from agent.outage.evidence import Sight
from agent.outage.ordinary import MOST, MOST_CONNECTIONS, Ordinary
from agent.outage.pace import Pace, Part
from agent.outage.places import Places
from agent.outage.plan import Plan
from agent.outage.silence import Began, Bounds, Ended, Silence, Step
from agent.outage.voice import Tally, Voice
from agent.outage.ways import BESIDE, Ways

Scope = Literal["link", "dns"]
PARTS: tuple[Part, ...] = ("anchors", "gateway", "modem", "hop", "dns")

_DAY_S = 86_400.0
_LAN_TIMEOUT_S = 1.0
_CAUSE_SETTLES_S = 15.0
"""A router that came back while its modem still dials was the cause all the same."""

_MENDING_S, _BACK_BEFORE_S = 0.35, 1.0
_LEAST_SCENE_S = 1.0
_TALKED_WITHIN_S = 600.0
_HABITS_S, _NOT_YET_S, _LONGER_THAN_USUAL = 60.0, 2.0, 1.2
_SIGHTS_KEPT_S = 60.0
_MOVES_THAT_TELL = 3
_SHORTEST_S = 0.001


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to send now."""

    number: int
    part: Part
    host: str
    way: Way = "echo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """An outage as far as it is known; `closed` is None while it lasts."""

    number: int
    scope: Scope
    opened: Bounds
    cause: Cause
    evidence: str
    lost: int
    closed: Bounds | None = None
    is_settled: bool = False

    @property
    def lasted_s(self) -> float | None:
        """How long it lasted; None while it does."""
        return None if self.closed is None else max(_SHORTEST_S, self.closed.at_s - self.opened.at_s)


class Watch:
    """The state machine."""

    def __init__(
        self,
        plan: Plan,
        anchors: Sequence[str],
        *,
        resolvers: Sequence[str] = (),
        echo_is_permitted: bool = True,
    ) -> None:
        self._plan = plan
        self._numbers = itertools.count(1)
        self._outages = itertools.count(1)
        lan = ("gateway", "modem")
        self._voices: dict[Part, Voice] = {
            part: Voice(_LAN_TIMEOUT_S if part in lan else plan.timeout_s) for part in PARTS
        }
        self._places: dict[Part, Places] = {"dns": Places(resolvers)}
        self._anchors: dict[Way, Places] = {"echo": Places(anchors), "connection": Places(anchors)}
        self._ordinary = Ordinary(_DAY_S / plan.anchor_every_s)
        self._silence = Silence(self._ordinary)
        self._dns_silence = Silence(Ordinary(_DAY_S / plan.dns_every_s))
        self._ways = Ways(echo_is_permitted=echo_is_permitted)
        self._pace = Pace(plan, self._ordinary, self._ways)
        self._part_of: dict[int, Part] = {}
        self._sights: deque[tuple[float, Sight]] = deque()
        self._moved: deque[float] = deque(maxlen=64)
        self._open: Outage | None = None
        self._heard_before: frozenset[Part] = frozenset()
        self._gaps_s: dict[Part, float] = {}
        self._mended_s = -math.inf

    @property
    def open(self) -> Outage | None:
        """The outage that lasts now."""
        return self._open

    @property
    def way(self) -> Way:
        """How anchors are asked in peace: by connections where they answer no echoes."""
        return self._ways.calm

    @property
    def is_doubted(self) -> bool:
        """Whether the link may be dead at this moment."""
        return self._open is not None or self._pace.is_doubted

    def meet(self, hosts: Mapping[Part, Sequence[str]], now_s: float) -> None:
        """The gateway, the modem, the first hop or the resolvers are these now; empty for none."""
        for part, found in hosts.items():
            known = self._places.get(part)
            if known is None or known.hosts != tuple(found):
                self._places[part] = Places(found)
                self._voices[part].forget()
                self._pace.begin(part, now_s)

    def asks(self, now_s: float) -> list[Ask]:
        """What is to be sent now; it counts as sent."""
        self._note_pace(now_s)
        return [ask for part in PARTS for ask in self._asks_of(part, now_s)]

    def next_s(self, now_s: float) -> float:
        """When to come back if nothing arrives."""
        self._note_pace(now_s)
        anchors = self._voices["anchors"]
        times = [self._due_s(part, now_s) for part in PARTS if self._hosts(part)]
        times += [t for v in self._voices.values() if (t := v.settles_s()) is not None]
        times += [t] if (t := anchors.next_overdue_s(now_s)) is not None else []
        times += [self._ways.trial_due_s(), self._pace.beside_due_s(now_s)]
        return max(now_s, min(times))

    def answered(self, number: int, at_s: float, *, fails: bool = False) -> list[Outage]:
        """An answer came; one that `fails` (a resolver's SERVFAIL) only shows that its sender lives.

        That of an anchor fails where somebody near accepts connections in its name: it says nothing.
        """
        part = self._part_of.get(number)
        if part == "anchors" and fails:
            self._voices[part].void(number)
            return []
        made = None if part is None else self._voices[part].answer(number, at_s, fails=fails)
        if made is None or fails or not made.is_lost or part not in {"anchors", "dns"}:
            return []
        scope: Scope = "link" if part == "anchors" else "dns"
        silence = self._silence if scope == "link" else self._dns_silence
        steps = silence.answered_late(made, self._rtt_s(part))
        return list(self._outages_of(scope, steps, at_s))

    def saw(self, sight: Sight, now_s: float) -> None:
        """A look round showed this."""
        before_s, before = self._sights[-1] if self._sights else (now_s, sight)
        moves = None not in {sight.received, before.received} and sight.received != before.received
        if moves:
            self._moved.append(before_s)
            self._silence.moved(before_s)
        self._sights.append((now_s, sight))
        while now_s - self._sights[0][0] > _SIGHTS_KEPT_S:
            self._sights.popleft()

    def tick(self, now_s: float) -> list[Outage]:
        """What is known by now, as changes: an outage opened, seen otherwise, or closed."""
        changes: list[Outage] = []
        anchors, dns = self._voices["anchors"], self._voices["dns"]
        for part in ("gateway", "modem", "hop"):
            for asked in self._voices[part].settled(now_s):
                self._part_of.pop(asked.number, None)
        told = [(a.at_s, a.number, a) for a in anchors.settled(now_s)]
        names = [(a.at_s, a.number, a) for a in dns.settled(now_s)]
        for _, _, asked in heapq.merge(told, names):
            part = self._part_of[asked.number]
            if not asked.is_lost:
                del self._part_of[asked.number]
            changes += self._settle(part, asked, now_s)
        changes += self._second_thoughts(now_s)
        self._shrink()
        return changes

    def _settle(self, part: Part, asked: Asked, now_s: float) -> list[Outage]:
        if part == "anchors":
            return self._settle_anchor(asked, now_s)
        places = self._places[part]
        places.settle(asked)
        if not asked.counts or (asked.is_lost and self._link_is_doubted(asked)):
            return []
        steps = self._dns_silence.settle(asked, self._rtt_s(part), places.speaking)
        return list(self._outages_of("dns", steps, now_s))

    def _settle_anchor(self, asked: Asked, now_s: float) -> list[Outage]:
        calm = self._ways.calm
        self._ways.settle(asked, now_s)
        if self._ways.calm != calm:
            self._ordinary.forget(most=MOST if calm == "connection" else MOST_CONNECTIONS)
        if asked.is_void:
            return []
        self._anchors[asked.way].settle(asked)
        if asked.is_lost and not self._loss_counts(asked):
            return []
        speaking = self._anchors[self._ways.calm].speaking
        steps = self._silence.settle(asked, self._rtt_s("anchors"), speaking, beside=self._needed_beside())
        return list(self._outages_of("link", steps, now_s))

    def _needed_beside(self) -> int:
        """How many asked by the other way must be lost, too: two rounds of connections, or one echo."""
        other = self._ways.other
        if other is None or self._ways.is_blind:
            return 0
        return 1 if other == "echo" else 2 * min(BESIDE, len(self._anchors[other].speaking))

    def _loss_counts(self, asked: Asked) -> bool:
        """Whether a lost request says anything of the link; one beside those that do dates the end anyway."""
        if asked.counts and asked.way == self._ways.calm:
            return self._ways.can_tell
        if asked.place in self._anchors[asked.way].speaking:
            self._silence.lost_beside(asked)
        return False

    def _link_is_doubted(self, asked: Asked) -> bool:
        """Whether a lost question may be the link's fault."""
        trail = self._voices["anchors"].trail
        is_unheard = not self._ways.can_tell or any(a.at_s <= asked.at_s for a in trail)
        return is_unheard or bool(self._silence.lost)

    def _outages_of(self, scope: Scope, steps: Sequence[Step], now_s: float) -> Iterator[Outage]:
        for step in steps:
            if isinstance(step, Began):
                yield from self._begin(scope, step, now_s)
            elif self._open is not None and self._open.scope == scope:
                yield self._end(self._open, step, now_s)

    def _begin(self, scope: Scope, step: Began, now_s: float) -> Iterator[Outage]:
        if self._open is not None and scope == "dns":
            return
        if self._open is not None:
            # Names were dead before; now that nothing is heard of them, the link is told instead.
            yield self._end(self._open, Ended(step.opened, self._open.lost), now_s)
        if scope == "link":
            self._pace.give_back(step.opened.earliest_s or step.opened.at_s)
        self._heard_before = self._talkative(step.opened)
        self._gaps_s = self._usual_gaps_s(step.opened)
        made = Outage(
            number=next(self._outages),
            scope=scope,
            opened=step.opened,
            cause="dns" if scope == "dns" else "unknown",
            evidence="",
            lost=self._silence.lost if scope == "link" else self._dns_silence.lost,
        )
        self._open = self._judged(made, now_s, now_s)
        yield self._open

    def _end(self, outage: Outage, step: Ended, now_s: float) -> Outage:
        self._open = None
        closed = step.closed
        self._mended_s = closed.latest_s
        if not outage.is_settled:
            outage = self._judged(outage, closed.latest_s, now_s)
        if closed.at_s < outage.opened.at_s:
            closed = Bounds(outage.opened.at_s, max(outage.opened.at_s, step.closed.latest_s))
        cause: Cause = "slow" if step.is_slow else outage.cause
        return dataclasses.replace(outage, closed=closed, lost=step.lost, cause=cause)

    def _second_thoughts(self, now_s: float) -> list[Outage]:
        """Look at the cause again until it is settled."""
        outage = self._open
        if outage is None:
            return []
        if outage.is_settled:
            return self._told_later(outage)
        judged = self._judged(outage, now_s, now_s)
        is_settled = now_s - outage.opened.at_s >= _CAUSE_SETTLES_S
        self._open = dataclasses.replace(judged, is_settled=is_settled)
        return [] if judged.cause == outage.cause else [self._open]

    def _told_later(self, outage: Outage) -> list[Outage]:
        """A modem is asked but once a minute: what it says of a dead link counts later, too."""
        told = causes.told_by_modem(self._sights[-1][1]) if self._sights else None
        is_news = told is not None and told != outage.cause and outage.cause in causes.BEYOND_THE_GATEWAY
        if told is None or not is_news:
            return []
        evidence = f"{outage.evidence}, modem {self._sights[-1][1].modem}"
        self._open = dataclasses.replace(outage, cause=told, evidence=evidence)
        return [self._open]

    def _judged(self, outage: Outage, until_s: float, now_s: float) -> Outage:
        if outage.scope == "dns":
            return outage
        scene = self._scene(outage, until_s, now_s)
        cause = causes.cause_of(scene)
        opened = outage.opened
        if cause == "lan":
            opened = self._when_the_lan_went(opened)
        elif cause == "gateway":
            opened = self._when_the_gateway_went(opened)
        evidence = causes.evidence_of(scene)
        return dataclasses.replace(outage, cause=cause, evidence=evidence, opened=opened)

    def _scene(self, outage: Outage, until_s: float, now_s: float) -> Scene:
        until_s = min(self._still_dead_s(outage.opened, until_s), outage.opened.latest_s + _CAUSE_SETTLES_S)
        from_s = min(outage.opened.latest_s, max(outage.opened.at_s, until_s - _LEAST_SCENE_S))
        tallies = {p: _while_dead(v, from_s, until_s, now_s) for p, v in self._voices.items()}
        seen = [(at_s, s) for at_s, s in self._sights if from_s - 1 <= at_s <= until_s]
        moved = sum(from_s <= at_s <= until_s for at_s in self._moved)
        return Scene(
            gateway=tallies["gateway"],
            modem=tallies["modem"],
            hop=tallies["hop"],
            dns=tallies["dns"],
            talkative=frozenset(p for p in self._heard_before if self._is_silent_long(p, until_s)),
            lan_was_bad=any(_is_bad(s) for _, s in seen),
            has_moved=moved >= _MOVES_THAT_TELL,
            sight=seen[-1][1] if seen else Sight(),
            by_connection=self._ways.calm == "connection",
        )

    def _still_dead_s(self, opened: Bounds, until_s: float) -> float:
        """Until when the outage surely lasted: where the way mends, its near parts are heard first."""
        heard = (a.at_s for a in self._voices["anchors"].history() if a.answered_s is not None)
        under_way_s = until_s - self._rtt_s("anchors")
        first_s = min((at_s for at_s in heard if at_s > opened.latest_s), default=under_way_s)
        return min(until_s, first_s) - _MENDING_S

    def _talkative(self, opened: Bounds) -> frozenset[Part]:
        """Parts heard not long before."""
        heard = {p: v.answered_s for p, v in self._voices.items()}
        return frozenset(
            p for p, at_s in heard.items() if at_s is not None and opened.latest_s - at_s < _TALKED_WITHIN_S
        )

    def _usual_gaps_s(self, opened: Bounds) -> dict[Part, float]:
        """How long each part kept silent in peace, as a router does that limits its answers."""
        until_s = (opened.earliest_s or opened.latest_s) - _NOT_YET_S
        from_s = max(until_s - _HABITS_S, self._mended_s)
        return {part: voice.longest_gap_s(from_s, until_s) for part, voice in self._voices.items()}

    def _is_silent_long(self, part: Part, now_s: float) -> bool:
        """Whether it has been silent for longer than it was before while it lived."""
        least_s = _LONGER_THAN_USUAL * self._gaps_s.get(part, 0.0)
        heard = (a.at_s for a in self._voices[part].history() if a.answered_s is not None and a.at_s <= now_s)
        return now_s - max(heard, default=-math.inf) >= least_s

    def _when_the_lan_went(self, opened: Bounds) -> Bounds:
        """Between the last good look and the first bad one, where that is no contradiction."""
        for (before_s, before), (at_s, sight) in itertools.pairwise(self._sights):
            is_near = opened.earliest_s is None or at_s >= opened.earliest_s
            if is_near and _is_bad(sight) and not _is_bad(before):
                return opened.within(before_s, at_s)
        return opened

    def _when_the_gateway_went(self, opened: Bounds) -> Bounds:
        voice = self._voices["gateway"]
        answered = [a.at_s for a in voice.history() if a.answered_s is not None and a.at_s < opened.latest_s]
        if not answered:
            return opened
        lost = [a.at_s for a in voice.history() if a.answered_s is None and a.at_s > answered[-1]]
        return opened.within(answered[-1], lost[0]) if lost else opened

    def _asks_of(self, part: Part, now_s: float) -> Iterator[Ask]:
        if part == "anchors":
            yield from self._asks_beside(now_s)
        places, way = self._whom(part), self._way_of(part)
        if places is None or not places.hosts:
            return
        for host in places.mute_due(now_s):
            yield self._ask(part, host, now_s, way, counts=False)
        if now_s >= self._due_s(part, now_s):
            is_welcome = part in {"anchors", "dns"} and self._open is not None
            yield self._ask(part, places.next(any_will_do=is_welcome), now_s, way)

    def _asks_beside(self, now_s: float) -> Iterator[Ask]:
        """Anchors asked by the other way: does that one live?"""
        other = self._ways.other
        if other is not None and now_s >= self._pace.beside_due_s(now_s):
            self._ways.asked_beside(now_s)
            count = min(BESIDE, len(self._anchors[other].hosts)) if other == "connection" else 1
            for _ in range(count):
                yield self._ask_beside(other, now_s)
        if now_s >= self._ways.trial_due_s():
            self._ways.tried(now_s, self._plan.anchor_every_s)
            yield self._ask_beside("echo", now_s)

    def _ask_beside(self, way: Way, now_s: float) -> Ask:
        host = self._anchors[way].next(any_will_do=True)
        return self._ask("anchors", host, now_s, way, counts=False)

    def _whom(self, part: Part) -> Places | None:
        return self._anchors[self._ways.calm] if part == "anchors" else self._places.get(part)

    def _way_of(self, part: Part) -> Way:
        return self._ways.calm if part == "anchors" else "echo"

    def _ask(self, part: Part, host: str, now_s: float, way: Way, *, counts: bool = True) -> Ask:
        number = next(self._numbers)
        self._part_of[number] = part
        self._pace.spend(part, way, now_s)
        self._voices[part].ask(number, host, now_s, way=way, counts=counts)
        return Ask(number, part, host, way)

    def _due_s(self, part: Part, now_s: float) -> float:
        return self._pace.due_s(part, self._voices[part], now_s)

    def _note_pace(self, now_s: float) -> None:
        began_s = None if self._open is None or self._open.scope == "dns" else self._open.opened.at_s
        names_began_s = self._open.opened.at_s if self._open and self._open.scope == "dns" else None
        self._pace.note(self._voices["anchors"], self._voices["dns"], now_s)
        self._pace.is_open_since(began_s, names_began_s)

    def _hosts(self, part: Part) -> tuple[str, ...]:
        places = self._whom(part)
        return places.hosts if places else ()

    def _rtt_s(self, part: Part) -> float:
        return self._voices[part].rtt_s or 0.0

    def _shrink(self) -> None:
        while len(self._part_of) > _NUMBERS_KEPT:
            del self._part_of[next(iter(self._part_of))]


_NUMBERS_KEPT = 4096


def _while_dead(voice: Voice, from_s: float, until_s: float, now_s: float) -> Tally:
    """What was heard; not what came back with the link, a little before an anchor was heard."""
    before = voice.tally(from_s, until_s - _BACK_BEFORE_S, now_s)
    is_dead = before.asked >= causes.NO_ACCIDENT and not before.answered
    return before if is_dead else voice.tally(from_s, until_s, now_s)


def _is_bad(sight: Sight) -> bool:
    return sight.carrier is False or sight.route is False
