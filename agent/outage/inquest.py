# SPDX-License-Identifier: Apache-2.0
"""Whose fault is an outage, and what do looks round say of its begin?"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import deque
from collections.abc import Mapping

from agent.outage import cause as causes
from agent.outage.cause import Scene
from agent.outage.evidence import Sight
from agent.outage.near import may_be_near
from agent.outage.outage import Outage
from agent.outage.pace import Part
from agent.outage.silence import Bounds
from agent.outage.voice import Tally, Voice
from agent.outage.ways import Ways

SETTLES_S = 15.0
"""A router that came back while its modem still dials was the cause all the same."""

_MENDING_S, _BACK_BEFORE_S, _DIED_AFTER_S = 0.35, 1.0, 1.5
_LEAST_SCENE_S = 1.0
_TALKED_WITHIN_S = 600.0
_HABITS_S, _NOT_YET_S, _LONGER_THAN_USUAL = 60.0, 2.0, 1.2
_SIGHTS_KEPT_S = 60.0
_MOVES_THAT_TELL = 3


class Inquest:
    """Keeps what was seen, and of the outage that lasts who was heard before it."""

    def __init__(self, voices: Mapping[Part, Voice], ways: Ways) -> None:
        self._voices = voices
        self._ways = ways
        self._sights: deque[tuple[float, Sight]] = deque()
        self._moved: deque[float] = deque(maxlen=64)
        self._heard_before: frozenset[Part] = frozenset()
        self._gaps_s: dict[Part, float] = {}
        self._mended_s = -math.inf

    def saw(self, sight: Sight, now_s: float) -> float | None:
        """A look round showed this; the moment since which something came over the link, if it did."""
        before_s, before = self._sights[-1] if self._sights else (now_s, sight)
        moves = None not in {sight.received, before.received} and sight.received != before.received
        if moves:
            self._moved.append(before_s)
        self._sights.append((now_s, sight))
        while now_s - self._sights[0][0] > _SIGHTS_KEPT_S:
            self._sights.popleft()
        return before_s if moves else None

    def open(self, opened: Bounds) -> None:
        """An outage began: who was heard before it, and how regularly?"""
        self._heard_before = self._talkative(opened)
        self._gaps_s = self._usual_gaps_s(opened)

    def close(self, closed: Bounds) -> None:
        """It is over."""
        self._mended_s = closed.latest_s

    def judged(self, outage: Outage, until_s: float, now_s: float) -> Outage:
        """It with its cause, as far as that is known by now, and what speaks for it."""
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

    def told_later(self, outage: Outage) -> Outage:
        """A modem is asked but once a minute: what it says of a dead link counts later, too."""
        told = causes.told_by_modem(self._sights[-1][1]) if self._sights else None
        is_news = told is not None and told != outage.cause and outage.cause in causes.BEYOND_THE_GATEWAY
        if told is None or not is_news:
            return outage
        evidence = f"{outage.evidence}, modem {self._sights[-1][1].modem}"
        return dataclasses.replace(outage, cause=told, evidence=evidence)

    def _scene(self, outage: Outage, until_s: float, now_s: float) -> Scene:
        until_s = min(self._still_dead_s(outage.opened, until_s), outage.opened.latest_s + SETTLES_S)
        from_s = min(outage.opened.latest_s, max(outage.opened.at_s, until_s - _LEAST_SCENE_S))
        tallies = {p: self._while_dead(p, from_s, until_s, now_s) for p in self._voices}
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

    def _while_dead(self, part: Part, from_s: float, until_s: float, now_s: float) -> Tally:
        """What was heard; not what came back with the link, a little before an anchor was heard.

        Nor what died a little after the begin: requests lost by chance put that early.
        """
        voice, places = self._voices[part], self._witnesses(part)
        end_s = until_s - _BACK_BEFORE_S
        for begin_s in (from_s, from_s + _DIED_AFTER_S):
            heard = voice.tally(begin_s, end_s, now_s, places=places)
            if heard.asked >= causes.NO_ACCIDENT and not heard.answered:
                return heard
        return voice.tally(from_s, until_s, now_s, places=places)

    def _witnesses(self, part: Part) -> frozenset[str]:
        """Whose answers tell how far the way lives; resolvers that may stand in the school do not."""
        asked = self._voices[part].places
        if part != "dns":
            return asked
        school = self._voices["gateway"].places | self._voices["modem"].places
        return frozenset(h for h in asked - school if not may_be_near(h.partition("%")[0]))

    def _still_dead_s(self, opened: Bounds, until_s: float) -> float:
        """Until when the outage surely lasted: where the way mends, its near parts are heard first."""
        heard = (a.at_s for a in self._voices["anchors"].history() if a.answered_s is not None)
        under_way_s = until_s - (self._voices["anchors"].rtt_s or 0.0)
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
        """Between its last answer and the first that it left out; it may outlive anchors lost by chance."""
        asked = self._voices["gateway"].history()
        before_s = opened.latest_s + _DIED_AFTER_S
        answered = [a.at_s for a in asked if a.answered_s is not None and a.at_s < before_s]
        lost = [a.at_s for a in asked if a.answered_s is None and answered and a.at_s > answered[-1]]
        if not lost:
            return opened
        outlived = answered[-1] > opened.latest_s
        return Bounds(answered[-1], lost[0]) if outlived else opened.within(answered[-1], lost[0])


def _is_bad(sight: Sight) -> bool:
    return sight.carrier is False or sight.route is False
