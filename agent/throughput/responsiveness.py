# SPDX-License-Identifier: Apache-2.0
"""How long does a round trip take while the link is full?

Working conditions and aggregation follow draft-ietf-ippm-responsiveness (sections "Measuring Responsiveness"
and "Aggregating the Measurements", TCP-only case): fresh connections give `tcp_f` and `http_f`, the load's
own connections `http_l`, for which the draft allows the kernel's estimate. The load uses a loss-based
congestion control, as most servers do; with BBR the queue would stay short and its size unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import math
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from agent.contract import flow
from agent.echo.problem import NoAnswer
from agent.throughput.dialogue import Session
from agent.throughput.segment import Arrivals
from agent.throughput.surroundings import Surroundings
from agent.throughput.tcp import Load, Plan, load

log = logging.getLogger("agent.throughput.responsiveness")

CONGESTION = "reno"
"""Always there, allowed to everybody, and without an early end of slow start: the queue fills at once."""
_TRIM_RATIO = 0.95
_INTERVALS = 4
_TOLERANCE_RATIO = 0.05
_INTERVAL_S = 0.5
_PROBE_BYTES = 700
_PROBE_RATIO = 0.05
_FASTEST_S, _SLOWEST_S = 0.02, 0.25
_IN_FLIGHT = 200
_FULL_RATIO = 0.9
_MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """One probe on a fresh connection.

    Attributes:
        at_s: when it began.
        tcp_ms: how long the handshake took.
        http_ms: how long a question and its answer took.
        load_ms: the kernel's estimate on the load's connections meanwhile.
    """

    at_s: float
    tcp_ms: float
    http_ms: float
    load_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Round trips under load.

    Attributes:
        rtt_ms: their median; None when none counts, as on a link that never was full.
        rpm: round trips per minute as the draft defines them.
        load_bytes: that was sent or received meanwhile, at the IP layer.
        payload_bytes: of them.
        is_stable: four intervals in a row agreed.
        from_s: on the monotonic clock, where the trips that count begin.
        to_s: and where they end.
    """

    rtt_ms: float | None = None
    rpm: float | None = None
    trips: int = 0
    load_bytes: int
    payload_bytes: int
    is_stable: bool = False
    from_s: float = 0.0
    to_s: float = 0.0


def trimmed_mean(values: Sequence[float]) -> float:
    """Without the largest twentieth (the draft's `TM`)."""
    kept = sorted(values)[: max(1, math.ceil(_TRIM_RATIO * len(values)))]
    return statistics.fmean(kept)


def rpm(trips: Sequence[Trip]) -> float:
    """The draft's formula for the TCP-only case; without the kernel's estimate, the first half of it."""
    foreign_ms = (trimmed_mean([t.tcp_ms for t in trips]) + trimmed_mean([t.http_ms for t in trips])) / 2
    own_ms = [t.load_ms for t in trips if t.load_ms is not None]
    foreign = _MINUTE_MS / foreign_ms
    return (foreign + _MINUTE_MS / trimmed_mean(own_ms)) / 2 if own_ms else foreign


def settled(trips: Sequence[Trip], interval_s: float) -> tuple[list[Trip], bool]:
    """The trips of the last four intervals, and whether these agree within 5 %."""
    if not trips:
        return [], False
    last_s = max(trip.at_s for trip in trips)
    parts = [
        [t for t in trips if last_s - (n + 1) * interval_s < t.at_s <= last_s - n * interval_s]
        for n in range(_INTERVALS)
    ]
    counted = [trip for part in parts for trip in part]
    if not all(parts):
        return counted, False
    means = [trimmed_mean([t.tcp_ms + t.http_ms for t in part]) for part in parts]
    return counted, statistics.pstdev(means) <= _TOLERANCE_RATIO * statistics.fmean(means)


async def under_load(session: Session, plan: Plan, mbps: float, around: Surroundings | None = None) -> Loaded:
    """Fill the link and ask how long answers take, as far as what the plan allows is enough for that.

    Args:
        session: with the reflector.
        plan: of the load.
        mbps: what the link carries.
        around: looks at the interface as long as there is load, and no longer.

    Raises:
        NoAnswer: the load could not be made.
    """
    if around is not None:
        around.go_on()
    async with load(session, plan) as running:
        asking = _Asking(session, running, plan, mbps)
        try:
            await asking.ask()
        except NoAnswer as e:
            log.debug("responsiveness.broken problem=%s", e)
            asking.counted = []
        finally:
            await asking.stop()
        looks = running.looks()
        if around is not None:
            around.hold()
        under_way_bytes = running.under_way_bytes(looks, asking.bytes_per_s)
        spent = Loaded(
            load_bytes=running.moved_bytes(looks) + under_way_bytes,
            payload_bytes=running.payload_bytes(looks),
        )
    if not asking.counted:
        return spent
    ordered = sorted(asking.counted, key=lambda trip: trip.at_s)
    return dataclasses.replace(
        spent,
        rtt_ms=statistics.median([ms for trip in ordered for ms in (trip.tcp_ms, trip.http_ms)]),
        rpm=rpm(ordered),
        trips=len(ordered),
        is_stable=asking.is_stable,
        from_s=ordered[0].at_s,
        to_s=ordered[-1].at_s + (ordered[-1].tcp_ms + ordered[-1].http_ms) / 1000,
    )


def _every_s(mbps: float) -> float:
    """So seldom that probes take no more than 5 % of the link."""
    return min(_SLOWEST_S, max(_FASTEST_S, _PROBE_BYTES * 8 / (_PROBE_RATIO * mbps * 1e6)))


class _Asking:
    """Probes sent out one after the other, each a task of its own: a slow one does not hold up the next."""

    def __init__(self, session: Session, running: Load, plan: Plan, mbps: float) -> None:
        self._session = session
        self._running = running
        self._plan = plan
        self._every_s = _every_s(mbps)
        self._trips: list[Trip] = []
        self._open: set[asyncio.Task[None]] = set()
        self._moved = Arrivals()
        self._full_mbps = _FULL_RATIO * mbps
        self._full_since_s: float | None = None
        self.counted: list[Trip] = []
        self.is_stable = False

    async def ask(self) -> None:
        """Until the answers are stable or all that was granted is spent."""
        ends_s = time.monotonic() + self._plan.max_s
        while time.monotonic() < ends_s and not self.is_stable:
            if len(self._open) < _IN_FLIGHT:
                task = asyncio.create_task(self._trip(), name="probe under load")
                self._open.add(task)
                task.add_done_callback(self._open.discard)
            await asyncio.sleep(self._every_s)
            self._running.check()
            looks = self._running.looks()
            moved, rtt_s = self._running.moved_bytes(looks), self._running.rtt_s(looks)
            if moved > self._plan.max_bytes:
                break
            self._moved.add(time.monotonic(), moved)
            if self._full_since_s is None and self._is_full(rtt_s):
                self._full_since_s = time.monotonic()
            self._judge(rtt_s)
        self._judge(0.0)

    async def stop(self) -> None:
        """Give up those still out."""
        waiting = tuple(self._open)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    @property
    def bytes_per_s(self) -> float:
        """Of the load, lately."""
        return self._moved.recent_rate(_INTERVAL_S)

    def _is_full(self, rtt_s: float) -> bool:
        """Whether the load carries what the link does: the draft's saturation of goodput."""
        return self._moved.recent_rate(max(_INTERVAL_S, rtt_s)) * 8 / 1e6 > self._full_mbps

    def _judge(self, rtt_s: float) -> None:
        if self._full_since_s is None:
            return
        trips = [trip for trip in self._trips if trip.at_s > self._full_since_s]
        self.counted, self.is_stable = settled(trips, max(_INTERVAL_S, rtt_s, 3 * self._every_s))

    async def _trip(self) -> None:
        at_s = time.monotonic()
        with contextlib.suppress(NoAnswer):
            joint = await self._session.join("echo", CONGESTION)
            flow.cut(joint.sock)
            load_ms = self._running.load_rtt_ms(self._running.looks())
            self._trips.append(
                Trip(at_s=at_s, tcp_ms=joint.connect_ms, http_ms=joint.answer_ms, load_ms=load_ms)
            )
