# SPDX-License-Identifier: Apache-2.0
"""What does iperf3 say of this link, where a server offers it?

Its figure is its own: the mean payload that the receiving end counted over its whole time (`sum_received`),
the first seconds left out when asked to (`--omit`).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from agent.contract.reason import Reason
from agent.echo.problem import NoAnswer
from agent.throughput.dialogue import Direction

_SAID = {
    "busy": Reason.BUSY,
    "refused": Reason.REFUSED,
    "unreachable": Reason.UNREACHABLE,
    "no route to host": Reason.UNREACHABLE,
    # No test has begun: another server may be asked.
    "unable to connect to server: connection timed out": Reason.UNREACHABLE,
    "timed out": Reason.TIMEOUT,
    "reset": Reason.GONE,
    "terminated": Reason.GONE,
    "closed": Reason.GONE,
    "authorization": Reason.NOT_PERMITTED,
    "broken pipe": Reason.GONE,
    "name or service": Reason.NAME_UNKNOWN,
    "name resolution": Reason.NAME_UNKNOWN,
}
MAX_MBPS = 1_000_000
_OFF_RATIO = 0.05
_AHEAD_RATIO = 0.01
_SHORT_RATIO = 0.8
"""A receiver is told of the begin before the sender begins, and of the end after it has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Iperf3Result:
    """One direction."""

    mbps: float
    payload_bytes: int
    seconds: float
    streams: int | None
    rtt_mean_ms: float | None


def command(host: str, port: int, direction: Direction, *, seconds: int, streams: int) -> list[str]:
    """The command line; its bound of bytes would replace that of time, so bytes are watched from outside."""
    words = ["iperf3", "--json", "--client", host, "--port", str(port), "--time", str(seconds)]
    words += ["--parallel", str(streams), "--connect-timeout", "5000"]
    return words + (["--reverse", "--rcv-timeout", "10000"] if direction == "down" else [])


def read(output: bytes, *, was_stopped: bool = False) -> Iperf3Result:
    """What its JSON says.

    Args:
        output: all of it.
        was_stopped: by us, so that it was not told what the other end sent.

    Raises:
        NoAnswer: an error of its own, or no figure.
    """
    try:
        plain = json.loads(output)
    except (ValueError, RecursionError) as e:
        raise NoAnswer(Reason.BAD_ANSWER, "iperf3 wrote no JSON") from e
    if isinstance(plain, dict) and isinstance(plain.get("error"), str) and not was_stopped:
        raise NoAnswer(reason_of(plain["error"]), f"iperf3: {plain['error'][:150]}")
    end = table(plain, "end")
    received = table(end, "sum_received")
    bits, seconds = number(received, "bits_per_second"), number(received, "seconds")
    payload_bytes = number(received, "bytes")
    if payload_bytes == 0 and seconds:
        raise NoAnswer(Reason.TIMEOUT, f"nothing arrived within {seconds:.0f} s")
    if bits is None or not seconds or not payload_bytes or bits > MAX_MBPS * 1e6:
        raise NoAnswer(Reason.BAD_ANSWER, "iperf3 told no rate")
    if abs(bits * seconds / 8 - payload_bytes) > _OFF_RATIO * payload_bytes:
        raise NoAnswer(
            Reason.UNTRUE, f"iperf3 tells of {payload_bytes:.0f} bytes in {seconds:g} s, and {bits:.0f} bit/s"
        )
    sent_bytes = None if was_stopped else number(table(end, "sum_sent"), "bytes")
    if sent_bytes is not None and payload_bytes > (1 + _AHEAD_RATIO) * sent_bytes:
        raise NoAnswer(
            Reason.UNTRUE, f"iperf3 tells of {payload_bytes:.0f} bytes received and {sent_bytes:.0f} sent"
        )
    sent_seconds = number(table(end, "sum_sent"), "seconds")
    is_own_clock = number(table(table(plain, "start"), "test_start"), "reverse") == 1
    if not is_own_clock and sent_seconds is not None and seconds < _SHORT_RATIO * sent_seconds:
        raise NoAnswer(Reason.UNTRUE, f"iperf3 tells of {seconds:g} s received and {sent_seconds:g} s sent")
    streams = end.get("streams")
    senders = [table(stream, "sender") for stream in streams] if isinstance(streams, list) else []
    rtts = [rtt for sender in senders if (rtt := number(sender, "mean_rtt"))]
    return Iperf3Result(
        mbps=bits / 1e6,
        payload_bytes=int(payload_bytes),
        seconds=seconds,
        streams=len(senders) or None,
        rtt_mean_ms=sum(rtts) / len(rtts) / 1000 if rtts else None,
    )


def reason_of(complaint: str) -> Reason:
    """What an error message of iperf3 means."""
    lowered = complaint.lower()
    return next((reason for word, reason in _SAID.items() if word in lowered), Reason.BAD_ANSWER)


def table(plain: Any, name: str) -> dict[str, Any]:
    """A table within a table; empty when there is none."""
    found = plain.get(name) if isinstance(plain, dict) else None
    return found if isinstance(found, dict) else {}


def number(plain: dict[str, Any], name: str) -> float | None:
    """A number that is one, and not negative."""
    value = plain.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if 0 <= value < math.inf else None
    except OverflowError:
        return None
