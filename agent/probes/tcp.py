# SPDX-License-Identifier: Apache-2.0
"""What does TCP get through the link, and how slow do answers become while it is full?

How: some connections to a reflector of our own (`school-collector reflector`), down, then up; the sender uses
BBR where its kernel has it (`method` says what was used: `tcp_bbr_4` are four connections with BBR). The
receiving kernel's count of segments over the steady part is the rate; the test ends as soon as it is steady.
With `load_s` the link is then kept full by Reno for a few seconds, and the round trips of fresh connections
give `rtt_loaded_ms` and `rpm` (draft-ietf-ippm-responsiveness). One record for each direction.

Costs, each direction: about one second of the link at 20 ms, up to ten at 600 ms (1.3 MB and 6 MB at
10 Mbit/s), and `load_s` seconds more; never more than `max_bytes`.

Does not tell: what one connection of another congestion control would get; see `ndt7` for that of M-Lab.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from agent.contract.option import option
from agent.probes.base import ProbeOptions, Reading
from agent.throughput import nearest
from agent.throughput.capped import CappedEachWay
from agent.throughput.dialogue import Direction, Server
from agent.throughput.nearest import check_servers
from agent.throughput.server import check_server, look_up, read_token
from agent.throughput.steady import Steady

PORT = 7471


@dataclass(frozen=True, kw_only=True)
class TcpProbe(CappedEachWay, ProbeOptions):
    """Its fields are the table `[probes.tcp]`."""

    table: ClassVar[str] = "tcp"
    kind: ClassVar[str] = "throughput"

    enabled: bool = option("whether the probe runs; it needs `server`", False)
    every_s: float = option("seconds from one start to the next", 21600.0, low=60, high=86400)
    deadline_s: float = option(
        "a round that takes longer is stopped and recorded as `overran`", 120.0, low=1, high=86400
    )
    server: str = option("the reflector's name or address", "")
    more_servers: tuple[str, ...] = option(
        "others on the same port; the nearest with room is asked, and named in the record's `server`",
        (),
    )
    port: int = option("its port for TCP tests", PORT, low=1, high=65535)
    token_file: str = option(
        "file with the device's token, or the name of a systemd credential", "reflector-token"
    )
    directions: tuple[Direction, ...] = option("what to measure, in this order", ("down", "up"))
    streams: int = option("connections side by side", 4, low=1, high=16)
    congestion: Literal["bbr", "cubic", "reno"] = option(
        "what the sender uses where its kernel has it", "bbr"
    )
    max_bytes: int = option("most that one direction may move", 25_000_000, low=100_000)
    max_s: float = option("longest search for the rate in one direction", 20.0, low=1, high=120)
    load_s: float = option(
        "longest time the link is kept full to see how slow answers become; 0 is not at all",
        8.0,
        low=0,
        high=60,
    )
    timeout_s: float = option("how long to wait for a connection or an answer", 10.0, low=0.1, high=60)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_server(self.server, enabled=self.enabled)
        check_servers(self.server, self.more_servers)
        if not self.directions or len(set(self.directions)) < len(self.directions):
            raise ValueError("directions must name down, up or both, each once")
        longest_s = len(self.directions) * (self.max_s + self.load_s + 2 * self.timeout_s)
        longest_s += nearest.LONGEST_S if self.more_servers else 0.0
        if longest_s > self.deadline_s:
            raise ValueError(
                f"each direction may take max_s + load_s + 2 x timeout_s, {longest_s:g} s for all: "
                "deadline_s must not be shorter"
            )

    async def measure(self) -> Reading:
        """Each direction once, in one session."""
        token = read_token(self.token_file)

        async def test(name: str) -> Reading:
            return await self._at(name, token)

        return await nearest.measure((self.server, *self.more_servers), self._echo, test)

    async def _echo(self, name: str) -> float:
        return await nearest.echo_stream(await look_up(name, timeout_s=self.timeout_s), self.port)

    async def _at(self, name: str, token: str) -> Reading:
        address = await look_up(name, timeout_s=self.timeout_s)
        server = Server(address=address, port=self.port, token=token, timeout_s=self.timeout_s)
        steady = Steady(
            name=name,
            directions=self.directions,
            streams=self.streams,
            congestion=self.congestion,
            max_bytes=self.max_bytes,
            max_s=self.max_s,
            load_s=self.load_s,
        )
        return await steady.findings(server)
