# SPDX-License-Identifier: Apache-2.0
"""Does IPv6 work, or is it there only by name?

How: the host's addresses and default route are read from the kernel; anchors are asked by IPv6 and, so that a
dead link is not called broken IPv6, by IPv4 too; the resolver is asked for the IPv6 address of a name. Where
no echo by IPv6 is answered, connections are made as well; where all are, the first anchor is sent one as
large as the host's packets, up to three times, and the others where it stays silent.

Costs at the defaults: nothing but a question of 60 bytes where there is no IPv6; else 3 requests by either
version of 56 and 36 bytes and one of 1500 each way at the IP layer each hour: 0.09 MB/day; where IPv6 is
silent, 1.4 kB of connections each hour instead. A round takes as long as the answers.

Does not tell: whether pages get through by IPv6 (`http` with `families = [6]` does).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from agent.contract.kinds import Ipv6
from agent.contract.option import option
from agent.echo import address, resolvers, route
from agent.echo.address import Address
from agent.echo.ask import Method, ask
from agent.echo.ledger import Outcome
from agent.echo.lookup import look_up
from agent.echo.message import RecordType, is_host_name
from agent.echo.plan import evenly
from agent.echo.roundtrip import percentile
from agent.probes.base import Finding, ProbeOptions, Reading
from agent.trace import large

_LARGE_S = 3.0
"""How long a large one is waited for, at most: small ones have come back by then."""


@dataclass(frozen=True, kw_only=True)
class Ipv6Probe(ProbeOptions):
    """Its fields are the table `[probes.ipv6]`."""

    kind: ClassVar[str] = "ipv6"

    every_s: float = option("seconds from one start to the next", 3600.0, low=1, high=86400)
    anchors: tuple[str, ...] = option(
        "IPv6 addresses asked", ("2606:4700:4700::1111", "2001:4860:4860::8888", "2620:fe::fe")
    )
    ipv4_anchors: tuple[str, ...] = option(
        "IPv4 addresses asked, to tell broken IPv6 from a dead link", ("1.1.1.1", "8.8.8.8", "9.9.9.9")
    )
    name: str = option("name that has an IPv6 address; empty for none", "example.org")
    timeout_s: float = option("how long to wait for each answer", 5.0, low=0.1, high=60)
    tcp_port: int = option(
        "port of the connections made where echo is not permitted or not answered", 443, low=1, high=65535
    )

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        for texts, family in ((self.anchors, "IPv6"), (self.ipv4_anchors, "IPv4")):
            for text in texts:
                if not address.is_numeric(text) or (":" in text) != (family == "IPv6") or "%" in text:
                    raise ValueError(f"{text!r} is not an {family} address")
        if not self.anchors:
            raise ValueError("anchors must name at least one address")
        if self.name and not is_host_name(self.name):
            raise ValueError(f"name {self.name!r} is not a host name")
        large_s = 2 * large.TRIES * min(self.timeout_s, _LARGE_S)
        if self.timeout_s + max(self.timeout_s, large_s) >= min(self.deadline_s, self.every_s):
            raise ValueError("twice timeout_s must be shorter than deadline_s and every_s")

    async def measure(self) -> Reading:
        """Look, and ask where there is anything to ask."""
        has_address, has_route = route.has_global_address_6(), route.has_default_route_6()
        async with asyncio.TaskGroup() as group:
            naming = group.create_task(self._aaaa(), name="ipv6 name")
            asking = group.create_task(self._ask(is_worth_it=has_address and has_route), name="ipv6 anchors")
        method, by_6, by_4 = asking.result()
        sent = [outcome for outcome in by_6 if outcome.sent]
        answered = sum(outcome.answered and not outcome.refused for outcome in sent)
        ipv4_answered = sum(o.answered and not o.refused for o in by_4) if by_4 else None
        # Where every small one came back, a large one that does not is not lost by chance.
        is_sure = method == "icmp" and answered == len(sent) > 0
        large_answered = await self._large(sent) if is_sure else None
        working = None if not by_6 and has_address and has_route else answered > 0
        verdict = _verdict(has_address, has_route, answered, ipv4_answered)
        if verdict == "working" and large_answered is False:
            verdict = "large_lost"
        fields = Ipv6(
            verdict=verdict,
            working=working,
            broken=None if verdict == "unknown" else verdict == "broken",
            address=has_address,
            route=has_route,
            anchor_asked=len(sent),
            anchor_answered=answered,
            rtt_median_ms=percentile(sorted(o.rtt_ms for o in sent if o.rtt_ms is not None), 0.5),
            ipv4_answered=ipv4_answered,
            aaaa_answers=naming.result(),
            large_answered=large_answered,
        )
        return (Finding(fields),)

    async def _ask(self, *, is_worth_it: bool) -> tuple[Method, list[Outcome], list[Outcome]]:
        """By what IPv6 was asked, and what became of it; what became of IPv4."""
        if not is_worth_it:
            return "icmp", [], []
        six, four = _parsed(self.anchors), _parsed(self.ipv4_anchors)
        plan = evenly([*six, *four], every_s=0.1, count=len(six) + len(four))
        in_doubt = evenly(six, every_s=0.1, count=len(six), from_s=self.timeout_s / 2)
        answers = await ask(plan, timeout_s=self.timeout_s, tcp_port=self.tcp_port, in_doubt=in_doubt)
        return *answers.of(six), answers.of(four)[1]

    async def _large(self, sent: list[Outcome]) -> bool | None:
        hosts = list(dict.fromkeys(outcome.address for outcome in sent))
        return await large.comes_back(hosts, timeout_s=min(self.timeout_s, _LARGE_S))

    async def _aaaa(self) -> int | None:
        """From the first resolver; None when it does not answer, or does not say."""
        asked = resolvers.system_resolvers()
        if not self.name or not asked:
            return None
        lookup = await look_up(asked[0], self.name, timeout_s=self.timeout_s, kind=RecordType.AAAA)
        if lookup.answer is None or not lookup.is_of_use or lookup.answer.truncated:
            return None
        return len(lookup.answer.addresses)


def _verdict(has_address: bool, has_route: bool, answered: int, ipv4_answered: int | None) -> str:
    """In the order in which things must be there."""
    if not has_address:
        return "absent"
    if not has_route:
        return "no_route"
    if answered:
        return "working"
    return "broken" if ipv4_answered else "unknown"


def _parsed(texts: tuple[str, ...]) -> list[Address]:
    return [address.parse(text) for text in texts]
