# SPDX-License-Identifier: Apache-2.0
"""Whose part of the way was dead? The part nearest to the school that was silent or said so itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.outage.evidence import Sight
from agent.outage.voice import Tally

Cause = Literal[
    "lan",
    "power",
    "gateway",
    "modem",
    "sim",
    "line",
    "operator",
    "upstream",
    "portal",
    "quota",
    "dns",
    "slow",
    "unknown",
]

CAUSES: dict[Cause, str] = {
    "lan": "the measuring device's own cable, interface or route",
    "power": "router or modem are silent while a UPS or charger says that mains or output are off",
    "gateway": "the router of the school",
    "modem": "the modem behind the router, or the cable to it",
    "sim": "the modem has no SIM that it can use",
    "line": "the way to the operator's first hop, that hop, or one direction of the way",
    "operator": "the operator's first hop answers, nothing behind it does",
    "upstream": "hosts in or behind the operator's network answer, no anchor does",
    "portal": "somebody on the way wants money or a password",
    "quota": "the modem or terminal says that the account is disabled or its data are used up",
    "dns": "only names are not answered",
    "slow": "answers came, but after the time-out",
    "unknown": "nothing beyond the gateway answers, and nothing is known of what lies between",
}

_HINTS: dict[Cause, str] = {
    "lan": "down_other",
    "power": "down_other",
    "gateway": "down_other",
    "sim": "down_other",
    "quota": "down_other",
    "unknown": "unknown",
}
_TOLD: dict[str, Cause] = {
    "absent": "modem",
    "sim": "sim",
    "offline": "line",
    "denied": "operator",
    "account": "quota",
}
"""What a modem's own word says of a link of which nothing is heard beyond the gateway."""
_DEGRADED = ("dns", "slow")
NO_ACCIDENT = 2
BEYOND_THE_GATEWAY: frozenset[Cause] = frozenset({"modem", "line", "unknown"})
"""Causes that a modem's own word may put right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """What was seen between the begin of a silence and its end, or now.

    Attributes:
        lan_was_bad: at some look there was no carrier or no route.
        by_connection: anchors are asked by connections, because they answer no echoes.
        talkative: parts that had been heard shortly before, and are silent for longer than they were then.
    """

    gateway: Tally
    modem: Tally
    hop: Tally
    dns: Tally
    talkative: frozenset[str]
    lan_was_bad: bool
    has_moved: bool
    sight: Sight
    by_connection: bool = False

    def is_dead(self, part: str) -> bool:
        """Whether a part that can be heard was asked and silent."""
        tally: Tally = getattr(self, part)
        return part in self.talkative and tally.asked >= NO_ACCIDENT and not tally.answered

    def lives(self, part: str) -> bool:
        """Whether a part was heard."""
        tally: Tally = getattr(self, part)
        return tally.answered > 0


def cause_of(scene: Scene) -> Cause:
    """The verdict, from the school outwards."""
    if scene.lan_was_bad:
        return "lan"
    if scene.is_dead("gateway"):
        return _without_power(scene) or "gateway"
    if scene.sight.portal:
        return "portal"
    if scene.lives("dns") or scene.has_moved:
        return "upstream"
    if scene.lives("hop"):
        return "operator"
    return _beyond_the_gateway(scene)


def _beyond_the_gateway(scene: Scene) -> Cause:
    """Nothing of the operator is heard: is it the modem?"""
    told = told_by_modem(scene.sight)
    if told is not None:
        return told
    if scene.is_dead("modem"):
        return _without_power(scene) or "modem"
    if scene.is_dead("hop") or scene.lives("modem"):
        return "line"
    return "unknown"


def _without_power(scene: Scene) -> Cause | None:
    """Two things that came together: nothing else explains both."""
    return "power" if scene.sight.power == "lost" else None


def told_by_modem(sight: Sight) -> Cause | None:
    """What the modem's own word explains; None where it says nothing, or that all is well."""
    return _TOLD.get(sight.modem or "connected")


def hint_of(cause: Cause) -> str:
    """The slot class it suggests, as `reach` has them."""
    if cause in _DEGRADED:
        return "degraded"
    return _HINTS.get(cause, "down_provider")


def evidence_of(scene: Scene) -> str:
    """One line: answered/asked by part of the way, and what was seen."""
    parts = [f"{name} {getattr(scene, name)}" for name in ("gateway", "modem", "hop", "dns")]
    sight = scene.sight
    parts += [f"{n} {v}" for n in ("modem", "power", "portal") if (v := getattr(sight, n)) is not None]
    parts += ["no carrier or route"] if scene.lan_was_bad else []
    parts += ["packets came"] if scene.has_moved else []
    parts += ["anchors by connections"] if scene.by_connection else []
    return ", ".join(parts)
