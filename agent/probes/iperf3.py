# SPDX-License-Identifier: Apache-2.0
"""What does iperf3 say of this link, where a server of the operator or the ministry offers it?

How: Debian's iperf3 as a short-lived process with bounded memory, bytes and time, down, then up. `mbps` is
here its own figure: the mean payload at the receiving end. iperf3 serves one at a time: further servers are
asked in turn when one is busy or not there, as far as there is time; a record with `busy` says that all were.

Costs: `seconds` of the link each way, never more than `max_bytes`: down the figure is then `interrupted`, up
there is none.

Does not tell: what a long path carries. Slow start is in its mean (see docs/accuracy.md).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import ClassVar

from agent.contract.option import option
from agent.contract.reason import Reason
from agent.echo.address import Address
from agent.echo.problem import NoAnswer
from agent.echo.target import LOOKUP_TIMEOUTS
from agent.probes.base import Finding, ProbeOptions, Reading
from agent.throughput import iperf3, nearest, program
from agent.throughput.capped import CappedEachWay
from agent.throughput.dialogue import Direction
from agent.throughput.nearest import check_servers
from agent.throughput.outcome import FRAMING_RATIO, Test
from agent.throughput.program import Bounds, Ran
from agent.throughput.server import check_server, look_up
from agent.throughput.surroundings import Surroundings
from agent.throughput.verdict import Doubt

_MEMORY_BYTES = 256 << 20
_SET_UP_S = 15.0


@dataclass(frozen=True, kw_only=True)
class Iperf3Probe(CappedEachWay, ProbeOptions):
    """Its fields are the table `[probes.iperf3]`."""

    table: ClassVar[str] = "iperf3"
    kind: ClassVar[str] = "throughput"

    enabled: bool = option("whether the probe runs; it needs `server`", False)
    every_s: float = option("seconds from one start to the next", 86400.0, low=60, high=86400)
    deadline_s: float = option(
        "a round that takes longer is stopped and recorded as `overran`", 120.0, low=1, high=86400
    )
    server: str = option("the server's name or address", "")
    more_servers: tuple[str, ...] = option(
        "others on the same port, asked in this order when those before have no room or cannot be reached; "
        "the one that measured is named in the record's `server`",
        (),
    )
    port: int = option("its port", 5201, low=1, high=65535)
    directions: tuple[Direction, ...] = option("what to measure, in this order", ("down", "up"))
    seconds: int = option("how long each direction loads the link", 10, low=1, high=60)
    streams: int = option("connections side by side", 1, low=1, high=16)
    max_bytes: int = option("most that one direction may move", 50_000_000, low=100_000)
    timeout_s: float = option("how long to wait for the name's address", 10.0, low=0.1, high=60)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_server(self.server, enabled=self.enabled)
        check_servers(self.server, self.more_servers)
        if not self.directions or len(set(self.directions)) < len(self.directions):
            raise ValueError("directions must name down, up or both, each once")
        if self._longest_s > self.deadline_s:
            raise ValueError(
                f"each direction may take seconds + {_SET_UP_S:g} s, and the name {LOOKUP_TIMEOUTS} x "
                f"timeout_s, {self._longest_s:g} s for all: deadline_s must not be shorter"
            )

    async def measure(self) -> Reading:
        """Each direction once, with the first server that lets it."""
        until_s = time.monotonic() + self.deadline_s - self._longest_s

        def has_time() -> bool:
            return time.monotonic() < until_s

        return await nearest.in_turn((self.server, *self.more_servers), self._test, has_time)

    @property
    def _longest_s(self) -> float:
        """What one server may take."""
        return len(self.directions) * (self.seconds + _SET_UP_S) + LOOKUP_TIMEOUTS * self.timeout_s

    async def _test(self, server: str) -> Reading:
        address = await look_up(server, timeout_s=self.timeout_s)
        return tuple([await self._direction(server, address, direction) for direction in self.directions])

    async def _direction(self, server: str, address: Address, direction: Direction) -> Finding:
        test = Test(direction=direction, server=server, method="iperf3")
        surroundings = Surroundings(str(address))
        words = iperf3.command(str(address), self.port, direction, seconds=self.seconds, streams=self.streams)
        bounds = Bounds(memory_bytes=_MEMORY_BYTES, bytes=self.max_bytes, seconds=self.seconds + _SET_UP_S)
        try:
            ran = await program.run(words, bounds, surroundings.interface)
            # Down the receiver is here, and has counted until it was stopped; up it is the server alone.
            is_cut_short = ran.stopped == "bytes" and direction == "down"
            if ran.stopped is not None and not is_cut_short:
                raise _problem(ran)
            found = iperf3.read(ran.output or ran.complaint.encode(), was_stopped=is_cut_short)
        except NoAnswer as e:
            return test.failed(e)
        payload = {"received_bytes": 0, "sent_bytes": 0}
        payload["received_bytes" if direction == "down" else "sent_bytes"] = found.payload_bytes
        return test.found(
            surroundings.until_now(**payload),
            {Doubt.INTERRUPTED} if is_cut_short else (),
            mbps=found.mbps,
            moved_bytes=round(found.payload_bytes * FRAMING_RATIO),
            duration_s=ran.lasted_s,
            streams=found.streams,
            rtt_loaded_ms=found.rtt_mean_ms,
        )


def _problem(ran: Ran) -> NoAnswer:
    """Why it was stopped: it ends long before its seconds are over, if the server answers at all."""
    if ran.stopped == "seconds":
        return NoAnswer(
            Reason.TIMEOUT, f"the server fell silent: iperf3 was stopped after {ran.lasted_s:.0f} s"
        )
    return NoAnswer(Reason.OVERRAN, "iperf3 was stopped: it took all the bytes it may")
