# SPDX-License-Identifier: Apache-2.0
"""Whom to ask now, and by which way?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agent.echo.way import Way
from agent.outage.pace import Pace, Part
from agent.outage.places import Places
from agent.outage.voice import Voice
from agent.outage.ways import Ways

PARTS: tuple[Part, ...] = ("anchors", "gateway", "modem", "hop", "dns")

_NUMBERS_KEPT = 4096


@dataclass(frozen=True, slots=True)
class Ask:
    """A request to send now."""

    number: int
    part: Part
    host: str
    way: Way = "echo"


class Rota:
    """The hosts of each part of the way in turn, each when its time has come.

    Attributes:
        anchors: the same hosts by each way, for one may answer one way only.
    """

    def __init__(
        self,
        voices: Mapping[Part, Voice],
        pace: Pace,
        ways: Ways,
        anchors: Sequence[str],
        resolvers: Sequence[str],
    ) -> None:
        self._voices = voices
        self._pace = pace
        self._ways = ways
        self._numbers = itertools.count(1)
        self._part_of: dict[int, Part] = {}
        self._places: dict[Part, Places] = {"dns": Places(resolvers)}
        self.anchors: dict[Way, Places] = {"echo": Places(anchors), "connection": Places(anchors)}

    def meet(self, hosts: Mapping[Part, Sequence[str]], now_s: float) -> None:
        """The gateway, the modem, the first hop or the resolvers are these now; empty for none."""
        for part, found in hosts.items():
            known = self._places.get(part)
            if known is None or known.hosts != tuple(found):
                self._places[part] = Places(found)
                self._voices[part].forget()
                self._pace.begin(part, now_s)

    def asks(self, now_s: float, *, is_dead: bool) -> list[Ask]:
        """What is to be sent now; it counts as sent. While the link `is_dead`, any answer is welcome."""
        asks = [ask for part in PARTS for ask in self._asks_of(part, now_s, is_dead=is_dead)]
        while len(self._part_of) > _NUMBERS_KEPT:
            del self._part_of[next(iter(self._part_of))]
        return asks

    def next_s(self, now_s: float) -> float:
        """When to come back if nothing arrives."""
        anchors = self._voices["anchors"]
        times = [self._due_s(part, now_s) for part in PARTS if self._hosts(part)]
        times += [t for v in self._voices.values() if (t := v.settles_s()) is not None]
        times += [t] if (t := anchors.next_overdue_s(now_s)) is not None else []
        times += [self._ways.trial_due_s(), self._pace.beside_due_s(now_s)]
        return max(now_s, min(times))

    def part_of(self, number: int) -> Part | None:
        """Whom this request went to; None when that is forgotten."""
        return self._part_of.get(number)

    def forget(self, number: int) -> None:
        """Nothing more can come of this request."""
        self._part_of.pop(number, None)

    def places(self, part: Part) -> Places | None:
        """Who is asked of this part; of the anchors by the calm way."""
        return self.anchors[self._ways.calm] if part == "anchors" else self._places.get(part)

    def _asks_of(self, part: Part, now_s: float, *, is_dead: bool) -> Iterator[Ask]:
        if part == "anchors":
            yield from self._asks_beside(now_s)
        places, way = self.places(part), self._way_of(part)
        if places is None or not places.hosts:
            return
        for host in places.mute_due(now_s):
            yield self._ask(part, host, now_s, way, counts=False)
        if now_s >= self._due_s(part, now_s):
            is_welcome = is_dead and part in {"anchors", "dns"}
            yield self._ask(part, places.next(any_will_do=is_welcome), now_s, way)

    def _asks_beside(self, now_s: float) -> Iterator[Ask]:
        """Anchors asked by the other way: does that one live?"""
        other = self._ways.other
        if other is not None and now_s >= self._pace.beside_due_s(now_s):
            self._ways.asked_beside(now_s)
            at_once = self._pace.beside_at_once if other == "connection" else 1
            for _ in range(min(at_once, len(self.anchors[other].hosts))):
                yield self._ask_beside(other, now_s)
        if now_s >= self._ways.trial_due_s():
            self._ways.tried(now_s, self._pace.echo_every_s)
            yield self._ask_beside("echo", now_s)

    def _ask_beside(self, way: Way, now_s: float) -> Ask:
        host = self.anchors[way].next(any_will_do=True)
        return self._ask("anchors", host, now_s, way, counts=False)

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

    def _hosts(self, part: Part) -> tuple[str, ...]:
        places = self.places(part)
        return places.hosts if places else ()
