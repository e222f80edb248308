# SPDX-License-Identifier: Apache-2.0
"""What does speedtest-cli (sivel, Debian's package) say of this link?

Its figures are its own: payload over about ten seconds with several connections of HTTP, up as handed to the
kernel. It is known for needing much processor and memory on a Pi and for erring by whole factors there; it is
here because people compare with it, not to be believed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from agent.contract.reason import Reason
from agent.echo.problem import NoAnswer
from agent.throughput.iperf3 import MAX_MBPS, number, table
from agent.throughput.program import Ran

_SAID = {
    "memoryerror": Reason.INTERNAL,
    "error 403": Reason.NOT_PERMITTED,
    "forbidden": Reason.NOT_PERMITTED,
    "error 407": Reason.NOT_PERMITTED,
    "tunnel connection failed: 407": Reason.NOT_PERMITTED,
    "error 429": Reason.BUSY,
    "tunnel connection failed: 50": Reason.UNREACHABLE,
    "error 502": Reason.UNREACHABLE,
    "error 503": Reason.BUSY,
    "error 504": Reason.TIMEOUT,
    "no matched servers": Reason.NO_TARGET,
    "unable to connect to servers": Reason.UNREACHABLE,
    "network is unreachable": Reason.NETWORK_DOWN,
    "no route to host": Reason.UNREACHABLE,
    "name or service": Reason.NAME_UNKNOWN,
    "name resolution": Reason.NAME_UNKNOWN,
    "refused": Reason.REFUSED,
    "timed out": Reason.TIMEOUT,
    "certificate": Reason.TLS_FAILED,
    "reset": Reason.GONE,
    "cannot retrieve speedtest configuration": Reason.BAD_ANSWER,
}


_TEST_S, _SHORT_RATIO = 10.0, 0.8
"""A direction ends earlier when its connections broke, or when all that there is to fetch was fetched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedtestResult:
    """Both directions; a rate that was not told is None.

    Attributes:
        down_bytes: payload.
        up_bytes: payload.
        server: as speedtest.net numbers it.
    """

    down_mbps: float | None
    up_mbps: float | None
    down_bytes: int
    up_bytes: int
    ping_ms: float | None
    server: str | None


def command(*, server_id: str, single: bool, secure: bool, mini_url: str) -> list[str]:
    """The command line: without the upload made beforehand, which fills a Pi's memory."""
    words = ["speedtest-cli", "--json", "--no-pre-allocate", "--timeout", "10"]
    words += ["--server", server_id] if server_id else []
    words += ["--mini", mini_url] if mini_url else []
    words += ["--single"] if single else []
    return words + (["--secure"] if secure else [])


def read(ran: Ran) -> SpeedtestResult:
    """What came of it.

    Raises:
        NoAnswer: nothing, and why.
    """
    if ran.stopped == "bytes":
        raise NoAnswer(
            Reason.OVERRAN, f"speedtest-cli was stopped after {ran.moved_bytes} bytes: more than it may move"
        )
    if ran.stopped == "seconds":
        raise NoAnswer(Reason.OVERRAN, f"speedtest-cli was stopped after {ran.lasted_s:.0f} s")
    if ran.code != 0:
        said = ran.complaint or ran.output[-200:].decode(errors="replace")
        raise NoAnswer(reason_of(said), f"speedtest-cli failed: {said[-150:]}")
    return parse(ran.output)


def parse(output: bytes) -> SpeedtestResult:
    """Its JSON, in which nothing is taken for granted.

    Raises:
        NoAnswer: there is no figure in it.
    """
    try:
        plain = json.loads(output)
    except (ValueError, RecursionError) as e:
        raise NoAnswer(Reason.BAD_ANSWER, "speedtest-cli wrote no JSON") from e
    plain = plain if isinstance(plain, dict) else {}
    down, up = _mbps(number(plain, "download")), _mbps(number(plain, "upload"))
    if down is None and up is None:
        raise NoAnswer(Reason.BAD_ANSWER, "speedtest-cli told no rate")
    down_bytes, up_bytes = number(plain, "bytes_received"), number(plain, "bytes_sent")
    if down_bytes is None or up_bytes is None:
        raise NoAnswer(Reason.BAD_ANSWER, "speedtest-cli told a rate and not of how many bytes")
    server = table(plain, "server").get("id")
    ping_ms = number(plain, "ping")
    return SpeedtestResult(
        down_mbps=down,
        up_mbps=up,
        down_bytes=int(down_bytes),
        up_bytes=int(up_bytes),
        ping_ms=ping_ms if ping_ms is not None and ping_ms < _ABSURD_MS else None,
        server=str(server)[:40] if isinstance(server, str | int) and server else None,
    )


def is_short(mbps: float | None, payload_bytes: int) -> bool:
    """Whether it gave up a direction: what failed or was answered by somebody else ends at once."""
    return mbps is not None and 8 * payload_bytes / (mbps * 1e6) < _SHORT_RATIO * _TEST_S


def reason_of(complaint: str) -> Reason:
    """What an error message of speedtest-cli means."""
    lowered = complaint.lower()
    return next((reason for word, reason in _SAID.items() if word in lowered), Reason.INTERNAL)


_ABSURD_MS = 60_000
"""It tells 1,800,000 ms for servers that did not answer."""


def _mbps(bits_per_s: float | None) -> float | None:
    """None for nothing at all: 0 Mbit/s is how it tells of a transfer that failed."""
    if not bits_per_s or bits_per_s > MAX_MBPS * 1e6:
        return None
    return bits_per_s / 1e6
