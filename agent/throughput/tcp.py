# SPDX-License-Identifier: Apache-2.0
"""What does TCP get through the link in one direction, once it has got going?

The sender uses BBR where its kernel has it; the receiving kernel counts segments, and the clock is the
receiver's. It ends as soon as the rate is steady, so most of a ten-second test's bytes are never sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

from agent.contract import flow, tcpinfo
from agent.contract.flow import Block
from agent.contract.reason import Reason
from agent.contract.stream import Report
from agent.contract.tcpinfo import TcpInfo
from agent.echo.problem import NoAnswer
from agent.throughput.dialogue import Direction, Joint, Session, carry, failures
from agent.throughput.segment import Arrivals, Segment
from agent.throughput.surroundings import Surroundings
from agent.throughput.verdict import Doubt

_LOOK_EVERY_S = 0.025
_STALL_S = 4.0
_FULL_SEGMENT_BYTES = 1500
_SLACK_RATIO, _SLACK_BYTES = 0.02, 65536
_INVENTED_RATIO, _FEW_SEGMENTS = 1.25, 200
_SATURATED_RTT_RATIO = 0.05
_WINDOW_LIMITED_RATIO = 0.2
_WIDE_RATIO = 0.1
_DOUBLED_RATIO = 0.02
_CLOCK_RATIO, _CLOCK_S = 0.1, 0.2
"""So far the reflector's clock may seem off beside ours: what it reports comes late when the way is full."""
_SPENT_RATIO = 0.9
"""From this share of what was granted on, a reflector that ends the load is not gone but right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do.

    Attributes:
        max_bytes: of load, at the IP layer; the transfer then ends, steady or not.
        max_s: likewise.
        congestion: what the sender is to use.
    """

    direction: Direction
    streams: int
    max_bytes: int
    max_s: float
    congestion: str = "bbr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What came of it.

    Attributes:
        segment: in segments a second; None when next to nothing arrived.
        segment_bytes: of a full one, at the IP layer.
        load_bytes: that was sent or received, at the IP layer; up, what was lost included; down, what was
            under way when the connections were cut.
        payload_bytes: of those that were counted.
        rtt_idle_ms: smallest of the handshakes before load.
        congestion: what the sender really used.
    """

    segment: Segment | None
    segment_bytes: int
    load_bytes: int
    payload_bytes: int
    duration_s: float
    streams: int
    congestion: str
    rtt_idle_ms: float
    doubts: frozenset[Doubt]

    def mbps(self, rate: float) -> float:
        """Segments a second as Mbit/s at the IP layer."""
        return rate * self.segment_bytes * 8 / 1e6

    @property
    def interval_mbps(self) -> tuple[float | None, float | None]:
        """Both ends of the confidence interval."""
        if self.segment is None or self.segment.low is None or self.segment.high is None:
            return None, None
        return self.mbps(self.segment.low), self.mbps(self.segment.high)


@dataclass(slots=True)
class Load:
    """Streams that carry load now."""

    direction: Direction
    session: Session
    joints: Sequence[Joint]
    tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def looks(self) -> list[TcpInfo]:
        """What the own kernel says of each.

        Raises:
            NoAnswer: a stream broke.
        """
        with failures():
            return [tcpinfo.look(joint.sock) for joint in self.joints]

    def arrived(self, looks: Sequence[TcpInfo]) -> list[tuple[float, int]]:
        """When, on the receiver's clock, how many segments had arrived; all that is news."""
        if self.direction == "down":
            return [(time.monotonic(), sum(look.data_segs_in for look in looks))]
        return [(report.at_us / 1e6, report.segments) for report in self.session.take_unread()]

    def late(self) -> list[tuple[float, int]]:
        """Likewise, what the reflector saw while load came up, and told behind its end."""
        reports = self.session.take_unread()
        return [(r.at_us / 1e6, r.segments) for r in reports if self.direction == "up" and not r.last]

    def rtt_s(self, looks: Sequence[TcpInfo]) -> float:
        """The longest round trip of any stream now."""
        return (
            max(
                look.rtt_us if self.direction == "up" else max(look.rtt_us, look.rcv_rtt_us) for look in looks
            )
            / 1e6
        )

    def load_rtt_ms(self, looks: Sequence[TcpInfo]) -> float | None:
        """Mean of the streams' own round trips now; None where only the sender knows."""
        if self.direction == "up":
            return sum(look.rtt_us for look in looks) / len(looks) / 1000
        known = [look.rcv_rtt_us for look in looks if look.rcv_rtt_us]
        return sum(known) / len(known) / 1000 if known else None

    def moved_bytes(self, looks: Sequence[TcpInfo]) -> int:
        """Load sent or received until now, headers included."""
        if self.direction == "up":
            return sum(look.bytes_sent + look.data_segs_out * look.header_bytes for look in looks)
        return sum(look.data_segs_in * (look.rcv_mss_bytes + look.header_bytes) for look in looks)

    def payload_bytes(self, looks: Sequence[TcpInfo]) -> int:
        """Of these, without headers; what waits behind a hole has come, though the kernel counts it later."""
        if self.direction == "up":
            return sum(look.bytes_sent for look in looks)
        return sum(max(look.bytes_received, look.data_segs_in * look.rcv_mss_bytes) for look in looks)

    def under_way_bytes(self, looks: Sequence[TcpInfo], bytes_per_s: float) -> int:
        """What still comes when they are cut, at most: a queue is paid for, but nobody counts it."""
        return round(bytes_per_s * self.rtt_s(looks)) if self.direction == "down" else 0

    def check(self) -> None:
        """Whether all still run.

        Raises:
            NoAnswer: why not.
        """
        if self.session.problem is not None:
            raise self.session.problem
        for task in self.tasks:
            if task.done():
                task.result()
                raise NoAnswer(Reason.GONE, "the reflector ended a stream")


@contextlib.asynccontextmanager
async def load(session: Session, plan: Plan) -> AsyncIterator[Load]:
    """Load on the link for as long as the block lasts.

    Raises:
        NoAnswer: a stream could not be opened.
    """
    block = Block()
    opening = [
        asyncio.create_task(session.join(plan.direction, plan.congestion), name=f"stream {n}")
        for n in range(plan.streams)
    ]
    running = Load(plan.direction, session, ())
    try:
        running.joints = await asyncio.gather(*opening)
        running.tasks = [
            asyncio.create_task(
                carry(joint, plan.direction, block, lambda: flow.CHUNK_BYTES), name=f"load {plan.direction}"
            )
            for joint in running.joints
        ]
        yield running
    finally:
        await _end(opening, running.tasks)
        block.close()


async def _end(opening: Sequence[asyncio.Task[Joint]], carrying: Sequence[asyncio.Task[None]]) -> None:
    for task in (*opening, *carrying):
        task.cancel()
    await asyncio.gather(*opening, *carrying, return_exceptions=True)
    for opened in opening:
        if not opened.cancelled() and opened.exception() is None:
            flow.cut(opened.result().sock)


async def transfer(session: Session, plan: Plan, around: Surroundings | None = None) -> Transfer:
    """Load one direction until its rate is steady.

    Args:
        session: with the reflector.
        plan: what to do.
        around: looks at the interface as long as there is load, and no longer.

    Raises:
        NoAnswer: the reflector refused, or went away before the rate was steady.
    """
    began_s = time.monotonic()
    session.begin()
    if around is not None:
        around.go_on()
    async with load(session, plan) as running:
        arrivals, looks, segment = await _watch(running, plan, began_s)
        if around is not None:
            around.hold()
        before = session.report
    closing = await session.final()
    for arrived in running.late():
        arrivals.add(*arrived)
    doubts = set() if segment is not None else {Doubt.UNSETTLED}
    segment = segment or arrivals.rest()
    if segment is None:
        raise NoAnswer(Reason.TIMEOUT, _why_nothing(closing, time.monotonic() - began_s))
    segment_bytes = _segment_bytes(plan.direction, looks, before)
    under_way_bytes = running.under_way_bytes(looks, segment.rate * segment_bytes)
    doubts |= _doubts(running, looks, closing, segment, segment_bytes)
    if plan.direction == "up" and _is_invented(looks, arrivals.arrived, segment_bytes):
        doubts.add(Doubt.IMPLAUSIBLE)
    return Transfer(
        segment=segment,
        segment_bytes=segment_bytes,
        load_bytes=running.moved_bytes(looks) + under_way_bytes,
        payload_bytes=running.payload_bytes(looks),
        duration_s=time.monotonic() - began_s,
        streams=plan.streams,
        congestion=running.joints[0].congestion,
        rtt_idle_ms=min(session.rtt_ms, *(joint.rtt_ms for joint in running.joints)),
        doubts=frozenset(doubts),
    )


def _why_nothing(closing: Report | None, elapsed_s: float) -> str:
    if closing is not None and closing.segments:
        return f"all was spent within {elapsed_s:.1f} s, before the reflector told twice of what arrived"
    return f"nothing arrived within {elapsed_s:.1f} s"


async def _watch(running: Load, plan: Plan, began_s: float) -> tuple[Arrivals, list[TcpInfo], Segment | None]:
    """Look every now and then until steady, or all that was granted is spent."""
    arrivals, grown_s, seen = Arrivals(), time.monotonic(), 0.0
    for before in running.arrived(running.looks()):
        arrivals.add(*before)
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        looks = running.looks()
        for arrived in running.arrived(looks):
            arrivals.add(*arrived)
        rtt_s, now_s = running.rtt_s(looks), time.monotonic()
        if arrivals.arrived > seen:
            grown_s, seen = now_s, arrivals.arrived
        if seen and (segment := arrivals.steady(rtt_s)) is not None:
            return arrivals, looks, segment
        moved_bytes = running.moved_bytes(looks)
        if now_s - grown_s > _STALL_S + 2 * rtt_s:
            raise NoAnswer(Reason.TIMEOUT, f"the transfer stood still for {now_s - grown_s:.0f} s")
        is_spent = now_s - began_s > plan.max_s or moved_bytes > plan.max_bytes
        granted_bytes = _SPENT_RATIO * min(plan.max_bytes, running.session.bytes)
        if _has_ended(running, granted_bytes, moved_bytes) or is_spent:
            return arrivals, looks, None


def _has_ended(running: Load, granted_bytes: float, moved_bytes: int) -> bool:
    """Whether the reflector has ended the load because all that was granted is spent.

    Raises:
        NoAnswer: it has ended for some other reason.
    """
    try:
        running.check()
    except NoAnswer:
        if moved_bytes < granted_bytes:
            raise
        return True
    return False


def _segment_bytes(direction: Direction, looks: Sequence[TcpInfo], report: Report | None) -> int:
    """Of a full segment, at the IP layer, as the receiving kernel knows it (`tcpi_rcv_mss`).

    The mean would be wrong while a hole waits for its retransmission: bytes count in order, segments do not.
    """
    if direction == "down":
        return max(look.rcv_mss_bytes + look.header_bytes for look in looks)
    return report.segment_bytes if report is not None and report.segment_bytes else _FULL_SEGMENT_BYTES


def _doubts(
    running: Load,
    looks: Sequence[TcpInfo],
    closing: Report | None,
    segment: Segment | None,
    segment_bytes: int,
) -> set[Doubt]:
    found = set()
    if segment is None:
        return {Doubt.TOO_FEW}
    if segment.low is None or segment.high is None or segment.high - segment.low > _WIDE_RATIO * segment.rate:
        found.add(Doubt.WIDE)
    if closing is None or not _agree(running.direction, looks, closing, segment_bytes):
        found.add(Doubt.DISAGREES)
    if running.direction == "up" and _is_clock_off(running.session.heard_s, running.rtt_s(looks)):
        found.add(Doubt.DISAGREES)
    if _doubled_ratio(running.direction, looks, closing) > _DOUBLED_RATIO:
        found.add(Doubt.DOUBLED)
    if _is_window_limited(running.direction, looks, closing):
        found.add(Doubt.UNSATURATED)
    return found


def _agree(direction: Direction, looks: Sequence[TcpInfo], closing: Report, segment_bytes: int) -> bool:
    """Whether both ends tell the same of what went through; what was under way at the end may be missing.

    More segments than were sent are a lie: the rate counts segments.
    """
    if direction == "down":
        received_bytes = sum(look.bytes_received for look in looks)
        return closing.acked_bytes <= received_bytes * (1 + _SLACK_RATIO) + _SLACK_BYTES
    acked_bytes = sum(look.bytes_acked for look in looks)
    sent_bytes = sum(look.bytes_sent for look in looks)
    least, most = (
        acked_bytes * (1 - _SLACK_RATIO) - _SLACK_BYTES,
        sent_bytes * (1 + _SLACK_RATIO) + _SLACK_BYTES,
    )
    came_bytes = closing.segments * (segment_bytes - looks[0].header_bytes)
    return least <= closing.received_bytes <= most and came_bytes <= most


def _is_invented(looks: Sequence[TcpInfo], segments: float, segment_bytes: int) -> bool:
    """Whether more, or longer, segments are said to have come than a middlebox makes of those that left."""
    sent = sum(look.data_segs_out for look in looks)
    full_bytes = max(look.snd_mss_bytes + look.header_bytes for look in looks)
    return segments > _INVENTED_RATIO * sent + _FEW_SEGMENTS or segment_bytes > _INVENTED_RATIO * full_bytes


def _doubled_ratio(direction: Direction, looks: Sequence[TcpInfo], closing: Report | None) -> float:
    """Share of the segments counted that had come before; the sender knows from the receiver (RFC 2883)."""
    if direction == "up":
        doubled, came = sum(look.dsack_dups for look in looks), closing.segments if closing else 0
    else:
        doubled, came = closing.doubled_segments if closing else 0, sum(look.data_segs_in for look in looks)
    return doubled / came if came else 0.0


def _is_clock_off(heard_s: Sequence[tuple[float, float]], rtt_s: float) -> bool:
    """Whether the reflector's seconds are others than ours; up, its clock is half of the rate."""
    if not heard_s:
        return False
    (here_s, there_s), (here_now_s, there_now_s) = heard_s[0], heard_s[-1]
    passed_s = here_now_s - here_s
    return abs((there_now_s - there_s) - passed_s) > _CLOCK_RATIO * passed_s + _CLOCK_S + 2 * rtt_s


def _is_window_limited(direction: Direction, looks: Sequence[TcpInfo], closing: Report | None) -> bool:
    """Whether the receiver's window, not the link, held the sender back (`tcpi_rwnd_limited`)."""
    if direction == "down":
        return closing is not None and closing.rwnd_limited_ratio > _WINDOW_LIMITED_RATIO
    busy_us = sum(look.busy_us for look in looks)
    return busy_us > 0 and sum(look.rwnd_limited_us for look in looks) / busy_us > _WINDOW_LIMITED_RATIO
