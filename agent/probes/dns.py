# SPDX-License-Identifier: Apache-2.0
"""How long does each resolver of the school take to answer one name?

How: one question over UDP to each resolver of `/etc/resolv.conf`, or to those configured; one record each.
Any failure, SERVFAIL and unknown names included, is a record with its reason and without a time.

Costs at the defaults: one question of 57 bytes and an answer of about 100 bytes at the IP layer each 300 s:
0.05 MB/day for each resolver beyond the link. A round takes as long as an answer, up to 10 s.

Does not tell: how long an uncached name takes (a popular name is answered from the resolver's cache), nor
whether the answer is honest.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from agent.contract.kinds import Dns
from agent.contract.option import option
from agent.contract.reason import Reason
from agent.echo import address, resolvers
from agent.echo.address import Address
from agent.echo.lookup import DNS_PORT, Lookup, look_up
from agent.echo.message import is_host_name
from agent.probes.base import Finding, ProbeFailed, ProbeOptions, Reading


@dataclass(frozen=True, kw_only=True)
class DnsProbe(ProbeOptions):
    """Its fields are the table `[probes.dns]`."""

    kind: ClassVar[str] = "dns"

    every_s: float = option("seconds from one start to the next", 300.0, low=1, high=86400)
    name: str = option("the name asked for", "example.org")
    resolvers: tuple[str, ...] = option("addresses of resolvers to ask; empty for those of the system", ())
    port: int = option("port of the resolvers", DNS_PORT, low=1, high=65535)
    timeout_s: float = option("how long to wait for each answer", 5.0, low=0.1, high=60)
    attempts: int = option("questions to one resolver before it is given up", 2, low=1, high=10)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not is_host_name(self.name):
            raise ValueError(f"name {self.name!r} is not a host name")
        for resolver in self.resolvers:
            if not address.is_numeric(resolver):
                raise ValueError(f"resolvers must be IP addresses, not {resolver!r}")
        if len(set(self.resolvers)) < len(self.resolvers):
            raise ValueError("resolvers must not repeat an address")
        longest_s = self.attempts * self.timeout_s
        if longest_s >= min(self.deadline_s, self.every_s):
            raise ValueError(
                f"attempts x timeout_s ({longest_s:g} s) must be shorter than deadline_s and every_s"
            )

    async def measure(self) -> Reading:
        """Ask every resolver once, all at the same time."""
        targets = self.resolvers or tuple(map(str, resolvers.system_resolvers()))
        if not targets:
            raise ProbeFailed(
                Reason.NO_TARGET, "no resolver is configured, neither here nor in /etc/resolv.conf"
            )
        async with asyncio.TaskGroup() as group:
            asks = [group.create_task(self._ask(target), name=f"dns {target}") for target in targets]
        return tuple(ask.result() for ask in asks)

    async def _ask(self, target: str) -> Finding:
        try:
            resolver = address.parse(target)
        except ValueError as e:
            return Finding(Dns(target=target, name=self.name), Reason.NETWORK_DOWN, str(e))
        return self._finding(target, await self._look_up(resolver))

    async def _look_up(self, resolver: Address) -> Lookup:
        return await look_up(
            resolver, self.name, timeout_s=self.timeout_s, attempts=self.attempts, port=self.port
        )

    def _finding(self, target: str, lookup: Lookup) -> Finding:
        fields = Dns(
            target=target,
            name=self.name,
            lookup_ms=lookup.lookup_ms if lookup.reason is None else None,
            answers=lookup.answer.answers if lookup.answer else None,
            rcode=lookup.answer.rcode if lookup.answer else None,
            attempts=lookup.attempts,
        )
        return Finding(fields, lookup.reason, lookup.detail)
