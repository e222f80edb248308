# SPDX-License-Identifier: Apache-2.0
"""By which routers do packets leave the school, how large may they be, and how far is the operator?

How: a short-lived child with scapy sends packets whose hop limit grows (RFC 1812 §5.3.1), by ICMP, and if the
target does not answer that, by UDP, then TCP. Packets that must not be fragmented, of several sizes, find the
path MTU even where ICMP messages about it are dropped; that is then called a black hole (RFC 2923 §2.1). The
first hop that is not private is the operator's, and is sent echo requests.

Costs at the defaults, measured at the IP layer: for each target each 3600 s 4.5 kB over 4 hops where packets
of 1500 bytes pass, 8.5 kB where a router says what passes, 50 kB where 1400 bytes pass and nobody says so:
0.11, 0.20 or 1.20 MB/day, and 0.25 kB a round for each further hop. A round takes 3 to 6 s, up to 60 s where
much is silent and far; the child meanwhile 56 MB, and 0.3 s of a fast processor.

Does not tell: the way back, nor hops that answer nobody. IPv4 only. Needs the extra `path` and CAP_NET_RAW,
which the unit does not give (systemd/school-agent.service.d/path.conf does); without them each round is a
recorded failure. Off by default.
"""

from __future__ import annotations

import socket
import zlib
from dataclasses import dataclass
from typing import ClassVar

from agent.contract.kinds import NetworkPath
from agent.contract.option import option
from agent.contract.reason import Reason
from agent.echo import address
from agent.echo.problem import NoAnswer
from agent.echo.roundtrip import percentile
from agent.probes.base import Finding, ProbeOptions, Reading
from agent.trace import child
from agent.trace.told import Hop, Method, Order, Told

_GRACE_S = 6.0
"""The child is killed before the round is: see `agent.trace.child`."""


@dataclass(frozen=True, kw_only=True)
class PathProbe(ProbeOptions):
    """Its fields are the table `[probes.path]`."""

    kind: ClassVar[str] = "path"

    enabled: bool = option("whether the probe runs", False)
    every_s: float = option("seconds from one start to the next", 3600.0, low=1, high=86400)
    deadline_s: float = option(
        "a round that takes longer is stopped and recorded as `overran`", 90.0, low=0.1, high=86400
    )
    targets: tuple[str, ...] = option("IPv4 addresses at the end of the paths", ("1.1.1.1",))
    methods: tuple[Method, ...] = option(
        "icmp, udp, tcp: tried in this order until the target answers", ("icmp", "udp", "tcp")
    )
    hops_max: int = option("hops asked at most", 24, low=1, high=64)
    tries: int = option("packets to each hop", 3, low=1, high=10)
    timeout_s: float = option("how long to wait for each answer", 3.0, low=0.1, high=30)
    port: int = option("port of the target, for UDP and TCP", 443, low=1, high=65535)
    operator_pings: int = option("echo requests to the operator's first hop; 0 for none", 5, low=0, high=100)
    mtu_max_bytes: int = option("largest packet tried; 0 to leave the MTU alone", 1500, low=0, high=9000)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not self.targets or not self.methods:
            raise ValueError("targets and methods must not be empty")
        for target in self.targets:
            if not address.is_numeric(target) or address.parse(target).family != socket.AF_INET:
                raise ValueError(f"targets must be IPv4 addresses, not {target!r}")
        if len(set(self.targets)) < len(self.targets):
            raise ValueError("targets must not repeat an address")
        if self._budget_s <= 0:
            raise ValueError(f"deadline_s must leave more than {_GRACE_S:g} s to each target")

    async def measure(self) -> Reading:
        """One child after the other: two at once would disturb each other and cost twice the memory."""
        return tuple([await self._trace(target) for target in self.targets])

    @property
    def _budget_s(self) -> float:
        return self.deadline_s / max(1, len(self.targets)) - _GRACE_S

    async def _trace(self, target: str) -> Finding:
        order = Order(
            target=target,
            methods=self.methods,
            hops_max=self.hops_max,
            tries=self.tries,
            timeout_s=self.timeout_s,
            budget_s=self._budget_s,
            port=self.port,
            pings=self.operator_pings,
            mtu_max_bytes=self.mtu_max_bytes,
        )
        try:
            told = await child.find_out(order)
        except NoAnswer as e:
            return Finding(NetworkPath(target=target), e.reason, e.detail)
        return finding_of(target, told, self.mtu_max_bytes)


def finding_of(target: str, told: Told, mtu_max_bytes: int) -> Finding:
    """The record's figures; that the target did not answer is said beside the hops that did."""
    rtts_ms = sorted(told.operator_rtts_ms)
    fields = NetworkPath(
        target=target,
        method=told.method,
        reached=told.reached,
        hop_count=len(told.hops),
        hops_answered=sum(hop.address is not None for hop in told.hops),
        hops=";".join(map(_written, told.hops)) or None,
        path_hash=zlib.crc32(" ".join(hop.address or "*" for hop in told.hops).encode())
        if told.hops
        else None,
        mtu_bytes=told.mtu_bytes,
        mtu_black_hole=None
        if told.mtu_bytes is None
        else told.mtu_bytes < mtu_max_bytes and not told.mtu_told,
        operator_hop=told.operator_hop,
        operator_hop_ttl=told.operator_ttl,
        operator_sent=told.operator_sent,
        operator_received=len(rtts_ms) if told.operator_sent is not None else None,
        operator_rtt_median_ms=percentile(rtts_ms, 0.5),
    )
    if told.reached:
        return Finding(fields)
    if told.refused_by is not None:
        return Finding(fields, Reason.UNREACHABLE, f"{told.refused_by} says that the target is unreachable")
    return Finding(fields, Reason.TIMEOUT, f"the target is silent; {len(told.hops)} hops answered")


def _written(hop: Hop) -> str:
    if hop.address is None:
        return f"*,,0/{hop.asked}"
    return f"{hop.address},{'' if hop.rtt_ms is None else f'{hop.rtt_ms:g}'},{hop.answered}/{hop.asked}"
