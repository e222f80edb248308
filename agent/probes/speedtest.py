# SPDX-License-Identifier: Apache-2.0
"""What does speedtest-cli say of this link, to compare with what people see?

How: Debian's speedtest-cli as a short-lived process with bounded memory, bytes and time. It finds a server by
itself (`www.speedtest.net` and one near, unless `server_id` says which). `mbps` is here its own figure,
payload over its ten seconds. Whatever goes wrong, HTTP 403 and missing memory included, is a record with its
reason. A proxy of the environment (`http_proxy`) is used.

Costs: about ten seconds of the link each way with several connections, and much processor; never more than
`max_bytes` both ways together.

Does not tell: what the link carries. It counts up what was handed to its kernel, and on a Pi it may be off by
whole factors. Without `secure` it takes the answers of a captive portal for those of its server; a direction
that ended before its ten seconds is `interrupted`. Every record of it is to be read beside those of
`capacity` and `tcp`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from agent.contract.option import option
from agent.contract.reason import Reason
from agent.echo import route
from agent.echo.problem import NoAnswer
from agent.probes.base import Finding, ProbeOptions, Reading
from agent.throughput import program, speedtest
from agent.throughput.capped import Capped
from agent.throughput.outcome import FRAMING_RATIO, Test
from agent.throughput.program import Bounds
from agent.throughput.speedtest import SpeedtestResult
from agent.throughput.surroundings import Surroundings
from agent.throughput.verdict import Doubt

_SOMEWHERE = "192.0.2.1"
"""Not asked: tells which interface leads to the internet (RFC 5737)."""
_SERVER = "speedtest.net"


@dataclass(frozen=True, kw_only=True)
class SpeedtestProbe(Capped, ProbeOptions):
    """Its fields are the table `[probes.speedtest]`."""

    table: ClassVar[str] = "speedtest"
    kind: ClassVar[str] = "throughput"

    enabled: bool = option("whether the probe runs", False)
    every_s: float = option("seconds from one start to the next", 86400.0, low=60, high=86400)
    deadline_s: float = option(
        "a round that takes longer is stopped and recorded as `overran`", 120.0, low=1, high=86400
    )
    server_id: str = option("number of the server at speedtest.net; empty for one that is near", "")
    mini_url: str = option("URL of a Speedtest Mini server to ask instead; empty for none", "")
    single: bool = option("whether it uses one connection instead of several", False)
    secure: bool = option("whether it speaks HTTPS", True)
    max_bytes: int = option("most that both directions together may move", 100_000_000, low=100_000)
    max_memory_bytes: int = option("most address space it may take", 512_000_000, low=50_000_000)
    max_s: float = option("longest it may take", 90.0, low=5, high=600)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if self.server_id and not (self.server_id.isascii() and self.server_id.isdigit()):
            raise ValueError("server_id must be a number")
        if self.mini_url and not self.mini_url.startswith(("http://", "https://")):
            raise ValueError("mini_url must begin with http:// or https://")
        if self.max_s > self.deadline_s:
            raise ValueError("max_s must not be longer than deadline_s")

    async def measure(self) -> Reading:
        """Both directions once."""
        surroundings = Surroundings(_SOMEWHERE)
        found_route = route.default_route()
        interface = surroundings.interface or (found_route.interface if found_route else None)
        words = speedtest.command(
            server_id=self.server_id, single=self.single, secure=self.secure, mini_url=self.mini_url
        )
        bounds = Bounds(memory_bytes=self.max_memory_bytes, bytes=self.max_bytes, seconds=self.max_s)
        try:
            ran = await program.run(words, bounds, interface)
            found = speedtest.read(ran)
        except NoAnswer as e:
            return (_test("down").failed(e), _test("up").failed(e))
        return tuple(self._findings(surroundings, found, ran.lasted_s))

    def _findings(self, surroundings: Surroundings, found: SpeedtestResult, lasted_s: float) -> list[Finding]:
        rates = (("down", found.down_mbps, found.down_bytes), ("up", found.up_mbps, found.up_bytes))
        # Both directions were under way in one look: neither is the other's cross traffic.
        seen = surroundings.until_now(received_bytes=found.down_bytes, sent_bytes=found.up_bytes)
        return [
            _test(direction).failed(NoAnswer(Reason.BAD_ANSWER, "speedtest-cli told no rate"))
            if mbps is None
            else _test(direction).found(
                seen,
                {Doubt.INTERRUPTED} if speedtest.is_short(mbps, payload_bytes) else (),
                mbps=mbps,
                moved_bytes=round(payload_bytes * FRAMING_RATIO),
                duration_s=lasted_s,
                streams=1 if self.single else None,
                rtt_idle_ms=found.ping_ms,
            )
            for direction, mbps, payload_bytes in rates
        ]


def _test(direction: str) -> Test:
    return Test(direction=direction, server=_SERVER, method="speedtest")
