# SPDX-License-Identifier: Apache-2.0
"""What would M-Lab's NDT7, and so Giga Meter, say of this link?

How: M-Lab's protocol against any NDT7 server, ten seconds down, then ten seconds up, one connection. `mbps`
is here M-Lab's own figure, the mean of all ten seconds in payload: down as this end received it (what Giga
Meter stores as `Download`), up as the server's kernel received it (`TCPInfo.BytesReceived`; Giga Meter's
`Upload` counts at the sender and is up to a send buffer higher). No confidence interval: a mean has none.
`rtt_idle_ms` is that of the handshake, `rtt_loaded_ms` the median of what the server's kernel tells.

Costs: ten seconds of the link each way (12.5 MB at 10 Mbit/s), never more than `max_bytes`; a test that was
cut short is `interrupted`.

Does not tell: what the link carries. At 600 ms it says 35 to 60 % too little (see docs/accuracy.md); `tcp`
does.
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from typing import ClassVar

from agent.contract.option import option
from agent.contract.reason import Reason
from agent.echo.address import Address
from agent.echo.problem import NoAnswer
from agent.probes.base import Finding, ProbeOptions, Reading
from agent.throughput import nearest
from agent.throughput.capped import CappedEachWay
from agent.throughput.dialogue import Direction
from agent.throughput.ndt7 import Place, run
from agent.throughput.nearest import check_servers
from agent.throughput.outcome import Test
from agent.throughput.server import check_server, look_up, read_token
from agent.throughput.surroundings import Surroundings

_GRACE_S = 0.5
"""A round that is stopped as a whole loses what its first direction found."""


@dataclass(frozen=True, kw_only=True)
class Ndt7Probe(CappedEachWay, ProbeOptions):
    """Its fields are the table `[probes.ndt7]`."""

    table: ClassVar[str] = "ndt7"
    kind: ClassVar[str] = "throughput"

    enabled: bool = option("whether the probe runs; it needs `server`", False)
    every_s: float = option("seconds from one start to the next", 86400.0, low=60, high=86400)
    deadline_s: float = option(
        "a round that takes longer is stopped and recorded as `overran`", 90.0, low=1, high=86400
    )
    server: str = option("the server's name or address", "")
    more_servers: tuple[str, ...] = option(
        "others on the same port; the nearest with room is asked, and named in the record's `server`",
        (),
    )
    port: int = option("its port", 443, low=1, high=65535)
    tls: bool = option("whether it speaks TLS; its certificate is then verified", True)
    ca_file: str = option("certificates to trust; empty for those of the system", "")
    token_file: str = option("file with the device's token for a reflector of our own; empty for none", "")
    directions: tuple[Direction, ...] = option("what to measure, in this order", ("down", "up"))
    max_bytes: int = option("most that one direction may move", 50_000_000, low=100_000)
    timeout_s: float = option("how long to wait for a connection or an answer", 10.0, low=0.1, high=60)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        check_server(self.server, enabled=self.enabled)
        check_servers(self.server, self.more_servers)
        if not self.directions or len(set(self.directions)) < len(self.directions):
            raise ValueError("directions must name down, up or both, each once")

    async def measure(self) -> Reading:
        """Each direction once."""
        token = read_token(self.token_file) if self.token_file else ""
        until_s = asyncio.get_running_loop().time() + self.deadline_s - _GRACE_S

        async def test(name: str) -> Reading:
            address = await look_up(name, timeout_s=self.timeout_s)
            place = self._place(name, address, token)
            return tuple([await self._direction(place, d, until_s) for d in self.directions])

        return await nearest.measure((self.server, *self.more_servers), self._echo, test)

    async def _echo(self, name: str) -> float:
        address = await look_up(name, timeout_s=self.timeout_s)
        return await nearest.echo_http(address, self.port, name, self._tls())

    async def _direction(self, place: Place, direction: Direction, until_s: float) -> Finding:
        test = Test(direction=direction, server=place.name, method="ndt7")
        surroundings = Surroundings(str(place.address))
        try:
            async with asyncio.timeout_at(until_s):
                found = await run(place, direction, max_bytes=self.max_bytes)
        except NoAnswer as e:
            return test.failed(e)
        except TimeoutError:
            return test.failed(NoAnswer(Reason.OVERRAN, "the round's time was over before the test was"))
        own = found.own
        return test.found(
            surroundings.until_now(received_bytes=own.bytes_received, sent_bytes=own.bytes_sent),
            found.doubts,
            mbps=found.mbps,
            moved_bytes=found.moved_bytes,
            duration_s=found.duration_s,
            streams=1,
            rtt_idle_ms=found.rtt_idle_ms,
            rtt_loaded_ms=found.rtt_loaded_ms,
        )

    def _tls(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=self.ca_file or None) if self.tls else None

    def _place(self, name: str, address: Address, token: str) -> Place:
        return Place(
            address=address,
            port=self.port,
            name=name,
            tls=self._tls(),
            query="client_name=schoolpulse",
            authorization=token,
            timeout_s=self.timeout_s,
        )
