# SPDX-License-Identifier: Apache-2.0
"""How long is the way to each target and back, how much does it vary, how much is lost on it?

How: a burst of echo requests to every target at once, spread over a few seconds, timed by the kernel; one
record each.

Costs at the defaults: 10 requests to each of two anchors every 300 s, 36 bytes each way at the IP layer: 0.41
MB/day, 0.97 MB/day as Ethernet frames with their gaps; the gateway costs no bytes of the link. A round takes
5 s, up to 15 s when an answer is missing: late ones are waited for until twice the time-out.

Does not tell: which direction is slow, nor how the link feels under load (see `loaded`).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from agent.contract.kinds import Latency
from agent.contract.option import option
from agent.echo.address import Address
from agent.echo.ask import Answers, ask
from agent.echo.plan import evenly, interleaved
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
        "port of the connections made instead where ICMP is not permitted", 443, low=1, high=65535
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
        longest_s = self.count * self.spacing_s + (_PATIENCE + LOOKUP_TIMEOUTS) * self.timeout_s
        if longest_s >= min(self.deadline_s, self.every_s):
            raise ValueError(
                f"count x spacing_s + {_PATIENCE + LOOKUP_TIMEOUTS} x timeout_s ({longest_s:g} s) "
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
        answers = await self._ask(addresses)
        return tuple(_finding(target, place, answers) for target, place in places.items())

    async def _find(self, target: str) -> Address | NoAnswer:
        try:
            return await find(target, timeout_s=self.timeout_s)
        except NoAnswer as e:
            return e

    async def _ask(self, addresses: list[Address]) -> Answers:
        shift_s = self.spacing_s / max(1, len(addresses))
        plans = (
            evenly([place], every_s=self.spacing_s, count=self.count, from_s=i * shift_s)
            for i, place in enumerate(addresses)
        )
        return await ask(
            interleaved(plans),
            timeout_s=self.timeout_s,
            patience_s=_PATIENCE * self.timeout_s,
            tcp_port=self.tcp_port,
        )


_MAX_TARGETS = 32
_PATIENCE = 2
"""An answer that has not come after so many time-outs is lost (RFC 2680 §2.5 wants such a bound)."""


def _finding(target: str, place: Address | NoAnswer, answers: Answers) -> Finding:
    if isinstance(place, NoAnswer):
        return Finding(Latency(target=target), place.reason, place.detail)
    outcomes = answers.to([place])
    reason = reason_of_silence(outcomes)
    fields = latency_of(target, outcomes, method=answers.method)
    return Finding(
        fields, reason, None if reason is None else f"none of {len(outcomes)} requests was answered in time"
    )
