# SPDX-License-Identifier: Apache-2.0
"""At which rate did the link let the packets of one round through, and how sure is that?

The receiver's stamps decide. Bytes over time make a line whose slope is the rate; where a token bucket lets a
burst through first the line has a knee, and only what comes behind it is the sustained rate. What the sender
failed to send in time is cut out: a gap that the sender made says nothing of the link.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from agent.throughput import slope
from agent.throughput.slope import MIN_PACKETS, Point

_POINTS = 400
_KNEE_FASTER = 1.12
_MAX_KNEES = 3
_KNEE_BETTER = 0.35
"""Two lines must leave less than this share of one line's squared deviations."""
_SENDER_GAP_US = 1500
_TOGETHER_US, _SHARP_GAP_US = 200.0, 150.0
_BUCKET_US, _DROPS_RATIO = 10_000.0, 0.02


@dataclass(frozen=True, slots=True)
class Packet:
    """One that arrived.

    Attributes:
        seq: its place in the round.
        sent_us: when it left, on the sender's clock.
        at_us: when it came, on the receiver's.
        bytes: at the IP layer.
    """

    seq: int
    sent_us: float
    at_us: float
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What one round says.

    Attributes:
        mbps: rate behind the knee, or of all where there is none.
        low_mbps, high_mbps: 95 % confidence interval.
        sent_mbps: rate at which those same packets were sent, lost ones counted.
        span_us: time the rate is taken over.
        packets: so many of them.
        head_mbps, head_bytes: the burst before the knee; None and 0 without one.
        is_head_full: that burst, too, was let through more slowly than it was sent.
        loss_ratio: share lost between the first and the last that arrived, behind the knee.
        queue_us: largest growth of the one-way delay.
        noise_us: how much arrivals deviate from the line, median.
        pair_mbps: rate at which packets that left together came one behind the other, at least; None with too
            few.
        trend: rate of the second half of the tail over that of the first.
        unsteadiness: half the interval, beside the figure, because the rate changed within the tail.
        growth_us: by how much the smallest one-way delay of its last quarter is above that of its first.
    """

    mbps: float
    low_mbps: float
    high_mbps: float
    sent_mbps: float
    span_us: float
    packets: int
    head_mbps: float | None
    head_bytes: int
    loss_ratio: float
    queue_us: float
    noise_us: float
    trend: float
    pair_mbps: float | None = None
    unsteadiness: float = 0.0
    growth_us: float = math.inf
    is_head_full: bool = False

    @property
    def is_blurred(self) -> bool:
        """Whether arrivals are but scattered: nothing was dropped, nor did delays grow as a queue's do."""
        grows_us = max(0.0, 1 - self.mbps / self.sent_mbps) * self.span_us
        is_noisy = self.noise_us > _NOISY * self.span_us
        return is_noisy and self.loss_ratio < _DROPS_RATIO and self.growth_us < _GROWS * grows_us

    @property
    def is_saturated(self) -> bool:
        """Whether more was sent than the link let through, and not only by chance."""
        # Without a queue that grows it may be random loss, some of it by bad luck.
        is_by_loss = self.loss_ratio > 0 and self.growth_us < _GROWN_US
        is_less = self.mbps < (_SATURATED_BY_LOSS if is_by_loss else _SATURATED) * self.sent_mbps
        is_sure = self.high_mbps < self.sent_mbps or self.loss_ratio > _DROPPED_SURELY
        is_full = is_less and (is_sure or self.mbps < _SATURATED_SURELY * self.sent_mbps)
        return is_full and not self.is_blurred

    @property
    def interval_mbps(self) -> tuple[float, float]:
        """Where the rate lies in the long run, where it changed during the round as well."""
        wider = math.hypot(self.width, self.unsteadiness) / self.width
        return (
            self.mbps - (self.mbps - self.low_mbps) * wider,
            self.mbps + (self.high_mbps - self.mbps) * wider,
        )

    @property
    def width(self) -> float:
        """Half the confidence interval beside the figure."""
        return (self.high_mbps - self.low_mbps) / 2 / self.mbps


_SATURATED, _SATURATED_BY_LOSS, _SATURATED_SURELY, _DROPPED_SURELY = 0.95, 0.92, 0.5, 0.3
_GROWN_US = 2000.0
_SURE_PACKETS, _HELD_BACK = 40, 0.85
_NOISY, _GROWS = 0.02, 0.4
"""In the quarters of a queue that fills evenly delays grow by three quarters of the whole."""


def estimate(packets: Sequence[Packet]) -> Estimate | None:
    """What these packets say; None when they are too few or came all at once."""
    ordered = _in_order(packets)
    if len(ordered) < MIN_PACKETS:
        return None
    line, at = _best_line(ordered)
    tail, points = ordered[at:], line[at:]
    fit = slope.fit(points)
    if fit is None:
        return None
    deviations = slope.deviations(points, fit)
    half = slope.half_width(points, fit, deviations)
    loss_ratio, sent_mbps = _loss_ratio(tail, ordered), _sent_mbps(tail)
    if loss_ratio > 0:
        # A policer lets whole packets pass: half a one at either end.
        half = math.hypot(half, fit * tail[0].bytes / (points[-1].bytes - points[0].bytes) / 2)
    mbps = 8 / fit
    width = min(0.99, half / fit)
    # A sender that slows down makes a knee too, but no burst.
    head_mbps = _rate(line[: at + 1]) if at else None
    is_faster = head_mbps is not None and head_mbps > _KNEE_FASTER * mbps
    is_burst = is_faster and mbps < _SATURATED * sent_mbps
    delays = [p.at_us - p.sent_us for p in ordered]
    return Estimate(
        mbps=mbps,
        low_mbps=mbps / (1 + width),
        high_mbps=mbps / (1 - width),
        sent_mbps=sent_mbps,
        span_us=points[-1].us - points[0].us,
        packets=len(tail),
        head_mbps=head_mbps if is_burst else None,
        head_bytes=round(line[at].bytes) if is_burst else 0,
        loss_ratio=loss_ratio,
        queue_us=_upper(delays) - min(delays),
        noise_us=sorted(abs(d) for d in deviations)[len(deviations) // 2],
        trend=slope.trend(points),
        unsteadiness=slope.unsteadiness(points),
        pair_mbps=_pair_mbps(tail),
        growth_us=_growth_us(tail),
        is_head_full=is_burst and _is_full(ordered[: at + 1], head_mbps),
    )


def _in_order(packets: Sequence[Packet]) -> list[Packet]:
    """As the link served them: one that was overtaken counts as having come with the first that overtook it.

    Else stragglers behind a round make a slow end, which looks like a burst that has passed.
    """
    ordered, came_us = [], math.inf
    for packet in sorted(packets, key=lambda p: p.seq, reverse=True):
        came_us = min(came_us, packet.at_us)
        ordered.append(replace(packet, at_us=came_us))
    return ordered[::-1]


def _best_line(ordered: Sequence[Packet]) -> tuple[list[Point], int]:
    """Bytes over time, and the place behind the burst.

    A pause of the sender lets a queue run empty: that time says nothing and is taken out. But where a bucket
    filled up meanwhile, what follows makes good for it, and the time counts. Whichever makes a straight line.
    """
    whole = _line(ordered, [0.0] * (len(ordered) - 1))
    at = _behind_burst(whole)
    # A bucket that drops what is too much has filled up in a short pause; only a longer one cost anything.
    spared_us = _BUCKET_US if _loss_ratio(ordered, ordered) > _DROPS_RATIO else 0.0
    idle = [max(0.0, us - spared_us) for us in _idle_us(ordered)]
    if not any(idle):
        return whole, at
    cut = _line(ordered, idle)
    cut_at = _behind_burst(cut)
    return min(((whole, at), (cut, cut_at)), key=lambda line: _crookedness(line[0][line[1] :]))


def _crookedness(points: Sequence[Point]) -> float:
    """Squared deviations in bytes, so that lines of other slopes compare."""
    fit = slope.fit(points)
    return sum(d * d for d in slope.deviations(points, fit)) / fit**2 / len(points) if fit else math.inf


def _line(ordered: Sequence[Packet], idle_us: Sequence[float]) -> list[Point]:
    """Bytes that came *after* the first packet: its own came before the clock ran."""
    points = [Point(0.0, 0.0)]
    total = 0
    for packet, idle in zip(ordered[1:], itertools.accumulate(idle_us), strict=True):
        total += packet.bytes
        points.append(Point(packet.at_us - ordered[0].at_us - idle, total))
    return points


def _idle_us(ordered: Sequence[Packet]) -> list[float]:
    """By how much each arrival was held up because the sender had sent nothing: both paused."""
    gaps = [b.at_us - a.at_us for a, b in itertools.pairwise(ordered)]
    # Where several come at once, from a radio say, half of the gaps are next to nothing.
    usual_us = max(sorted(gaps)[len(gaps) // 2], (ordered[-1].at_us - ordered[0].at_us) / len(gaps))
    idle = []
    for (a, b), gap_us in zip(itertools.pairwise(ordered), gaps, strict=True):
        paused_us = (b.sent_us - a.sent_us) / max(1, abs(b.seq - a.seq))
        is_pause = min(paused_us, gap_us) > _SENDER_GAP_US + 3 * usual_us
        idle.append(max(0.0, min(gap_us, paused_us) - usual_us) if is_pause else 0.0)
    return idle


def _behind_burst(line: Sequence[Point]) -> int:
    """Place of the first point behind the burst; 0 where there is none.

    A bucket that a fast leg nearly emptied and a slower one emptied for good makes two knees.
    """
    at = 0
    for _ in range(_MAX_KNEES):
        further = _knee(line[at:])
        at += further
        if not further:
            break
    return at


def _knee(line: Sequence[Point]) -> int:
    step = max(1, len(line) // _POINTS)
    thin = list(line[::step])
    if len(thin) < 2 * MIN_PACKETS:
        return 0
    sums = _Sums(thin)
    whole = sums.left_over(0, len(thin))
    best, at = whole, 0
    for i in range(3, len(thin) - MIN_PACKETS + 1):
        both = sums.left_over(0, i) + sums.left_over(i, len(thin))
        if both < best:
            best, at = both, i
    if not at or best > _KNEE_BETTER * whole:
        return 0
    head, tail = sums.slope(0, at), sums.slope(at, len(thin))
    is_burst = head is not None and tail is not None and tail > _KNEE_FASTER * max(head, 0.0)
    return min(at * step, len(line) - MIN_PACKETS) if is_burst else 0


class _Sums:
    """Least squares over any stretch of points in constant time."""

    def __init__(self, points: Sequence[Point]) -> None:
        def running(values: Sequence[float]) -> list[float]:
            return [0.0, *itertools.accumulate(values)]

        self._b = running([p.bytes for p in points])
        self._t = running([p.us for p in points])
        self._bb = running([p.bytes**2 for p in points])
        self._bt = running([p.bytes * p.us for p in points])
        self._tt = running([p.us**2 for p in points])

    def _moments(self, i: int, j: int) -> tuple[float, float, float]:
        n = j - i
        b, t = self._b[j] - self._b[i], self._t[j] - self._t[i]
        return (
            self._bb[j] - self._bb[i] - b * b / n,
            self._bt[j] - self._bt[i] - b * t / n,
            self._tt[j] - self._tt[i] - t * t / n,
        )

    def slope(self, i: int, j: int) -> float | None:
        bb, bt, _ = self._moments(i, j)
        return bt / bb if bb > 0 else None

    def left_over(self, i: int, j: int) -> float:
        """Squared deviations from the stretch's own line."""
        bb, bt, tt = self._moments(i, j)
        return max(0.0, tt - bt * bt / bb) if bb > 0 else 0.0


def _rate(points: Sequence[Point]) -> float | None:
    us = points[-1].us - points[0].us
    return 8 * (points[-1].bytes - points[0].bytes) / us if us > 0 else None


def _growth_us(tail: Sequence[Packet]) -> float:
    delays = [p.at_us - p.sent_us for p in sorted(tail, key=lambda p: p.seq)]
    quarter = max(1, len(delays) // 4)
    return min(delays[-quarter:]) - min(delays[:quarter])


def _pair_mbps(tail: Sequence[Packet]) -> float | None:
    """How fast were packets served that left together: two, or as many as a fast pace sends at once?"""
    groups = _together(tail)
    lengths = sorted(len(group) for group in groups if len(group) > 1)
    usual = lengths[len(lengths) // 2] if lengths else 2
    long = [group for group in groups if len(group) >= usual]
    spans_us = [group[-1].at_us - group[0].at_us for group in long]
    if len(long) < MIN_PACKETS or sorted(spans_us)[len(spans_us) // 2] < _SHARP_GAP_US:
        return None
    gaps = sorted(us / sum(p.bytes for p in group[1:]) for us, group in zip(spans_us, long, strict=True))
    # Where gaps scatter their median does so as well: two of its standard errors are given away.
    return 8 / gaps[min(len(gaps) - 1, (len(gaps) + 2 * math.isqrt(len(gaps))) // 2)]


def _together(tail: Sequence[Packet]) -> list[list[Packet]]:
    groups = [[tail[0]]]
    for before, packet in itertools.pairwise(tail):
        is_next = packet.seq == before.seq + 1 and packet.sent_us - groups[-1][0].sent_us < _TOGETHER_US
        if is_next:
            groups[-1].append(packet)
        else:
            groups.append([packet])
    return groups


def _loss_ratio(tail: Sequence[Packet], arrived: Sequence[Packet]) -> float:
    """Share of those sent with the tail that never came; some may have come before it, out of order."""
    first, last = min(p.seq for p in tail), max(p.seq for p in tail)
    return 1 - sum(first <= p.seq <= last for p in arrived) / (last - first + 1)


def _sent_mbps(tail: Sequence[Packet]) -> float:
    first, last = min(tail, key=lambda p: p.seq), max(tail, key=lambda p: p.seq)
    us = last.sent_us - first.sent_us
    mean_bytes = sum(p.bytes for p in tail) / len(tail)
    return 8 * (last.seq - first.seq) * mean_bytes / us if us > 0 else math.inf


def _is_full(head: Sequence[Packet], head_mbps: float | None) -> bool:
    """Whether a burst was held back, too; a short one has packets from behind the knee in it."""
    return len(head) >= _SURE_PACKETS and head_mbps is not None and head_mbps < _HELD_BACK * _sent_mbps(head)


def _upper(values: Sequence[float]) -> float:
    """The 95th percentile."""
    return sorted(values)[math.ceil(0.95 * len(values)) - 1]
