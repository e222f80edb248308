# SPDX-License-Identifier: Apache-2.0
"""Does the internet answer, and if not, is it the operator's part or the school's?

How: for most of each minute independent public addresses (anchors) are asked in rotation and the LAN gateway
more often in between; one name is looked up; the default route and the carrier are looked at before and
after. When the first three requests to anchors are overdue and none was answered, somebody on the way may
drop echo requests: from there on connections are made beside them (`agent/echo/knock.py`). Only if no echo
was answered in the round and connections were are they what the record tells of, and `method` says `tcp`.

Costs at the defaults: 10 requests to anchors a minute of 36 bytes each way at the IP layer: 1.04 MB/day,
2.42 MB/day as Ethernet frames with their gaps; the name about 0.25 MB/day if the resolver is beyond the
link. The gateway costs no bytes of the link. Where echo is dropped on the way, 7 connections of 284 bytes
come on top, 344 on a geostationary link: 3.4 to 4.0 MB/day in all; where the device may not send ICMP, 10
are made at once: 4.1 to 5.0 MB/day. A round takes 49 s, up to 54 s when an answer is missing.

Does not tell: whether web pages open (captive portals, filters), nor dates an outage finer than the asking
allows. Where echo is dropped, not how the link was in the first 15 s of a round; where besides an
accelerator or a portal accepts connections in everybody's name, a working link looks dead.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from agent.contract.kinds import Reach
from agent.contract.option import option
from agent.contract.reason import Reason
from agent.echo import address, resolvers
from agent.echo.address import Address
from agent.echo.ask import Answers, ask
from agent.echo.lookup import Lookup, look_up
from agent.echo.message import is_host_name
from agent.echo.plan import evenly, fitting, in_doubt, interleaved
from agent.echo.reachability import Round, Surroundings, reach_of, surroundings
from agent.echo.roundtrip import reason_of_silence
from agent.probes.base import Finding, ProbeOptions, Reading


@dataclass(frozen=True, kw_only=True)
class ReachProbe(ProbeOptions):
    """Its fields are the table `[probes.reach]`."""

    kind: ClassVar[str] = "reach"

    every_s: float = option("seconds from one start to the next", 60.0, low=1, high=86400)
    deadline_s: float = option(
        "a round that takes longer is stopped and recorded as `overran`", 58.0, low=0.1, high=86400
    )
    anchors: tuple[str, ...] = option(
        "independent public addresses asked in rotation; numeric, so that a dead resolver is no dead link",
        ("1.1.1.1", "8.8.8.8", "9.9.9.9"),
    )
    watch_s: float = option("seconds of each round during which requests are sent", 50.0, low=0.1, high=3600)
    anchor_every_s: float = option("seconds between two requests to anchors", 5.0, low=0.1, high=3600)
    gateway_every_s: float = option("seconds between two requests to the gateway", 2.0, low=0.1, high=3600)
    timeout_s: float = option(
        "an answer that takes longer is late; satellite links need seconds", 5.0, low=0.1, high=60
    )
    degraded_loss_ratio: float = option(
        "a larger share of unanswered requests is called degraded", 0.2, low=0, high=1
    )
    dns_name: str = option("name looked up in each round; empty for none", "example.org")
    tcp_port: int = option(
        "port of the connections made instead where ICMP is not permitted or not answered",
        443,
        low=1,
        high=65535,
    )

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not self.anchors:
            raise ValueError("anchors must name at least one address")
        for anchor in self.anchors:
            if "%" in anchor or not address.is_numeric(anchor):
                raise ValueError(f"anchors must be IP addresses, not {anchor!r}")
        if len(set(self.anchors)) < len(self.anchors):
            raise ValueError("anchors must not repeat an address")
        if self.dns_name and not is_host_name(self.dns_name):
            raise ValueError(f"dns_name {self.dns_name!r} is not a host name")
        longest_s = self.watch_s + self.timeout_s
        if longest_s >= min(self.deadline_s, self.every_s):
            raise ValueError(
                f"watch_s + timeout_s ({longest_s:g} s) must be shorter than deadline_s and every_s"
            )

    async def measure(self) -> Reading:
        """Watch once."""
        before = surroundings()
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(self._ask(before), name="reach anchors and gateway")
            naming = group.create_task(self._look_up(), name="reach name")
        seen = self._round(asking.result(), naming.result(), before)
        return (_finding(seen),)

    async def _ask(self, before: Surroundings) -> Answers:
        gateway = [before.gateway] if before.gateway else []
        # The gateway is asked half a step later, so that it never answers in the anchors' moments.
        shift_s = min(self.gateway_every_s, self.watch_s) / 2
        anchor_count = fitting(self.watch_s, every_s=self.anchor_every_s)
        gateway_count = fitting(self.watch_s - shift_s, every_s=self.gateway_every_s)
        plan = interleaved(
            (
                evenly(self._anchors, every_s=self.anchor_every_s, count=anchor_count),
                evenly(gateway, every_s=self.gateway_every_s, count=gateway_count, from_s=shift_s),
            )
        )
        return await ask(
            plan,
            timeout_s=self.timeout_s,
            tcp_port=self.tcp_port,
            near=gateway,
            in_doubt=in_doubt(plan, self._anchors, timeout_s=self.timeout_s, until_s=self.watch_s),
        )

    async def _look_up(self) -> list[Lookup] | None:
        """Ask one resolver after the other until one is of use, as the C library does."""
        if not self.dns_name:
            return None
        lookups: list[Lookup] = []
        for resolver in resolvers.system_resolvers():
            lookups.append(await look_up(resolver, self.dns_name, timeout_s=self.timeout_s))
            if lookups[-1].is_of_use:
                break
        return lookups

    def _round(self, answers: Answers, lookups: list[Lookup] | None, before: Surroundings) -> Round:
        method, to_anchors = answers.of(self._anchors)
        return Round(
            to_anchors=to_anchors,
            to_gateway=answers.to([before.gateway] if before.gateway else []),
            lookups=lookups,
            before=before,
            after=surroundings(),
            method=method,
            degraded_loss_ratio=self.degraded_loss_ratio,
        )

    @property
    def _anchors(self) -> list[Address]:
        return [address.parse(anchor) for anchor in self.anchors]


def _finding(seen: Round) -> Finding:
    """That nobody answered is a finding; that nobody could be asked is a failure to measure."""
    fields: Reach = reach_of(seen)
    if fields.up is not None:
        return Finding(fields)
    reason = reason_of_silence(seen.to_anchors) or Reason.NETWORK_DOWN
    return Finding(fields, reason, "no request to an anchor could be sent")
