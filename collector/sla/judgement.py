# SPDX-License-Identifier: Apache-2.0
"""Which rule does the evidence of one slot fall under? From the internet to the school, worst last.

An anchor that answered anybody is proof that the internet answered; only without one does it matter who was
dead. The nearest dead part to the school that can be seen is the cause, and what a device says of itself
counts more than what is guessed from outside.
"""

from __future__ import annotations

from collections.abc import Iterable

from collector.sla.evidence import Evidence
from collector.sla.parameters import Parameters
from collector.sla.rule import NUMBERS
from collector.sla.sighting import SHOWN, Name, Round, Timing

_DARK = frozenset({"mains_lost", "load_off", "battery_low", "power_fault", "undervoltage"})
_BEYOND_THE_GATEWAY: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"load_off"}), "load_off"),
    (frozenset({"mains_lost"}), "mains_lost"),
    (frozenset({"modem_absent", "terminal_stowed", "terminal_hot"}), "modem_absent"),
    (frozenset({"sim_missing", "sim_locked"}), "sim"),
    (frozenset({"account", "quota"}), "account"),
    (frozenset({"portal"}), "portal"),
    (frozenset({"no_signal", "not_registered", "searching_sky", "obstructed"}), "signal"),
    (frozenset({"registration_denied", "no_address", "no_service"}), "refused"),
)
"""Codes that say for sure what was dead, and the rule each leads to; the first that is there counts."""
_PERHAPS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"modem_mute"}), "modem_mute"),
    (frozenset({"wan_down"}), "wan_down"),
    (frozenset({"router_restarted"}), "router_restarted"),
)
_TOLD = (
    ("lan", "told_lan"),
    ("power", "mains_lost"),
    ("gateway", "told_router"),
    ("sim", "told_sim"),
    ("quota", "told_quota"),
    ("modem", "told_modem"),
    ("portal", "told_portal"),
    ("line", "told_line"),
    ("operator", "told_operator"),
    ("upstream", "told_upstream"),
)
_NEAR = frozenset({"lan", "gateway"})
_LIVING_GATEWAY = frozenset({"router_up"})


def judge(evidence: Evidence, parameters: Parameters) -> int | None:
    """Number of the rule, None where nothing was measured and silence has to be explained."""
    rounds = [m for m in evidence.measured if type(m) is Round]
    living = [r for r in rounds if r.up]
    if living:
        return NUMBERS[_living(living, evidence, parameters)]
    if rounds:
        return NUMBERS[_dead(rounds, evidence)]
    told = _first_told(evidence.filled)
    if told is None and "dns" in evidence.filled:
        told = "told_dns"
    return None if told is None else NUMBERS[told]


def loss_ratio(seen: Round) -> float | None:
    """Share of requests lost to the anchors that live; None where it is not known.

    An anchor that says nothing at all is the anchor's matter: its share of the requests, rounded up, is
    taken out of those asked and of those lost.
    """
    if not seen.asked or seen.answered is None:
        return None
    dead = 0
    if seen.anchors and seen.anchors_up is not None:
        dead = -(-seen.asked * (seen.anchors - seen.anchors_up) // seen.anchors)
    asked = seen.asked - dead
    return max(0, asked - seen.answered) / asked if asked > 0 else 0.0


def _living(living: list[Round], evidence: Evidence, parameters: Parameters) -> str:
    """Of several witnesses the one who had it best counts: what it saw, the line can do."""
    losses = [x for r in living if (x := loss_ratio(r)) is not None]
    times = [m.rtt_ms for m in evidence.measured if type(m) is Timing]
    limit_ms = parameters.degraded_rtt_ms
    if parameters.portal_degrades and evidence.codes & SHOWN:
        return "quota_seen" if "quota" in evidence.codes else "portal_seen"
    if parameters.dns_degrades and _names_fail(living, evidence):
        return "names_failed"
    if losses and min(losses) > parameters.degraded_loss_ratio:
        return "lossy"
    if limit_ms is not None and times and min(times) > limit_ms:
        return "slow"
    return "anchors_answered"


def _names_fail(living: Iterable[Round], evidence: Evidence) -> bool:
    """Whether names were asked for and not one was answered."""
    answered = [bool(r.dns_answered) for r in living if r.dns_asked]
    answered += [m.was_answered for m in evidence.measured if type(m) is Name]
    return bool(answered) and not any(answered)


def _dead(rounds: list[Round], evidence: Evidence) -> str:
    """No anchor answered anybody."""
    asked = [r for r in rounds if r.up is False]
    if any(r.gateway_answered for r in asked):
        return _beyond_the_gateway(asked, evidence) or "anchors_dead"
    near = _near(rounds, evidence)
    if near is not None:
        return "gateway_dark" if evidence.codes & _DARK else near
    if not asked:
        return "nobody_asked"
    lives = evidence.codes & _LIVING_GATEWAY
    return _beyond_the_gateway(asked, evidence) or ("anchors_dead" if lives else "gateway_unheard")


def _near(rounds: list[Round], evidence: Evidence) -> str | None:
    """What was dead between the device and the gateway, whose silence counts only where it was asked."""
    if any(r.carrier is False for r in rounds):
        return "no_carrier"
    if any(r.route is False for r in rounds):
        return "no_route"
    if not any(r.gateway_asked for r in rounds if r.up is False):
        return None
    return "told_lan" if "lan" in evidence.told else "gateway_dead"


def _beyond_the_gateway(asked: list[Round], evidence: Evidence) -> str | None:
    found = _first(_BEYOND_THE_GATEWAY, evidence.codes)
    if found is None:
        found = _first_told(evidence.told - _NEAR) or _first(_PERHAPS, evidence.codes)
    if found is None and any(r.dns_answered for r in asked):
        return "names_answered"
    if found is None and "connected" in evidence.codes:
        return "connected"
    if found is None and "weak_signal" in evidence.codes:
        return "weak_signal"
    return found


def _first(table: Iterable[tuple[frozenset[str], str]], codes: frozenset[str]) -> str | None:
    return next((name for wanted, name in table if wanted & codes), None)


def _first_told(causes: frozenset[str]) -> str | None:
    return next((name for cause, name in _TOLD if cause in causes), None)
