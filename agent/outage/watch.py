# SPDX-License-Identifier: Apache-2.0
"""Which outage began or ended? No clock, no socket: both are given.

Every part of the way has a voice. Only the silence of the anchors opens an outage of the link, and while they
answer, that of the resolvers one of names; the other parts are heard to find the cause. At most one outage is
open.
"""

from __future__ import annotations

import dataclasses
import heapq
import itertools
from collections.abc import Iterator, Mapping, Sequence

from agent.echo.way import Way
from agent.outage.asked import Asked
from agent.outage.cause import Cause
from agent.outage.evidence import Sight
from agent.outage.inquest import SETTLES_S, Inquest
from agent.outage.ordinary import MOST, MOST_CONNECTIONS, Ordinary
from agent.outage.outage import Outage, Scope
from agent.outage.pace import Pace, Part
from agent.outage.plan import Plan
from agent.outage.rota import PARTS, Ask, Rota
from agent.outage.silence import Began, Bounds, Ended, Silence, Step
from agent.outage.voice import Voice
from agent.outage.ways import BESIDE, Ways

_DAY_S = 86_400.0
_LAN_TIMEOUT_S = 1.0


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
        self._outages = itertools.count(1)
        lan = ("gateway", "modem")
        self._voices: dict[Part, Voice] = {
            part: Voice(_LAN_TIMEOUT_S if part in lan else plan.timeout_s) for part in PARTS
        }
        self._ordinary = Ordinary(_DAY_S / plan.anchor_every_s)
        self._silence = Silence(self._ordinary)
        self._dns_silence = Silence(Ordinary(_DAY_S / plan.dns_every_s))
        self._ways = Ways(echo_is_permitted=echo_is_permitted)
        self._pace = Pace(plan, self._ordinary, self._ways)
        self._rota = Rota(self._voices, self._pace, self._ways, anchors, resolvers)
        self._inquest = Inquest(self._voices, self._ways)
        self._open: Outage | None = None

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
        self._rota.meet(hosts, now_s)

    def asks(self, now_s: float) -> list[Ask]:
        """What is to be sent now; it counts as sent."""
        self._note_pace(now_s)
        return self._rota.asks(now_s, is_dead=self._open is not None)

    def next_s(self, now_s: float) -> float:
        """When to come back if nothing arrives."""
        self._note_pace(now_s)
        return self._rota.next_s(now_s)

    def answered(self, number: int, at_s: float, *, fails: bool = False) -> list[Outage]:
        """An answer came; one that `fails` (a resolver's SERVFAIL) only shows that its sender lives.

        That of an anchor fails where somebody near accepts connections in its name: it says nothing.
        """
        part = self._rota.part_of(number)
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
        moved_s = self._inquest.saw(sight, now_s)
        if moved_s is not None:
            self._silence.moved(moved_s)

    def tick(self, now_s: float) -> list[Outage]:
        """What is known by now, as changes: an outage opened, seen otherwise, or closed."""
        changes: list[Outage] = []
        anchors, dns = self._voices["anchors"], self._voices["dns"]
        for part in ("gateway", "modem", "hop"):
            for asked in self._voices[part].settled(now_s):
                self._rota.forget(asked.number)
        told = [(a.at_s, a.number, a) for a in anchors.settled(now_s)]
        names = [(a.at_s, a.number, a) for a in dns.settled(now_s)]
        for _, _, asked in heapq.merge(told, names):
            changes += self._settle(asked, now_s)
            if not asked.is_lost:
                self._rota.forget(asked.number)
        changes += self._second_thoughts(now_s)
        return changes

    def _settle(self, asked: Asked, now_s: float) -> list[Outage]:
        if self._rota.part_of(asked.number) == "anchors":
            return self._settle_anchor(asked, now_s)
        places = self._rota.places("dns")
        if places is None:
            return []
        places.settle(asked)
        if not asked.counts or (asked.is_lost and self._link_is_doubted(asked)):
            return []
        steps = self._dns_silence.settle(asked, self._rtt_s("dns"), places.speaking)
        return list(self._outages_of("dns", steps, now_s))

    def _settle_anchor(self, asked: Asked, now_s: float) -> list[Outage]:
        calm = self._ways.calm
        self._ways.settle(asked, now_s)
        if self._ways.calm != calm:
            self._ordinary.forget(most=MOST if calm == "connection" else MOST_CONNECTIONS)
        if asked.is_void:
            return []
        self._rota.anchors[asked.way].settle(asked)
        if asked.is_lost and not self._loss_counts(asked):
            return []
        speaking = self._rota.anchors[self._ways.calm].speaking
        steps = self._silence.settle(asked, self._rtt_s("anchors"), speaking, beside=self._needed_beside())
        return list(self._outages_of("link", steps, now_s))

    def _needed_beside(self) -> int:
        """How many asked by the other way must be lost, too: two rounds of connections, or one echo."""
        other = self._ways.other
        if other is None or self._ways.is_blind:
            return 0
        return 1 if other == "echo" else 2 * min(BESIDE, len(self._rota.anchors[other].speaking))

    def _loss_counts(self, asked: Asked) -> bool:
        """Whether a lost request says anything of the link; one beside those that do dates the end anyway."""
        if asked.counts and asked.way == self._ways.calm:
            return self._ways.can_tell
        if asked.place in self._rota.anchors[asked.way].speaking:
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
        self._inquest.open(step.opened)
        made = Outage(
            number=next(self._outages),
            scope=scope,
            opened=step.opened,
            cause="dns" if scope == "dns" else "unknown",
            evidence="",
            lost=self._silence.lost if scope == "link" else self._dns_silence.lost,
        )
        self._open = self._inquest.judged(made, now_s, now_s)
        yield self._open

    def _end(self, outage: Outage, step: Ended, now_s: float) -> Outage:
        self._open = None
        closed = step.closed
        self._inquest.close(closed)
        if not outage.is_settled:
            outage = self._inquest.judged(outage, closed.latest_s, now_s)
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
            self._open = self._inquest.told_later(outage)
        else:
            judged = self._inquest.judged(outage, now_s, now_s)
            is_settled = now_s - outage.opened.at_s >= SETTLES_S
            self._open = dataclasses.replace(judged, is_settled=is_settled)
        return [] if self._open.cause == outage.cause else [self._open]

    def _note_pace(self, now_s: float) -> None:
        began_s = None if self._open is None or self._open.scope == "dns" else self._open.opened.at_s
        names_began_s = self._open.opened.at_s if self._open and self._open.scope == "dns" else None
        self._pace.note(self._voices["anchors"], self._voices["dns"], now_s)
        self._pace.is_open_since(began_s, names_began_s)

    def _rtt_s(self, part: Part) -> float:
        return self._voices[part].rtt_s or 0.0
