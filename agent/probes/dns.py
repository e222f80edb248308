# SPDX-License-Identifier: Apache-2.0
"""How long does each resolver of the school take to answer one name, and is it honest?

How: one question over UDP to each resolver of `/etc/resolv.conf`, or to those configured, and over TCP what
does not fit a datagram; one record each. Any failure, SERVFAIL and unknown names included, is a record with
its reason and without a time; so is an answer that has no address. Beside it each is asked for a random name
below a zone that has none, by both versions where IPv6 has a default route: an address for it is a hijack (a
search page, a portal). An address that no public server can have, or that is not among `expected`, is a
poisoned answer and a failure; an answer that shares no address with the other resolvers' is only marked.

Costs at the defaults: two questions of 57 and 68 bytes and answers of about 100 and 130 bytes at the IP layer
each 300 s: 0.10 MB/day for each resolver beyond the link, 0.16 with IPv6. A round takes as long as an answer,
up to 20 s.

Does not tell: how long an uncached name takes (a popular name is answered from the resolver's cache), nor
whether a public but wrong address is wrong, unless `expected` says what is right. A resolver that knows the
zone `invalid` itself may still lie about other names that do not exist: a zone of one's own shows that.
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from agent.contract.kinds import Dns
from agent.contract.option import option
from agent.contract.reason import Reason
from agent.echo import address, honesty, resolvers, route
from agent.echo.lookup import DNS_PORT, Lookup, look_up, look_up_whole
from agent.echo.message import RecordType, is_host_name
from agent.probes.base import Finding, ProbeFailed, ProbeOptions, Reading

_RANDOM_BYTES = 8
_WHOLE = 2
"""Questions for an answer that did not fit a datagram: the same again, and one over TCP."""


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
    slow_ms: float = option("an answer that takes longer is called slow", 2000.0, low=1, high=60_000)
    expected: tuple[str, ...] = option(
        "networks that the addresses of `name` must be in; empty for any public address", ()
    )
    absent_zone: str = option(
        "zone that has no names; random ones below it are asked for; empty for none", "invalid"
    )

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not is_host_name(self.name):
            raise ValueError(f"name {self.name!r} is not a host name")
        if self.absent_zone and not is_host_name(f"{'x' * 2 * _RANDOM_BYTES}.{self.absent_zone}"):
            raise ValueError(f"absent_zone {self.absent_zone!r} is not a domain name")
        for resolver in self.resolvers:
            if not address.is_numeric(resolver):
                raise ValueError(f"resolvers must be IP addresses, not {resolver!r}")
        if len(set(self.resolvers)) < len(self.resolvers):
            raise ValueError("resolvers must not repeat an address")
        honesty.networks(self.expected)
        longest_s = (self.attempts + _WHOLE) * self.timeout_s
        if longest_s >= min(self.deadline_s, self.every_s):
            raise ValueError(
                f"(attempts + {_WHOLE}) x timeout_s ({longest_s:g} s) must be shorter than deadline_s "
                "and every_s"
            )

    async def measure(self) -> Reading:
        """Ask every resolver once, all at the same time."""
        targets = self.resolvers or tuple(map(str, resolvers.system_resolvers()))
        if not targets:
            raise ProbeFailed(
                Reason.NO_TARGET, "no resolver is configured, neither here nor in /etc/resolv.conf"
            )
        async with asyncio.TaskGroup() as group:
            asks = {t: group.create_task(self._ask(t, self.name), name=f"dns {t}") for t in targets}
            absent = {t: group.create_task(self._ask_absent(t), name=f"dns absent {t}") for t in targets}
        lookups = {target: ask.result() for target, ask in asks.items()}
        return tuple(self._finding(target, lookups, absent[target].result()) for target in targets)

    async def _ask(self, target: str, name: str, kind: RecordType = RecordType.A) -> Lookup:
        try:
            resolver = address.parse(target)
        except ValueError as e:
            return Lookup(attempts=0, reason=Reason.NETWORK_DOWN, detail=str(e))
        more: Any = {"timeout_s": self.timeout_s, "port": self.port, "kind": kind}
        found = await look_up(resolver, name, attempts=self.attempts, **more)
        if found.answer is None or not found.answer.truncated:
            return found
        whole = await look_up_whole(resolver, name, **more)
        addresses = whole.answer.addresses if whole.answer is not None else ()
        answer = dataclasses.replace(found.answer, addresses=addresses)
        return dataclasses.replace(
            found,
            attempts=found.attempts + whole.attempts,
            answer=answer,
            reason=whole.reason,
            detail=whole.detail,
        )

    async def _ask_absent(self, target: str) -> bool | None:
        """Some resolvers invent addresses of one version only: whoever has both is misled by either."""
        if not self.absent_zone:
            return None
        name = f"{secrets.token_hex(_RANDOM_BYTES)}.{self.absent_zone}"
        kinds = list(RecordType) if route.has_default_route_6() else [RecordType.A]
        lookups = await asyncio.gather(*(self._ask(target, name, kind) for kind in kinds))
        told = {honesty.is_hijacked(lookup) for lookup in lookups} - {None}
        return any(told) if told else None

    def _finding(self, target: str, lookups: Mapping[str, Lookup], hijacked: bool | None) -> Finding:
        lookup = lookups[target]
        if lookup.answer is None:
            fields = Dns(target=target, name=self.name, attempts=lookup.attempts, hijacked=hijacked)
            return Finding(fields, lookup.reason, lookup.detail)
        found = lookup.answer
        poisoned = honesty.is_poisoned(found.addresses, honesty.networks(self.expected))
        others = [other for name, other in lookups.items() if name != target]
        reason, detail = lookup.reason, lookup.detail
        if poisoned:
            reason, detail = Reason.BAD_ANSWER, "an address of the answer cannot be right"
        elif reason is None and not found.addresses:
            reason, detail = Reason.NAME_UNKNOWN, "the answer has no address"
        fields = Dns(
            target=target,
            name=self.name,
            lookup_ms=lookup.lookup_ms if reason is None else None,
            answers=found.answers,
            rcode=found.rcode,
            attempts=lookup.attempts,
            hijacked=hijacked,
            poisoned=poisoned,
            differs=honesty.differs(lookup, others),
            truncated=found.truncated,
            slow=None if lookup.lookup_ms is None else lookup.lookup_ms > self.slow_ms,
        )
        verdict = _verdict(fields, is_answered=reason is None)
        return Finding(dataclasses.replace(fields, verdict=verdict), reason, detail)


def _verdict(fields: Dns, *, is_answered: bool) -> str | None:
    """The worst that holds; a resolver that says nothing of the name is not honest by that."""
    order = ("poisoned", "hijacked", "truncated", "slow", "differs")
    return next((word for word in order if getattr(fields, word)), "honest" if is_answered else None)
