# SPDX-License-Identifier: Apache-2.0
"""How long is the way to each target and back, how much does it vary, how much is lost on it?

How: a burst of echo requests to every target at once, spread over a few seconds, timed by the kernel; one
record each. Targets that answered none, not even late, are asked by as many connections afterwards, if
`deadline_s` and `every_s` leave the time, and by one more echo request at the end. Where connections alone
are answered the record tells of them, and `method` says `tcp`.

Costs at the defaults: 10 requests to each of two anchors every 300 s, 36 bytes each way at the IP layer:
0.41 MB/day, 0.97 MB/day as Ethernet frames with their gaps; the gateway costs no bytes of the link. Where
echo is dropped on the way, 10 connections to each of 284 bytes, 344 on a geostationary link: 1.9 to 2.2
MB/day in all. A round takes 5 s, up to 15 s when an answer is missing: late ones are waited for until twice
the time-out; up to 25 s when a target is silent.

Does not tell: which direction is slow, nor how the link feels under load (see `loaded`). The time of a
connection is that of its handshake: of a host that is slow to accept it is more than the way. One that was
refused has no time unless it was the gateway who refused: beyond it nobody knows who did.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import ClassVar

from agent.contract.kinds import Latency
from agent.contract.option import option
from agent.echo import route
from agent.echo.address import Address
from agent.echo.ask import Answers, ask, ask_by_connection
from agent.echo.ledger import Outcome
from agent.echo.plan import Ask, evenly, interleaved
from agent.echo.problem import NoAnswer
from agent.echo.roundtrip import latency_of, reason_of_silence
from agent.echo.target import GATEWAY, LOOKUP_TIMEOUTS, find, is_target
from agent.probes.base import Finding, ProbeOptions, Reading


@dataclass(frozen=True, kw_only=True)
class LatencyProbe(ProbeOptions):
    """Its fields are the table `[probes.latency]`."""

    kind: ClassVar[str] = "latency"

    every_s: float = option("seconds from one start to the next", 300.0, low=1, high=86400)
    deadline_s: float = option(
        "a round that takes longer is stopped and recorded as `overran`", 55.0, low=0.1, high=86400
    )
    targets: tuple[str, ...] = option(
        "addresses or names to ask; `gateway` is the LAN gateway, found by itself",
        (GATEWAY, "1.1.1.1", "8.8.8.8"),
    )
    count: int = option("requests to each target in one round", 10, low=1, high=1000)
    spacing_s: float = option("seconds between two requests to one target", 0.5, low=0.01, high=60)
    timeout_s: float = option(
        "an answer that takes longer is late; satellite links need seconds", 5.0, low=0.1, high=60
    )
    tcp_port: int = option(
        "port of the connections made instead where ICMP is not permitted or not answered",
        443,
        low=1,
        high=65535,
    )

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not 1 <= len(self.targets) <= _MAX_TARGETS:
            raise ValueError(f"targets must name 1 to {_MAX_TARGETS} hosts")
        for target in self.targets:
            if not is_target(target):
                raise ValueError(f"target {target!r} is not an address, a host name or `{GATEWAY}`")
        if len(set(self.targets)) < len(self.targets):
            raise ValueError("targets must not repeat a host")
        if self._longest_s >= min(self.deadline_s, self.every_s):
            raise ValueError(
                f"count x spacing_s + {_PATIENCE + LOOKUP_TIMEOUTS} x timeout_s ({self._longest_s:g} s) "
                "must be shorter than deadline_s and every_s"
            )

    async def measure(self) -> Reading:
        """Ask every target once."""
        async with asyncio.TaskGroup() as group:
            searches = [
                group.create_task(self._find(target), name=f"find {target}") for target in self.targets
            ]
        places = dict(zip(self.targets, (search.result() for search in searches), strict=True))
        addresses = list(dict.fromkeys(place for place in places.values() if isinstance(place, Address)))
        answers = await self._ask(addresses, _gateway())
        return tuple(_finding(target, place, answers) for target, place in places.items())

    async def _find(self, target: str) -> Address | NoAnswer:
        try:
            return await find(target, timeout_s=self.timeout_s)
        except NoAnswer as e:
            return e

    async def _ask(self, addresses: list[Address], near: list[Address]) -> Answers:
        answers = await ask(
            self._plan(addresses),
            timeout_s=self.timeout_s,
            patience_s=_PATIENCE * self.timeout_s,
            tcp_port=self.tcp_port,
            near=near,
        )
        silent = [a for a in addresses if (by_echo := answers.to([a])) and not _any_answered(by_echo)]
        if answers.method == "tcp" or not silent or not self._has_time_to_connect:
            return answers
        return replace(answers, instead=answers.instead + await self._ask_silent(silent, near))

    async def _ask_silent(self, silent: list[Address], near: list[Address]) -> tuple[Outcome, ...]:
        """By connections, and by one more echo request each: who answers that has only just come back."""
        plan = self._plan(silent)
        again = [Ask(plan[-1].at_s, address) for address in silent]
        port = self.tcp_port
        async with asyncio.TaskGroup() as group:
            connecting = group.create_task(
                ask_by_connection(plan, timeout_s=self.timeout_s, port=port, near=near),
                name="latency connections",
            )
            echoing = group.create_task(
                ask(again, timeout_s=self.timeout_s, tcp_port=port), name="latency echo at the end"
            )
        back = {outcome.address for outcome in echoing.result().outcomes if outcome.answered}
        return tuple(outcome for outcome in connecting.result() if outcome.address not in back)

    def _plan(self, addresses: list[Address]) -> list[Ask]:
        shift_s = self.spacing_s / max(1, len(addresses))
        plans = (
            evenly([place], every_s=self.spacing_s, count=self.count, from_s=i * shift_s)
            for i, place in enumerate(addresses)
        )
        return interleaved(plans)

    @property
    def _longest_s(self) -> float:
        return self.count * self.spacing_s + (_PATIENCE + LOOKUP_TIMEOUTS) * self.timeout_s

    @property
    def _has_time_to_connect(self) -> bool:
        longest_s = self._longest_s + self.count * self.spacing_s + self.timeout_s + _SPARE_S
        return longest_s < min(self.deadline_s, self.every_s)


_MAX_TARGETS = 32
_PATIENCE = 2
"""An answer that has not come after so many time-outs is lost (RFC 2680 §2.5 wants such a bound)."""
_SPARE_S = 1.0
"""A round's own work; one that overran would lose its figures."""


def _any_answered(outcomes: list[Outcome]) -> bool:
    return any(outcome.answered for outcome in outcomes)


def _finding(target: str, place: Address | NoAnswer, answers: Answers) -> Finding:
    if isinstance(place, NoAnswer):
        return Finding(Latency(target=target), place.reason, place.detail)
    method, outcomes = answers.of([place])
    reason = reason_of_silence(outcomes)
    fields = latency_of(target, outcomes, method=method)
    return Finding(
        fields, reason, None if reason is None else f"none of {len(outcomes)} requests was answered in time"
    )


def _gateway() -> list[Address]:
    default = route.default_route()
    return [default.gateway] if default and default.gateway else []
