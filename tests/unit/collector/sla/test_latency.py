# SPDX-License-Identifier: Apache-2.0
"""Are round-trip times and losses judged over slots, idle and loaded apart, and lower is better?"""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.histogram import count
from collector.sla.latency import Latency, LatencyTarget, Sample, judge_latency
from collector.sla.slotset import SlotSet
from collector.sla.verdict import Verdict

ALL = SlotSet.of([(0, 10_000)])
GEO = LatencyTarget(idle_rtt_ms=Fraction(750), idle_loss_ratio=Fraction(2, 100))
FIBRE = LatencyTarget(idle_rtt_ms=Fraction(30))


def samples(*rtt_ms: float | None, sent: int = 10, lost: int = 0, loaded: bool = False) -> list[Sample]:
    return [
        Sample(slot=n, rtt_ms=rtt, sent=sent, received=sent - lost, loaded=loaded)
        for n, rtt in enumerate(rtt_ms)
    ]


def judged(found: list[Sample], target: LatencyTarget = GEO, counted: SlotSet = ALL) -> Latency:
    return judge_latency(found, counted, target)


def test_the_percentile_of_the_slots_is_judged() -> None:
    """The 95th of 100 slots: 95 at 640 ms and 5 at 2,000 ms keep the promise, 94 and 6 do not."""
    met = judged(samples(*[640.0] * 95, *[2000.0] * 5))
    breached = judged(samples(*[640.0] * 94, *[2000.0] * 6))

    assert (met.idle.rtt_ms, met.idle.rtt_verdict) == (640.0, Verdict.MET)
    assert (breached.idle.rtt_ms, breached.idle.rtt_verdict) == (2000.0, Verdict.BREACHED)
    assert (met.idle.slots, met.idle.rtt_p50_ms, met.idle.rtt_p99_ms) == (100, 640.0, 2000.0)


def test_low_latency_is_good_and_high_is_bad() -> None:
    """A tool was seen that judged the other way round."""
    assert judged(samples(*[5.0] * 60)).idle.rtt_verdict is Verdict.MET
    assert judged(samples(*[5000.0] * 60)).idle.rtt_verdict is Verdict.BREACHED


def test_percentiles_are_not_averaged() -> None:
    """Ten days of 100 slots: on nine all at 10 ms, on one all at 1,000 ms.

    The mean of the days' 95th percentiles is 109 ms; of the 1,000 slots the 950th is at 1,000 ms.
    """
    made = judged(samples(*[10.0] * 900, *[1000.0] * 100))

    assert made.idle.rtt_p95_ms == 1000.0


def test_idle_and_loaded_are_apart() -> None:
    target = LatencyTarget(idle_rtt_ms=Fraction(750), loaded_rtt_ms=Fraction(1500))
    made = judged([*samples(*[600.0] * 60), *samples(*[1800.0] * 60, loaded=True)], target)

    assert (made.idle.rtt_verdict, made.loaded.rtt_verdict) == (Verdict.MET, Verdict.BREACHED)
    assert made.verdict is Verdict.BREACHED
    assert (made.idle.slots, made.loaded.slots) == (60, 60)


def test_what_is_promised_depends_on_the_technology() -> None:
    found = samples(*[620.0] * 60)

    assert judged(found, GEO).idle.rtt_verdict is Verdict.MET
    assert judged(found, FIBRE).idle.rtt_verdict is Verdict.BREACHED
    assert judged(found, LatencyTarget()).verdict is None


def test_loss_is_counted_exactly() -> None:
    """94 slots without loss, 6 that lost 1 of 50: the 95th lost 2 %, just allowed; 6 of 5,000 in all."""
    made = judged([*samples(*[600.0] * 94, sent=50), *samples(*[600.0] * 6, sent=50, lost=1)])

    assert (made.idle.loss_ratio, made.idle.loss_verdict) == (Fraction(1, 50), Verdict.MET)
    assert (made.idle.lost, made.idle.sent, made.idle.lost_share) == (6, 5000, Fraction(6, 5000))


def test_a_slot_in_which_nothing_answered_has_a_loss_and_no_time() -> None:
    made = judged(samples(*[None] * 60, lost=10))

    assert (made.idle.slots, made.idle.rtt_ms, made.idle.rtt_verdict) == (0, None, Verdict.INDETERMINATE)
    assert (made.idle.loss_slots, made.idle.loss_verdict) == (60, Verdict.BREACHED)
    assert made.idle.loss_ratio == 1


@pytest.mark.parametrize(
    ("slots", "verdict"), [(0, Verdict.INDETERMINATE), (59, Verdict.INDETERMINATE), (60, Verdict.MET)]
)
def test_too_few_slots_say_nothing(slots: int, verdict: Verdict) -> None:
    assert judged(samples(*[600.0] * slots)).idle.rtt_verdict is verdict


def test_only_the_time_that_counts_counts() -> None:
    found = samples(*[9000.0] * 100, *[600.0] * 60)

    assert judged(found, counted=SlotSet.of([(100, 200)])).idle.rtt_verdict is Verdict.MET


def test_percentiles_of_all_echoes_come_from_their_histograms() -> None:
    """90 slots of ten echoes at 100 ms, 10 of ten at 500 ms: the 950th of 1,000 took 500 ms, to 1 %."""
    found = [
        Sample(slot=n, rtt_ms=rtt, sent=10, received=10, rtt_histogram=count([rtt] * 10))
        for n, rtt in enumerate([100.0] * 90 + [500.0] * 10)
    ]
    made = judged(found).idle

    assert made.echo_p50_ms == pytest.approx(100, rel=0.01)
    assert made.echo_p95_ms == pytest.approx(500, rel=0.01)
    assert judged(samples(1.0)).idle.echo_p50_ms is None


def test_every_percentile_is_that_of_a_known_row_in_whatever_order_it_came() -> None:
    """A thousand slots, 1 to 1,000 ms, shuffled; two echoes each, the slot's time and 1 ms more."""
    rtts = [float(n * 617 % 1000 + 1) for n in range(1000)]
    found = [
        Sample(slot=n, rtt_ms=rtt, sent=10, received=10, rtt_histogram=count([rtt, rtt + 1]))
        for n, rtt in enumerate(rtts)
    ]
    made = judged(found).idle

    assert sorted(rtts) == list(range(1, 1001))
    assert (made.rtt_p50_ms, made.rtt_p95_ms, made.rtt_p99_ms) == (500, 950, 990)
    assert made.echo_p50_ms == pytest.approx(501, rel=0.01)
    assert made.echo_p95_ms == pytest.approx(951, rel=0.01)
    assert made.echo_p99_ms == pytest.approx(991, rel=0.01)


def test_a_slot_without_echoes_has_no_loss() -> None:
    made = judged([*samples(*[None] * 60, sent=0), *samples(600.0, lost=1)])

    assert (made.idle.loss_slots, made.idle.loss_ratio) == (1, Fraction(1, 10))


@given(st.lists(st.floats(0.1, 5000), min_size=60, max_size=90), st.randoms(use_true_random=False))
def test_the_order_of_the_slots_changes_nothing(rtts: list[float], shuffled: object) -> None:
    found = samples(*rtts)
    mixed = found.copy()
    shuffled.shuffle(mixed)  # type: ignore[attr-defined]

    assert judged(found) == judged(mixed)
