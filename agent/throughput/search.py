# SPDX-License-Identifier: Apache-2.0
"""Which round comes next, and when is the rate of one direction known?

First a few short rounds, each four times as long and as fast as the one before, until the link lets less
through than is sent or a knee shows its burst. Then a longer one slightly above the rate found, repeated
while it does not confirm what was found before; a burst is spent first. Sans-io.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from agent.contract.capacity.legs import Leg
from agent.contract.capacity.message import MAX_PACKETS
from agent.throughput.estimate import Estimate
from agent.throughput.question import Limits, faster, larger, leg_of, rate_bytes
from agent.throughput.rounds import (
    SHARED,
    Made,
    Round,
    alone_mbps,
    between_mbps,
    carried_more,
    counts_packets,
    faster_mbps,
    larger_get_more,
    no_bucket,
    peak_went,
    varied,
)
from agent.throughput.verdict import Doubt

_FIRST_BYTES = 3200
_GROWTH = 4
_RAMP_US = 20_000
_ENOUGH_US = 20_000
"""A round shows the rate roughly when it took so long behind its knee."""
_SHARP_PACKETS = 10
_RAMP_PACKETS, _DROPPED_PACKETS = 16, 40
_FEWEST_DROPPED = 32
"""As many at least; where most are dropped the rest must still show a knee."""
_FULLY = 0.95
_ABOVE = 1.15
_TINY_BYTES = 200
_FAR, _NEARLY, _ALMOST_HALF = 3.0, 0.99, 0.45
_FINAL_US, _BEHIND_BURST_US = 260_000, 110_000
_DEEP_US = 80_000
_SPENT, _SLOWER = 1.1, 0.8
"""So much more than the burst is sent before the rate behind it is looked at."""
_UNSEEN_BYTES = 14_000
"""A policer's bucket may hide behind random loss: at least so much is sent beyond the rate."""
_SMALL_BYTES = 400
_FILLS_BUCKET = 4
"""So many packets a bucket must hold at least."""
_PACKETS = 45
_LARGER_RATIO = 0.9
_FLOOD = 6.0
_MAX_FINALS, _MAX_SPENT = 4, 3
_MAX_ROUNDS = 14
_AGREES = 0.04
_STEADY, _TREND = 0.04, 0.1
_NARROW = 0.05
_DROPS_RATIO, _DROPS_US = 0.02, 5000.0
_NOISY = 0.02
_FREE = 0.7
_LOSSY_RATIO, _LOSSY_PACKETS = 0.01, 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known of the direction."""

    mbps: float | None
    low_mbps: float | None = None
    high_mbps: float | None = None
    burst_mbps: float | None = None
    burst_bytes: int | None = None
    loss_ratio: float | None = None
    queue_ms: float | None = None
    doubts: frozenset[Doubt] = frozenset()


@dataclass
class Search:
    """Goes from round to round.

    Attributes:
        made: rounds that count.
        small: the one after which only full packets were sent, because they get more.
    """

    limits: Limits
    made: list[Made] = field(default_factory=list)
    small: Made | None = None
    spent_bytes: int = 0
    is_cut_short: bool = False

    def next(self) -> Round | None:
        """The round to make now; None when the search has ended."""
        wanted = self._wanted()
        if wanted is None or len(self.made) >= _MAX_ROUNDS:
            self.is_cut_short |= wanted is not None
            return None
        if self.spent_bytes + wanted.bytes > self.limits.bytes:
            self.is_cut_short = True
            return None
        return wanted

    def take(self, made: Made) -> None:
        """A round was made; all begins anew, in full packets, when larger ones got more."""
        self.spent_bytes += made.round.bytes
        if larger_get_more(made):
            self.small, self.made = made, []
        else:
            self.made.append(made)

    def found(self) -> Found:
        """What is known until now."""
        best = self._best()
        if best is None or best.estimate is None:
            return Found(mbps=None, doubts=frozenset({Doubt.TOO_FEW}))
        e = best.estimate
        mbps, low, high = e.mbps, *e.interval_mbps
        alone = self._alone_mbps()
        if alone is not None:
            full = [m.estimate for m in self.made if m.round.is_final and m.estimate]
            mbps = max(f.mbps for f in full if f.is_saturated)
            high = max(mbps, alone)
        high = max(high, between_mbps(self.made, mbps) or 0.0, faster_mbps(self.made) or 0.0)
        burst = self._burst()
        if burst is not None and (burst.head_mbps or 0.0) < mbps:
            burst = None  # Loss made a knee in a short round.
        return Found(
            mbps=mbps,
            low_mbps=low,
            high_mbps=high,
            burst_mbps=burst.head_mbps if burst else None,
            burst_bytes=self._bucket_bytes(mbps) if burst else None,
            loss_ratio=max(0.0, e.loss_ratio),
            queue_ms=max(m.estimate.queue_us for m in self.made if m.estimate) / 1000,
            doubts=frozenset(self._doubts(best, e)),
        )

    def _doubts(self, best: Made, e: Estimate) -> set[Doubt]:
        doubts = {
            Doubt.UNSATURATED: not e.is_saturated,
            Doubt.UNSETTLED: self.is_cut_short or self._has_changed(e),
            Doubt.WIDE: math.hypot(e.width, e.unsteadiness) > _NARROW,
            Doubt.JITTER: e.noise_us > _NOISY * e.span_us,
            Doubt.LOSS: self._is_lossy(e.mbps),
            Doubt.PACKETS: counts_packets(self.made, self.small, e.mbps),
            Doubt.CROSS_TRAFFIC: bool(
                self._alone_mbps() or between_mbps(self.made, e.mbps) or faster_mbps(self.made)
            ),
        }
        found = {doubt for doubt, holds in doubts.items() if holds}
        is_rough = e.is_saturated and not best.round.is_final
        return found | {Doubt.UNSETTLED} if is_rough else found

    def _has_changed(self, e: Estimate) -> bool:
        """Whether the rate differs within the last round, or between rounds."""
        is_trend = abs(e.trend - 1) > max(_STEADY, min(4 * e.width, _TREND))
        bucket_bytes = self._bucket_bytes(e.mbps) if self._burst() else 0
        is_other = varied(self.made, e.mbps) or peak_went(self.made, e.mbps)
        is_other |= no_bucket(self.made, bucket_bytes)
        return is_trend or is_other or carried_more(self.made, e.mbps, bucket_bytes)

    def _best(self) -> Made | None:
        """The last final round that filled the link, else any that did, else the last that says anything."""
        told = [m for m in self.made if m.estimate is not None]
        full = [m for m in told if m.estimate is not None and m.estimate.is_saturated]
        sharp = [m for m in full if m.estimate is not None and m.estimate.width < 2 * _NARROW]
        final = [m for m in full if m.round.is_final]
        return next(reversed(final or sharp or told), None)

    def _wanted(self) -> Round | None:
        if not self.made:
            return self._ramp(_FIRST_BYTES * self.limits.stretch, math.inf)
        finals = [m for m in self.made if m.round.is_final]
        return self._after_final(finals) if self.made[-1].round.is_final else self._after_ramp(self.made[-1])

    def _after_ramp(self, last: Made) -> Round | None:
        e = last.estimate
        if e is None:
            return self._after_nothing(last)
        if not e.is_saturated or e.mbps < self._carried_mbps():
            return self._faster(last, e)
        if not _is_enough(e) and len(self.made) < _MAX_ROUNDS // 2:
            return self._longer(last, e)
        return self._final(e.mbps * _ABOVE, e if e.head_bytes else None)

    def _faster(self, last: Made, e: Estimate) -> Round | None:
        """The link was not full, or let less through than it carried before."""
        carried_mbps = self._carried_mbps()
        if e.is_saturated and last.round.mbps > _FAR * carried_mbps:
            return self._final(carried_mbps * _ABOVE, None)  # What is missing no pace brings back.
        if last.round.mbps >= _NEARLY * self._most_mbps():
            return self._at_most(last)
        return self._ramp(_GROWTH * last.round.bytes, self._most_mbps())

    def _at_most(self, last: Made) -> Round | None:
        """At the fastest pace, until a deep bucket would have shown itself."""
        lasted_us = 8 * last.round.bytes / last.round.mbps
        wanted = min(2.5 * lasted_us, _DEEP_US) * last.round.mbps / 8
        return self._ramp(wanted, last.round.mbps) if lasted_us < 0.95 * _DEEP_US else None

    def _longer(self, last: Made, e: Estimate) -> Round:
        """So long that it says something of the rate."""
        if self._drops() and e.head_bytes:
            return self._final(e.mbps * _ABOVE, e)  # More of the same packets would drop most of them again.
        if self._drops():
            return self._ramp(rate_bytes(e.mbps, 2 * _ENOUGH_US), e.mbps, _DROPPED_PACKETS)
        if not e.head_bytes:
            return self._ramp(rate_bytes(2 * e.mbps, 2 * _ENOUGH_US), 2 * e.mbps)
        wanted = e.head_bytes * _SPENT + rate_bytes(e.mbps, 2 * _ENOUGH_US)
        if wanted <= last.round.bytes:
            return self._final(e.mbps * _ABOVE, e)  # It was long enough, but most of it dropped.
        return self._ramp(min(_GROWTH * last.round.bytes, wanted), math.inf)

    def _after_nothing(self, last: Made) -> Round | None:
        """Almost all was lost: no faster than what came, if anything."""
        if len(self.made) >= _MAX_ROUNDS // 2:
            return None
        most_mbps = max(0.1, 8 * last.arrived * last.round.legs[0].packet_bytes / _RAMP_US)
        return self._ramp(rate_bytes(most_mbps, 2 * _RAMP_US), most_mbps)

    def _most_mbps(self) -> float:
        """Fastest pace to try: half of one at which almost everything was lost."""
        failed = [i for i, m in enumerate(self.made) if m.estimate is None]
        if not failed:
            return self.limits.max_mbps
        slowest_mbps = min(self.made[i].round.mbps for i in failed)
        since = [m for m in self.made[failed[-1] :] if m.estimate and not m.estimate.is_saturated]
        if len(failed) == 1 and any(m.round.mbps > _ALMOST_HALF * slowest_mbps for m in since):
            return self.limits.max_mbps  # The link was away for a moment.
        return min(self.limits.max_mbps, slowest_mbps / 2)

    def _carried_mbps(self) -> float:
        """What the link took for the length of a final round without being full."""
        finals = [m.estimate for m in self.made if m.round.is_final and m.estimate]
        return _FULLY * max((e.mbps for e in finals if not e.is_saturated), default=0.0)

    def _after_final(self, finals: list[Made]) -> Round | None:
        last, e = finals[-1], finals[-1].estimate
        if last.round.has_faster and len(last.round.legs) == 1:
            return None
        if self._confirms(finals):
            return self._question(last.round, e) if e else None
        if len(finals) >= _MAX_FINALS or last.round.mbps >= self.limits.max_mbps:
            self.is_cut_short = e is None or e.is_saturated
            return None
        if e is None:
            return self._final(max(0.05, last.round.mbps / 2), None)
        return self._fuller(last) if not e.is_saturated else self._again(e, len(finals))

    def _question(self, last: Round, e: Estimate) -> Round | None:
        """Does a faster pace get more? Asked where nothing that left together tells of others."""
        if e.pair_mbps or last.has_faster or self.limits.max_mbps < 2 * e.mbps:
            return None
        leg = faster(e.mbps, self.limits.packet_bytes, self.limits)
        return Round((leg,), last.mbps, is_final=True, has_faster=True)

    def _fuller(self, last: Made) -> Round:
        """The link was not full: spend more of its burst, then go faster; or look for its rate further up."""
        tried = sum(m.round.is_final for m in self.made)
        if self._burst() is not None and tried < _MAX_SPENT:
            return self._final(last.round.mbps * _ABOVE ** (tried - 1), self._burst())
        if tried == 1 and self._has_no_queue() and last.estimate and last.estimate.loss_ratio > _DROPS_RATIO:
            return self._final(last.round.mbps * _ABOVE, None)  # What little it drops is too much already.
        ramp_us = _RAMP_US * self.limits.stretch
        return self._ramp(rate_bytes(_GROWTH * last.round.mbps, ramp_us), self._most_mbps())

    def _again(self, e: Estimate, finals: int) -> Round:
        """What was found is not what was found before."""
        if self._seems_shared(e) and finals == 1:
            return self._final(3 * e.mbps, None, _FINAL_US // 3)
        is_unsteady = finals > 1 and abs(e.trend - 1) > _STEADY
        lasts_us = _FINAL_US * 2 ** (finals - 1) if is_unsteady else None
        return self._final(e.mbps * _ABOVE, self._burst(), lasts_us)

    def _confirms(self, finals: list[Made]) -> bool:
        """Whether the last round says what was known before it, and does not change in itself."""
        e = finals[-1].estimate
        if e is None or not e.is_saturated or finals[-1].round.mbps > _FLOOD * e.mbps:
            return False
        before = next((m.estimate for m in reversed(self.made[:-1]) if m.estimate), None)
        tolerance = max(_AGREES, 2 * e.width, 2 * before.width if before else 0.0)
        agrees = before is not None and abs(e.mbps / before.mbps - 1) < tolerance
        return (agrees or self._alone_mbps() is not None) and abs(e.trend - 1) < max(_STEADY, 3 * e.width)

    def _burst(self) -> Estimate | None:
        """The round that shows the deepest bucket: others began before it was full again."""
        told = [m.estimate for m in self.made if m.estimate and m.estimate.head_bytes]
        return max((e for e in told if not e.is_blurred), key=_net_bytes, default=None)

    def _ramp(self, wanted_bytes: float, most_mbps: float, packets: int = _RAMP_PACKETS) -> Round:
        lasts_mbps = wanted_bytes * 8 / (_RAMP_US * self.limits.stretch)
        mbps = min(lasts_mbps, most_mbps, self.limits.max_mbps)
        size = max(self._least_bytes, min(self.limits.packet_bytes, int(wanted_bytes / packets)))
        return Round((leg_of(wanted_bytes, size, mbps),), mbps, is_final=False)

    def _final(self, mbps: float, burst: Estimate | None, lasts_us: int | None = None) -> Round:
        likely_mbps = mbps = min(mbps, self.limits.max_mbps)
        if lasts_us is None:
            lasts_us = _FINAL_US if burst is None else _BEHIND_BURST_US
        if burst is None and self._drops():
            mbps = min(max(mbps, mbps / _ABOVE + 8 * _UNSEEN_BYTES / lasts_us), self.limits.max_mbps)
        wanted = rate_bytes(mbps, lasts_us * self.limits.stretch)
        size = int(max(self._least_bytes, min(self._most_in_bucket_bytes(mbps), wanted / _PACKETS)))
        if self._drops():
            wanted = max(wanted, _FEWEST_DROPPED * size)
        legs = [replace(leg_of(wanted, size, mbps), together=1 if self._drops() else 2)]
        if burst is not None:
            legs.insert(0, self._spending(burst, size, 2 * mbps))
        has_larger = size < _LARGER_RATIO * self.limits.packet_bytes
        if has_larger:
            legs.append(larger(likely_mbps / _ABOVE, self.limits, drops=self._drops()))
        # So small that an empty bucket serves them before those of others.
        asking = faster(likely_mbps / _ABOVE, _TINY_BYTES, self.limits)
        fits = sum(leg.count for leg in legs) + asking.count <= MAX_PACKETS
        has_faster = self._drops() and fits and self.limits.max_mbps > 2 * mbps
        if has_faster:
            legs.append(asking)
        return Round(tuple(legs), mbps, True, has_faster, has_larger)

    @property
    def _least_bytes(self) -> int:
        """Of any packet."""
        return _SMALL_BYTES if self.small is None else self.limits.packet_bytes

    def _drops(self) -> bool:
        """Whether what is too much is dropped, without a queue: a small bucket may not hold two packets."""
        told = (m.estimate for m in self.made if m.estimate)
        return any(m.estimate is None for m in self.made) or any(
            e.loss_ratio > _DROPS_RATIO and e.queue_us < _DROPS_US for e in told
        )

    def _most_in_bucket_bytes(self, mbps: float) -> float:
        """Largest packet to send: a bucket that holds but one or two loses tokens between them."""
        if not self._has_no_queue():
            return self.limits.packet_bytes
        return min(self.limits.packet_bytes, self._bucket_bytes(mbps) / _FILLS_BUCKET)

    def _has_no_queue(self) -> bool:
        """Whether the link was full, and yet nothing waited."""
        told = [m.estimate for m in self.made if m.estimate]
        full = [e for e in told if e.is_saturated]
        varies_us = max((e.queue_us for e in told if not e.is_saturated), default=0.0)
        waited_us = max((e.queue_us for e in full), default=math.inf)
        return waited_us < varies_us + _DROPS_US and any(e.loss_ratio > 0 for e in full)

    def _spending(self, burst: Estimate, size: int, least_mbps: float) -> Leg:
        """Empties the bucket, even when the sender is somewhat slower than told."""
        fast = min(self.limits.max_mbps, max(burst.head_mbps or 0.0, least_mbps))
        drains = max(0.3, 1 - burst.mbps / (_SLOWER * fast))
        wanted = max(self._bucket_bytes(burst.mbps), _net_bytes(burst)) / drains
        failed = sum(m.round.is_final for m in self.made)
        return leg_of(wanted * _SPENT ** (1 + failed), size, fast)

    def _seems_shared(self, e: Estimate) -> bool:
        ramp = [m for m in self.made if not m.round.is_final and m.estimate and m.estimate.is_saturated]
        if not ramp or e.head_bytes or self._burst() is not None:
            return False
        before = ramp[-1].estimate
        return before is not None and e.mbps < SHARED * before.mbps and ramp[-1].round.mbps > 1.5 * e.mbps

    def _alone_mbps(self) -> float | None:
        return None if self._burst() is not None else alone_mbps(self.made)

    def _bucket_bytes(self, mbps: float) -> int:
        """Depth of the bucket: what passed before a knee, and what rounds before it had taken out."""
        missing = deepest = 0.0
        ended_us = None
        for made in self.made:
            if ended_us is not None:
                missing = max(0.0, missing - rate_bytes(mbps, made.began_us - ended_us))
            if made.estimate and made.estimate.head_bytes:
                deepest = max(deepest, missing + _net_bytes(made.estimate))
                missing = deepest
            elif made.estimate and not made.estimate.is_saturated:
                lasted_us = made.ended_us - made.began_us
                missing = max(0.0, missing + made.round.bytes - rate_bytes(mbps, lasted_us))
            ended_us = made.ended_us
        return round(deepest)

    def _is_lossy(self, mbps: float) -> bool:
        """Whether packets are lost even at a pace well below what the link carries."""
        free = [m for m in self.made if m.estimate and m.round.mbps < _FREE * mbps]
        sent = sum(leg.count for m in free for leg in m.round.legs)
        lost = sent - sum(m.arrived for m in free)
        return sent >= _LOSSY_PACKETS and lost > max(1, _LOSSY_RATIO * sent)


def _is_enough(e: Estimate) -> bool:
    """Whether a round tells the rate roughly."""
    return e.span_us >= _ENOUGH_US or (e.packets >= _SHARP_PACKETS and e.width < _NARROW)


def _net_bytes(burst: Estimate) -> float:
    """What a burst took out of the bucket: while it passed, tokens came in as well."""
    head_mbps = burst.head_mbps or math.inf
    return burst.head_bytes * max(0.0, 1 - burst.mbps / head_mbps)
