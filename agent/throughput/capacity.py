# SPDX-License-Identifier: Apache-2.0
"""How much does the link carry, by paced UDP that the receiver times, down and up?

    run(Wanted(host=..., port=..., token=..., directions=("down", "up"), ...), stop)

Blocks; ends within `seconds`, or soon after `stop` is set.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from agent.contract.kinds import Throughput
from agent.contract.reason import Reason
from agent.throughput.question import Limits
from agent.throughput.rounds import made_of
from agent.throughput.search import Found, Search
from agent.throughput.session import Failed, Session
from agent.throughput.surroundings import Surroundings, nic_mbps
from agent.throughput.verdict import Doubt, judge

log = logging.getLogger("agent.throughput.capacity")

METHOD = "capacity"
DIRECTIONS = ("down", "up")
_PINGS, _PING_TIMES = 5, 2
"""Where few packets a second pass, the dialogue before may have taken all of them."""
_LARGE_BYTES, _SMALL_BYTES = 1400, 548
"""At the IP layer: gets through most tunnels; gets through everything (RFC 791 §3.1 asks for 576)."""
_HEADERS_BYTES = 48
_TINY_BYTES = 120
_SLOW_RATIO = 0.1
_JITTER_MS, _MAX_STRETCH = 10.0, 3.0


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is to be measured, and what it may cost.

    Attributes:
        host: what the server is called.
        address: where it is; empty has the C library look the name up, for as long as that takes.
        tcp_port: where else it listens, to tell blocked UDP from a host that is gone; 0 for nowhere.
    """

    host: str
    address: str = ""
    tcp_port: int = 0
    port: int
    token: str
    directions: tuple[str, ...] = DIRECTIONS
    max_mbps: float = 1000.0
    max_bytes: int = 50_000_000
    seconds: float = 40.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One direction: figures, or why there are none."""

    fields: Throughput
    reason: Reason | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class _Idle:
    """The way before any load."""

    rtts_ms: tuple[float, ...]
    packet_bytes: int

    @property
    def rtt_ms(self) -> float | None:
        return round(min(self.rtts_ms), 2) if self.rtts_ms else None

    @property
    def stretch(self) -> float:
        """How much longer rounds are to be because round trips differ, before anything is sent."""
        spread_ms = max(self.rtts_ms) - min(self.rtts_ms)
        return min(_MAX_STRETCH, max(1.0, spread_ms / _JITTER_MS))


def run(wanted: Wanted, stop: threading.Event | None = None) -> list[Outcome]:
    """Measure each direction; a failure ends the rest with the same reason."""
    outcomes: list[Outcome] = []
    try:
        deadline_s = time.monotonic() + wanted.seconds
        where = wanted.address or wanted.host
        with Session(
            where, wanted.port, deadline_s=deadline_s, stop=stop, tcp_port=wanted.tcp_port
        ) as session:
            outcomes.extend(_directions(wanted, session))
    except Failed as e:
        left = wanted.directions[len(outcomes) :]
        outcomes += [Outcome(bare(wanted.host, direction), e.reason, e.detail) for direction in left]
    return outcomes


def _directions(wanted: Wanted, session: Session) -> Iterator[Outcome]:
    session.open(wanted.token, wanted.max_bytes)
    idle = _ping(session)
    for direction in wanted.directions:
        yield _measure(wanted, session, idle, direction)


def _measure(wanted: Wanted, session: Session, idle: _Idle, direction: str) -> Outcome:
    surroundings = Surroundings(session.address, runs_here=True)
    began_s = time.monotonic()
    before = (session.received_bytes, session.sent_bytes, session.received_packets, session.sent_packets)
    overrun = session.overrun
    share = session.granted_bytes // len(wanted.directions)
    max_mbps = min(wanted.max_mbps, session.max_mbps, nic_mbps(surroundings.interface) or math.inf)
    search = Search(Limits(share, max_mbps, idle.packet_bytes, idle.stretch))
    was_slow = False
    while (this := search.next()) is not None:
        packets = session.down(this.legs) if direction == "down" else session.up(this.legs)
        began_us, ended_us = session.times_us
        was_slow |= direction == "up" and this.is_final and session.slipped_ratio > _SLOW_RATIO
        made = made_of(this, packets, began_us, ended_us)
        search.take(made)
        log.debug("capacity.round direction=%s mbps=%.3f %s", direction, this.mbps, made)
    now = (session.received_bytes, session.sent_bytes, session.received_packets, session.sent_packets)
    rx, tx, rx_packets, tx_packets = (b - a for a, b in zip(before, now, strict=True))
    seen = surroundings.until_now(
        received_bytes=rx, sent_bytes=tx, received_packets=rx_packets, sent_packets=tx_packets
    )
    found = search.found()
    doubts = set(found.doubts) | seen.doubts(mbps=found.mbps, moved_bytes=rx if direction == "down" else tx)
    doubts |= {Doubt.JITTER} if idle.stretch > 1 else set()
    doubts |= {Doubt.OVERRUN} if session.overrun > overrun else set()
    doubts |= {Doubt.SENDER_SLOW} if was_slow else set()
    doubts |= {Doubt.DISAGREES} if direction == "up" and session.is_clock_off else set()
    fields = replace(
        bare(wanted.host, direction),
        **_figures(found),
        **seen.fields,
        bytes=rx + tx,
        duration_s=round(time.monotonic() - began_s, 2),
        streams=1,
        rtt_idle_ms=idle.rtt_ms,
    )
    validity, reasons = judge(doubts)
    if found.mbps is None:
        return Outcome(
            replace(fields, validity=validity, reasons=reasons), Reason.TIMEOUT, "too few packets came"
        )
    return Outcome(replace(fields, validity=validity, reasons=reasons))


def _ping(session: Session) -> _Idle:
    """Round trips before any load, and how large a packet gets through."""
    lengths = [_TINY_BYTES] * _PINGS + [_SMALL_BYTES, _LARGE_BYTES, _LARGE_BYTES]
    took_ms: list[float | None] = []
    rtts_ms: tuple[float, ...] = ()
    for _ in range(_PING_TIMES):
        took_ms = session.ping([length - _HEADERS_BYTES for length in lengths])
        rtts_ms = tuple(ms for ms in took_ms[:_PINGS] if ms is not None)
        if rtts_ms:
            break
    if not rtts_ms:
        raise Failed(Reason.GONE, "the server answers no ping")
    session.rtt_s = min(rtts_ms) / 1000
    session.spread_s = max(rtts_ms) / 1000 - session.rtt_s
    is_large = took_ms[-1] is not None or took_ms[-2] is not None
    session.packet_bytes = _LARGE_BYTES if is_large else _SMALL_BYTES
    return _Idle(rtts_ms, session.packet_bytes)


def _figures(found: Found) -> dict[str, Any]:
    places = {
        "mbps": found.mbps,
        "mbps_low": found.low_mbps,
        "mbps_high": found.high_mbps,
        "burst_mbps": found.burst_mbps,
    }
    rounded: dict[str, Any] = {k: None if v is None else round(v, 4) for k, v in places.items()}
    rounded["burst_bytes"] = found.burst_bytes
    rounded["loss_ratio"] = None if found.loss_ratio is None else round(found.loss_ratio, 4)
    rounded["queue_ms"] = None if found.queue_ms is None else round(found.queue_ms, 2)
    return rounded


def bare(server: str, direction: str) -> Throughput:
    """The key of a record, without figures."""
    return Throughput(direction=direction, server=server, method=METHOD)
