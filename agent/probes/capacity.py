# SPDX-License-Identifier: Apache-2.0
"""How much does the link carry, down and up, whatever the round-trip time and however TCP would take it?

How: UDP packets, paced slightly above the rate of the link for some 300 ms and timed by the receiver, to and
from a reflector of our own; shorter rounds before them find that rate, and a burst that a token bucket lets
through first is told apart (docs/decisions/0020-capacity.md). One record for each direction.

Where UDP is blocked, that is said, and the reflector is asked by TCP instead (`tcp_port`): two more records,
whose `method` says so.

Costs at the defaults, once in six hours: about half a second of the link's own rate in each direction, 0.6 MB
at 10 Mbit/s, 11 MB at 200 Mbit/s, never more than `max_bytes`; 1 to 10 s, meanwhile the link is full.

Does not tell: what one TCP connection of a user would get, nor what is left beside others: with much cross
traffic the figure is marked as suspect.
"""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, replace
from typing import ClassVar, Self, cast

from agent.contract.address import host_problem
from agent.contract.decoder import DecodeError
from agent.contract.option import option
from agent.contract.reason import Reason
from agent.probes.base import Finding, ProbeFailed, ProbeOptions, Reading
from agent.throughput import nearest
from agent.throughput.capacity import DIRECTIONS, Wanted, bare, run
from agent.throughput.dialogue import Direction, Server
from agent.throughput.nearest import check_servers
from agent.throughput.server import look_up, read_token
from agent.throughput.steady import Steady

_GRACE_S = 5.0
_LEAST_BYTES = 200_000
_CONTROL_RATIO, _CONTROL_BYTES = 0.03, 30_000
"""Beside its rounds a test costs pings, requests and, for each packet up, its place in a report."""
_ECHO_BYTES = 2_000
"""Each further server is asked three times, and may refuse."""
_TCP_STREAMS, _TCP_TIMEOUT_S = 4, 4.0
_TCP_MORE_RATIO = 1.15
"""A TCP test of so many bytes costs that much with its acknowledgements and what is under way at its end."""
_DIRECTIONS = {"both": DIRECTIONS, **{direction: (direction,) for direction in DIRECTIONS}}


@dataclass(frozen=True, kw_only=True)
class CapacityProbe(ProbeOptions):
    """Its fields are the table `[probes.capacity]`."""

    table: ClassVar[str] = "capacity"
    kind: ClassVar[str] = "throughput"

    enabled: bool = option("whether the probe runs; it needs a server and a token", False)
    every_s: float = option("seconds from one start to the next", 21_600.0, low=60, high=604_800)
    deadline_s: float = option(
        "a round that takes longer is stopped and recorded as `overran`", 55.0, low=10, high=600
    )
    server: str = option("name or address of the reflector", "")
    more_servers: tuple[str, ...] = option(
        "others on the same port; the nearest with room is asked, and named in the record's `server`",
        (),
    )
    port: int = option("its UDP port", 7470, low=1, high=65535)
    tcp_port: int = option(
        "its TCP port, asked instead where UDP is blocked; 0 for none", 7471, low=0, high=65535
    )
    token_file: str = option(
        "file with this device's token (`school-collector reflector-token`), or a systemd credential's name",
        "reflector-token",
    )
    direction: str = option("`both`, `down` or `up`", "both")
    max_bytes: int = option(
        "most one round may move, both directions; half of it each",
        50_000_000,
        low=_LEAST_BYTES,
        high=2_000_000_000,
    )
    max_mbps: float = option("no faster pace is tried", 1000.0, low=0.1, high=10_000)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.enabled and (problem := host_problem(self.server)):
            raise DecodeError("server", problem)
        check_servers(self.server, self.more_servers)
        if self.direction not in _DIRECTIONS:
            raise DecodeError("direction", f"{self.direction!r} is none of " + ", ".join(_DIRECTIONS))

    async def measure(self) -> Reading:
        """Measure each direction once."""
        token, began_s = read_token(self.token_file), time.monotonic()

        async def test(server: str) -> Reading:
            return await self._at(server, token, began_s)

        return await nearest.measure((self.server, *self.more_servers), self._echo, test)

    async def _echo(self, server: str) -> float:
        return await nearest.echo_udp(await look_up(server, timeout_s=nearest.LONGEST_S), self.port)

    async def _at(self, server: str, token: str, began_s: float) -> Reading:
        try:
            address = await look_up(server, timeout_s=nearest.LONGEST_S)
        except ProbeFailed as e:
            return tuple(
                Finding(bare(server, way), e.reason, e.detail) for way in _DIRECTIONS[self.direction]
            )
        wanted = Wanted(
            host=server,
            address=str(address),
            tcp_port=self.tcp_port,
            port=self.port,
            token=token,
            directions=_DIRECTIONS[self.direction],
            max_mbps=self.max_mbps,
            max_bytes=self.max_bytes,
            seconds=began_s + self.deadline_s - _GRACE_S - time.monotonic(),
        )
        stop = threading.Event()
        try:
            outcomes = await asyncio.to_thread(run, wanted, stop)
        finally:
            stop.set()
        found = tuple(Finding(outcome.fields, outcome.reason, outcome.detail) for outcome in outcomes)
        if self.tcp_port and all(outcome.reason is Reason.BLOCKED for outcome in outcomes):
            there = Server(address=address, port=self.tcp_port, token=token, timeout_s=_TCP_TIMEOUT_S)
            left_s = began_s + self.deadline_s - _GRACE_S - time.monotonic()
            return found + await self._by_tcp(server, there, left_s)
        return found

    async def _by_tcp(self, name: str, server: Server, left_s: float) -> Reading:
        """What TCP gets instead, within what is left of this round's bytes and seconds."""
        directions = cast("tuple[Direction, ...]", _DIRECTIONS[self.direction])
        steady = Steady(
            name=name,
            directions=directions,
            streams=_TCP_STREAMS,
            congestion="bbr",
            max_bytes=int(self.max_bytes / len(directions) / _TCP_MORE_RATIO),
            max_s=max(1.0, left_s / len(directions) - 2 * _TCP_TIMEOUT_S),
        )
        try:
            async with asyncio.timeout(left_s):
                return await steady.findings(server)
        except TimeoutError:
            return ()

    def estimate_bytes(self) -> int:
        """Most one round moves."""
        return int(self.max_bytes * (1 + _CONTROL_RATIO)) + self._beside_bytes

    def least_bytes(self) -> int:
        """With less no figure can be had."""
        return replace(self, max_bytes=_LEAST_BYTES).estimate_bytes()

    def within(self, max_bytes: int) -> Self | None:
        """The same, told to move no more."""
        if max_bytes < self.least_bytes():
            return None
        rounds_bytes = int((max_bytes - self._beside_bytes) / (1 + _CONTROL_RATIO))
        return replace(self, max_bytes=min(self.max_bytes, rounds_bytes))

    @property
    def _beside_bytes(self) -> int:
        return _CONTROL_BYTES + _ECHO_BYTES * len(self.more_servers)
