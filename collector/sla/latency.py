# SPDX-License-Identifier: Apache-2.0
"""How long did answers take and how many were lost, with the line idle and with it loaded?

Percentiles are nearest ranks over slots, one value a slot, or over all echoes by merging their histograms.
Percentiles are never averaged.
"""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from agent.contract.histogram import Histogram, merge, quantile_ms
from collector.sla.availability import share
from collector.sla.rank import MEDIAN, P95, P99, nearest_rank, nearest_rank_of
from collector.sla.slotset import SlotSet
from collector.sla.verdict import Verdict, of_all


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What was measured in one slot.

    Attributes:
        rtt_ms: median round-trip time of the slot; None when nothing answered.
        received: how many of `sent` were answered.
        loaded: whether a throughput test or the users filled the line meanwhile.
        rtt_histogram: all round-trip times of the slot.
    """

    slot: int
    rtt_ms: float | None
    sent: int
    received: int
    loaded: bool = False
    rtt_histogram: Histogram = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class LatencyTarget:
    """What the percentile of the slots may be at most; None where nothing is promised.

    Attributes:
        quantile: which percentile.
        slots_min: with fewer slots nobody can say.
    """

    idle_rtt_ms: Fraction | None = None
    loaded_rtt_ms: Fraction | None = None
    idle_loss_ratio: Fraction | None = None
    loaded_loss_ratio: Fraction | None = None
    quantile: Fraction = P95
    slots_min: int = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class LatencyFigures:
    """Idle, or loaded.

    Attributes:
        slots: how many had a round-trip time.
        rtt_ms: percentile of the slots' round-trip times that is judged.
        echo_p50_ms: percentiles of all echoes, within 1 %.
        lost: echoes without answer, of `sent`.
        loss_slots: how many slots had echoes at all.
        loss_ratio: percentile of the slots' losses that is judged.
    """

    slots: int
    rtt_ms: float | None
    rtt_p50_ms: float | None
    rtt_p95_ms: float | None
    rtt_p99_ms: float | None
    echo_p50_ms: float | None
    echo_p95_ms: float | None
    echo_p99_ms: float | None
    lost: int
    sent: int
    loss_slots: int
    loss_ratio: Fraction | None
    rtt_target_ms: Fraction | None
    loss_target_ratio: Fraction | None
    rtt_verdict: Verdict | None
    loss_verdict: Verdict | None

    @property
    def lost_share(self) -> Fraction | None:
        """`lost` of `sent`."""
        return share(self.lost, self.sent)


@dataclass(frozen=True, kw_only=True, slots=True)
class Latency:
    """Both, apart."""

    idle: LatencyFigures
    loaded: LatencyFigures

    @property
    def verdict(self) -> Verdict | None:
        """Of everything that is promised; None when nothing is."""
        each = (
            self.idle.rtt_verdict,
            self.idle.loss_verdict,
            self.loaded.rtt_verdict,
            self.loaded.loss_verdict,
        )
        promised = [v for v in each if v is not None]
        return of_all(promised) if promised else None


def judge_latency(samples: Iterable[Sample], counted: SlotSet, target: LatencyTarget) -> Latency:
    """Figures and verdicts over the slots that count."""
    ours = _within(samples, counted)
    return Latency(
        idle=_figures([s for s in ours if not s.loaded], target, target.idle_rtt_ms, target.idle_loss_ratio),
        loaded=_figures(
            [s for s in ours if s.loaded], target, target.loaded_rtt_ms, target.loaded_loss_ratio
        ),
    )


def _within(samples: Iterable[Sample], counted: SlotSet) -> list[Sample]:
    """A month has 44,640 of them: each is looked at once, not once a span."""
    ordered = sorted(samples, key=lambda s: s.slot)
    slots = [s.slot for s in ordered]
    found: list[Sample] = []
    for first, end in counted.spans:
        found += ordered[bisect.bisect_left(slots, first) : bisect.bisect_left(slots, end)]
    return found


def _figures(
    samples: list[Sample], target: LatencyTarget, rtt_target: Fraction | None, loss_target: Fraction | None
) -> LatencyFigures:
    rtts = sorted(s.rtt_ms for s in samples if s.rtt_ms is not None)
    losses = Counter((s.sent - s.received, s.sent) for s in samples if s.sent)
    echoes = merge(s.rtt_histogram for s in samples)
    rtt, loss = nearest_rank(rtts, target.quantile), _loss(losses, target.quantile)
    return LatencyFigures(
        slots=len(rtts),
        rtt_ms=rtt,
        rtt_p50_ms=nearest_rank(rtts, MEDIAN),
        rtt_p95_ms=nearest_rank(rtts, P95),
        rtt_p99_ms=nearest_rank(rtts, P99),
        echo_p50_ms=quantile_ms(echoes, 0.5),
        echo_p95_ms=quantile_ms(echoes, 0.95),
        echo_p99_ms=quantile_ms(echoes, 0.99),
        lost=sum(s.sent - s.received for s in samples),
        sent=sum(s.sent for s in samples),
        loss_slots=losses.total(),
        loss_ratio=loss,
        rtt_target_ms=rtt_target,
        loss_target_ratio=loss_target,
        rtt_verdict=_verdict(rtt, rtt_target, enough=len(rtts) >= target.slots_min),
        loss_verdict=_verdict(loss, loss_target, enough=losses.total() >= target.slots_min),
    )


def _loss(counts: Counter[tuple[int, int]], quantile: Fraction) -> Fraction | None:
    """A percentile of the slots' losses, from how many slots lost how many of how many."""
    shares: Counter[Fraction] = Counter()
    for (lost, sent), slots in counts.items():
        shares[Fraction(lost, sent)] += slots
    return nearest_rank_of(shares, quantile)


def _verdict(found: float | Fraction | None, target: Fraction | None, *, enough: bool) -> Verdict | None:
    """Lower is better here."""
    if target is None:
        return None
    if found is None or not enough:
        return Verdict.INDETERMINATE
    return Verdict.MET if found <= target else Verdict.BREACHED
