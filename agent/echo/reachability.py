# SPDX-License-Identifier: Apache-2.0
"""Which evidence about the link does one round of questions give, and which slot class does it hint at?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent.contract.kinds import Reach
from agent.echo import route
from agent.echo.address import Address
from agent.echo.ledger import Outcome
from agent.echo.lookup import Lookup
from agent.echo.roundtrip import longest_run

Hint = Literal["up", "degraded", "down_provider", "down_other", "unknown"]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The host's own state at one moment.

    Attributes:
        default: the default route, None when there is none.
        carrier: whether its interface sees a signal; None when unknown.
        neighbour: whether the gateway answers ARP; None when unknown.
    """

    default: route.Route | None
    carrier: bool | None = None
    neighbour: bool | None = None

    @property
    def gateway(self) -> Address | None:
        """Whom to ask on the LAN."""
        return self.default.gateway if self.default else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What was asked and answered in one round.

    Attributes:
        to_anchors: outcomes in sending order.
        lookups: None when no name was asked for.
        degraded_loss_ratio: share of lost requests from which a working link is called degraded.
    """

    to_anchors: Sequence[Outcome]
    to_gateway: Sequence[Outcome]
    lookups: Sequence[Lookup] | None
    before: Surroundings
    after: Surroundings
    method: str
    degraded_loss_ratio: float


def surroundings(proc_net: Path = route.PROC_NET, sys_net: Path = route.SYS_NET) -> Surroundings:
    """Look at the default route and its interface."""
    default = route.default_route(proc_net)
    if default is None:
        return Surroundings(None)
    neighbour = route.is_neighbour(default.gateway, proc_net) if default.gateway else None
    return Surroundings(default, route.has_carrier(default.interface, sys_net), neighbour)


def reach_of(seen: Round) -> Reach:
    """The record's figures."""
    sent = [outcome for outcome in seen.to_anchors if outcome.sent]
    answered = [is_answer_of_anchor(outcome) for outcome in sent]
    hosts_up = {outcome.address for outcome in sent if is_answer_of_anchor(outcome)}
    gateway = [outcome.answered for outcome in seen.to_gateway if outcome.sent]
    return Reach(
        up=bool(hosts_up) if sent else None,
        anchors=len({outcome.address for outcome in sent}),
        anchors_up=len(hosts_up),
        anchor_asked=len(sent),
        anchor_answered=sum(answered),
        loss_run_max=longest_run(not yes for yes in answered) if sent else None,
        gateway_asked=len(gateway),
        gateway_answered=sum(gateway),
        dns_asked=None if seen.lookups is None else sum(lookup.attempts for lookup in seen.lookups),
        dns_answered=None
        if seen.lookups is None
        else sum(lookup.answer is not None for lookup in seen.lookups),
        route=_all_round(seen.before.default is not None, seen.after.default is not None),
        carrier=_all_round(seen.before.carrier, seen.after.carrier),
        hint=hint_of(seen, answered, gateway),
        method=seen.method,
    )


def is_answer_of_anchor(outcome: Outcome) -> bool:
    """An anchor accepts connections, so a refusal comes from somebody else on the way."""
    return outcome.answered and not outcome.refused


def hint_of(seen: Round, answered: Sequence[bool], gateway: Sequence[bool]) -> Hint:
    """The slot class these answers suggest; the collector decides."""
    if any(answered):
        lost_ratio = 1 - sum(answered) / len(answered)
        return "degraded" if lost_ratio > seen.degraded_loss_ratio or _dns_is_dead(seen) else "up"
    if _is_cut_off(seen.before) or _is_cut_off(seen.after):
        return "down_other"
    if not answered:
        return "unknown"
    return _blame(seen, gateway)


def _blame(seen: Round, gateway: Sequence[bool]) -> Hint:
    """Everybody beyond the gateway is silent: is the gateway alive?"""
    if any(gateway):
        return "down_provider"
    if seen.before.gateway is None or not gateway:
        return "unknown"
    # A gateway that answers ARP but no echo may be alive or half dead: no proof either way.
    return "unknown" if seen.after.neighbour else "down_other"


def _is_cut_off(state: Surroundings) -> bool:
    return state.default is None or state.carrier is False


def _dns_is_dead(seen: Round) -> bool:
    return bool(seen.lookups) and not any(lookup.is_of_use for lookup in seen.lookups or ())


def _all_round(before: bool | None, after: bool | None) -> bool | None:
    """False if it was so at either end, None if that is not known."""
    if before is False or after is False:
        return False
    return None if before is None or after is None else True
