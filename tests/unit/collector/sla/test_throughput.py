# SPDX-License-Identifier: Apache-2.0
"""Is a throughput promise judged by enough valid tests, and by nothing else?"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sla import wilson
from collector.sla.rank import MEDIAN, P95, nearest_rank
from collector.sla.slotset import SlotSet
from collector.sla.standards import GigaClass, giga_class, itu_mbps, side_by_side
from collector.sla.throughput import (
    Required,
    SpeedTest,
    ThroughputFigures,
    ThroughputTarget,
    judge_throughput,
)
from collector.sla.verdict import Verdict

ALL = SlotSet.of([(0, 10_000)])
TEN = Required(mbps=Fraction(10), target=ThroughputTarget())
EIGHTY = Fraction(4, 5)


def runs(*mbps: float | None, **changed: Any) -> list[SpeedTest]:
    return [
        SpeedTest(at_ms=n * 60_000, direction="down", mbps=rate, **changed) for n, rate in enumerate(mbps)
    ]


def judged(
    tests: list[SpeedTest], counted: SlotSet = ALL, required: Required | None = TEN
) -> ThroughputFigures:
    return judge_throughput(tests, "down", counted, lambda _: required)


def test_a_share_of_the_tests_must_reach_a_share_of_the_rate() -> None:
    """80 % of 10 Mbit/s are 8. 57 of 60 reach it: 0.95.

    Wilson, z = 1.959964, z² = 3.841459:
    (57 + 1.920729 ± 1.959964 · sqrt(57 · 3 / 60 + 0.960365)) / 63.841459 = (58.920729 ± 3.825880) / 63.841459
    = 0.862995 … 0.982850; the whole of it is above 0.8: met
    """
    made = judged(runs(*[8.0] * 57, *[7.999] * 3))

    assert (made.reached, made.valid, made.share) == (57, 60, Fraction(19, 20))
    assert made.interval == pytest.approx((0.862995, 0.982850), abs=1e-6)
    assert (made.target, made.verdict) == (EIGHTY, Verdict.MET)
    assert (made.median_mbps, made.p10_mbps) == (8.0, 8.0)


@pytest.mark.parametrize(
    ("reached", "tests", "verdict"),
    [
        # 54 of 60: 0.7985 … 0.9534, 80 % lies in it although 90 % passed
        (54, 60, Verdict.INDETERMINATE),
        (55, 60, Verdict.MET),  # 0.8193 …
        (48, 60, Verdict.INDETERMINATE),  # exactly 80 %: a coin toss
        (42, 60, Verdict.INDETERMINATE),  # … 0.8010
        (41, 60, Verdict.BREACHED),  # … 0.7869
        (0, 60, Verdict.BREACHED),
        (60, 60, Verdict.MET),
        # all passed, but 59 are too few
        (59, 59, Verdict.INDETERMINATE),
        (0, 59, Verdict.INDETERMINATE),
        # with more tests the same share says more
        (540, 600, Verdict.MET),
    ],
)
def test_a_verdict_needs_an_interval_on_one_side_of_the_target(
    reached: int, tests: int, verdict: Verdict
) -> None:
    made = judged(runs(*[10.0] * reached, *[1.0] * (tests - reached)))

    assert made.verdict is verdict


def test_a_month_without_tests_is_not_compliant() -> None:
    made = judged([])

    assert (made.share, made.interval, made.target, made.median_mbps) == (None, None, None, None)
    assert made.verdict is Verdict.INDETERMINATE


def test_what_is_not_valid_is_counted_apart_with_its_reasons() -> None:
    made = judged(
        [
            *runs(*[9.0] * 60),
            *runs(1.0, 1.0, validity="suspect", reasons=("cross_traffic",)),
            *runs(None, validity="invalid", reasons=("cpu", "cross_traffic")),
            *runs(None),  # called valid, but without a figure
        ]
    )

    assert (made.reached, made.valid, made.suspect, made.invalid) == (60, 60, 2, 2)
    assert made.reasons == (("cpu", 1), ("cross_traffic", 3))
    assert made.verdict is Verdict.MET


def test_only_the_time_that_counts_counts() -> None:
    made = judged(runs(*[1.0] * 30, *[9.0] * 60), SlotSet.of([(30, 90)]))

    assert (made.reached, made.valid, made.outside) == (60, 60, 30)


def test_the_other_direction_is_another_matter() -> None:
    made = judge_throughput(runs(*[9.0] * 60), "up", ALL, lambda _: TEN)

    assert (made.valid, made.verdict) == (0, Verdict.INDETERMINATE)


def test_what_was_not_promised_is_not_judged() -> None:
    made = judged(runs(*[9.0] * 60), required=None)

    assert (made.valid, made.unpromised, made.verdict) == (0, 60, Verdict.INDETERMINATE)
    assert made.median_mbps == 9.0


def test_a_rate_that_is_reached_exactly_is_reached() -> None:
    """0.8 x 0.7 Mbit/s: as floats 0.5599999999999999."""
    required = Required(mbps=Fraction(7, 10), target=ThroughputTarget())

    assert judged(runs(0.56), required=required).reached == (Fraction(0.56) >= Fraction(56, 100))
    assert judged(runs(8.0), required=TEN).reached == 1


@given(st.integers(0, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.integers(0, 100))
def test_the_exact_verdict_agrees_with_the_printed_interval(of: tuple[int, int], percent: int) -> None:
    passed, tests = of
    target = Fraction(percent, 100)
    interval = wilson.interval(passed, tests)
    verdict = wilson.verdict(passed, tests, target)
    if interval is None:
        assert verdict is Verdict.INDETERMINATE
        return
    low, high = interval
    assert 0 <= low <= passed / tests <= high <= 1
    if not (math.isclose(low, target, abs_tol=1e-9) or math.isclose(high, target, abs_tol=1e-9)):
        expected = (
            Verdict.MET if low > target else Verdict.BREACHED if high < target else Verdict.INDETERMINATE
        )
        assert verdict is expected


@given(
    st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))),
    st.integers(0, 100),
    st.integers(0, 100),
)
def test_a_higher_share_is_never_easier(of: tuple[int, int], one: int, other: int) -> None:
    order = (Verdict.MET, Verdict.INDETERMINATE, Verdict.BREACHED)
    low, high = (order.index(wilson.verdict(*of, Fraction(p, 100))) for p in sorted((one, other)))

    assert low <= high


@given(st.lists(st.integers(0, 50), min_size=1, max_size=60), st.fractions(Fraction(1, 100), 1))
def test_the_nearest_rank_is_the_smallest_value_that_enough_do_not_exceed(
    values: list[int], quantile: Fraction
) -> None:
    found = nearest_rank(sorted(values), quantile)

    assert found in values
    assert sum(v <= found for v in values) >= quantile * len(values)
    assert all(sum(w <= v for w in values) < quantile * len(values) for v in values if v < found)


def test_percentiles_are_values_that_were_measured() -> None:
    """Nearest rank of 1 … 10: the median is the 5th, the 95th percentile the 10th; of 1 … 100 the 95th."""
    assert nearest_rank(range(1, 11), MEDIAN) == 5
    assert nearest_rank(range(1, 11), P95) == 10
    assert nearest_rank(range(1, 101), P95) == 95
    assert nearest_rank([7], P95) == 7
    assert nearest_rank([], P95) is None


@pytest.mark.parametrize(
    ("students", "mbps"),
    [(None, None), (0, 20), (400, 20), (401, Fraction(2005, 100)), (1000, 50), (2000, 100)],
)
def test_itu_asks_for_more_where_there_are_more_students(
    students: int | None, mbps: Fraction | int | None
) -> None:
    assert itu_mbps(students) == mbps


@pytest.mark.parametrize(
    ("median", "found"),
    [
        (None, None),  # no test: no colour, not red and not green
        (0.0, GigaClass.BAD),
        (0.999, GigaClass.BAD),
        (1.0, GigaClass.MODERATE),
        (20.0, GigaClass.MODERATE),
        (20.001, GigaClass.GOOD),
    ],
)
def test_a_school_has_a_colour_on_giga_maps(median: float | None, found: GigaClass | None) -> None:
    assert giga_class(median) is found


def test_yardsticks_stand_side_by_side() -> None:
    """12 Mbit/s in each of 60 tests: the contract's 10 and the pilot's 10, not ITU's 25 for 500 students."""
    tests = runs(*[12.0] * 60)
    made = side_by_side(tests, ALL, contract=judged(tests), contracted_mbps=Fraction(10), students=500)

    assert [(s.name, s.required_mbps, s.figures.verdict if s.figures else None) for s in made] == [
        ("contract", Fraction(10), Verdict.MET),
        ("kazakhstan_pilot", Fraction(10), Verdict.MET),
        ("itu", Fraction(25), Verdict.BREACHED),
    ]
