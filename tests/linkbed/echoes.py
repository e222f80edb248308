# SPDX-License-Identifier: Apache-2.0
"""What did the agent find out about each echo request, and what became of it in truth?

Two truths that the agent knows nothing of: the stamps of a packet socket on the school's interface (the round
trip on the wire), and the log of the link program (which answers came through, and how long the link took).
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agent.echo.address import parse
from agent.echo.ask import ask
from agent.echo.plan import evenly
from tests.linkbed import namespace
from tests.linkbed.bed import Bed
from tests.linkbed.train import prepare, stamp_ns
from tests.linkbed.truth import Packet

_ETH_P_ALL = 3
_FRAME_BYTES = 128
_ANCILLARY_BYTES = 256
_IPV6_BYTES = 40
_ECHO = struct.Struct("!BxxxI")
_REQUESTS, _ANSWERS = (8, 128), (0, 129)
_STAMPS_BEGIN_S = 0.1
_PATIENCE = 2
"""As the latency probe has it."""

SPIN = "while True: pass"


@dataclass(frozen=True, slots=True, kw_only=True)
class Echo:
    """One request, as the agent tells it and as it was.

    Attributes:
        rtt_ms, late, duplicates: what the agent says.
        answers: how many answers reached the school in truth.
        wire_ms: round trip on the school's interface; None without answer.
        link_ms: from the link's near end to its far end and back, by its own clock.
    """

    rtt_ms: float | None
    late: bool
    duplicates: int
    answers: int
    wire_ms: float | None
    link_ms: float | None

    @property
    def is_told_truly(self) -> bool:
        """Whether the agent says of it lost, answered or answered so many times as it was."""
        return (self.late or self.rtt_ms is not None, self.duplicates) == (
            self.answers > 0,
            max(0, self.answers - 1),
        )


def exchange(bed: Bed, host: str, *, count: int, every_s: float, timeout_s: float) -> list[Echo]:
    """Have the agent's own code ask a host from the school; the bed must keep packets."""
    seen = len(bed.truth().packets)
    packet = (socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
    with namespace.open_socket(bed.rooms["school"], *packet) as tap:
        prepare(tap, receives=True)
        time.sleep(_STAMPS_BEGIN_S)
        arguments = {"host": host, "count": count, "every_s": every_s, "timeout_s": timeout_s}
        told = json.loads(
            bed.run("school", [sys.executable, "-m", "tests.linkbed.echoes", json.dumps(arguments)])
        )
        stamps = _by_seq(_stamps(tap))
    passed = bed.truth().packets[seen:]
    up = {p.seq: p for p in passed if p.way == "up" and p.tag and p.left_ns}
    down = _answers(passed)
    return [
        Echo(
            **outcome,
            answers=len(down[seq]),
            wire_ms=_wire_ms(stamps[seq]),
            link_ms=(min(down[seq]) - up[seq].in_ns) / 1e6 if down[seq] else None,
        )
        for seq, outcome in enumerate(told)
    ]


def _answers(packets: Sequence[Packet]) -> dict[int, list[int]]:
    """When answers left the link, by sequence number."""
    found: dict[int, list[int]] = defaultdict(list)
    for packet in packets:
        if packet.way == "down" and packet.tag and packet.left_ns:
            found[packet.seq].append(packet.left_ns)
    return found


def _stamps(tap: socket.socket) -> Iterator[tuple[int, int, int]]:
    """Sequence number, kind and stamp of each echo packet that the interface saw."""
    tap.setblocking(False)
    while True:
        try:
            frame, ancillary, _, _ = tap.recvmsg(_FRAME_BYTES, _ANCILLARY_BYTES)
        except BlockingIOError:
            return
        at = _IPV6_BYTES if frame[0] >> 4 == 6 else (frame[0] & 15) * 4
        kind, tag = _ECHO.unpack_from(frame.ljust(_FRAME_BYTES, b"\0"), at)
        if frame[6 if at == _IPV6_BYTES else 9] in {socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6}:
            yield tag & 0xFFFF, kind, stamp_ns(ancillary)


def _by_seq(stamps: Iterator[tuple[int, int, int]]) -> dict[int, dict[bool, int]]:
    """First stamp of request (False) and answer (True)."""
    found: dict[int, dict[bool, int]] = defaultdict(dict)
    for seq, kind, at_ns in stamps:
        if kind in _REQUESTS + _ANSWERS:
            found[seq].setdefault(kind in _ANSWERS, at_ns)
    return found


def _wire_ms(stamps: dict[bool, int]) -> float | None:
    return (stamps[True] - stamps[False]) / 1e6 if len(stamps) == 1 + 1 else None


async def _tell(arguments: dict[str, Any]) -> list[dict[str, Any]]:
    plan = evenly([parse(arguments["host"])], every_s=arguments["every_s"], count=arguments["count"])
    timeout_s = arguments["timeout_s"]
    answers = await ask(plan, timeout_s=timeout_s, patience_s=_PATIENCE * timeout_s, tcp_port=443)
    return [{"rtt_ms": o.rtt_ms, "late": o.late, "duplicates": o.duplicates} for o in answers.outcomes]


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_tell(json.loads(sys.argv[1])))))
