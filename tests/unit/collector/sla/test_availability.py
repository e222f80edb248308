# SPDX-License-Identifier: Apache-2.0
"""Are availability, coverage, bounds and verdict what their definitions say?"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sla.availability import Availability, Classes, Counts
from collector.sla.slot import SlotClass
from collector.sla.slotset import SlotSet
from collector.sla.verdict import Verdict, of_all

COUNTS = st.builds(
    Counts,
    up=st.integers(0, 50_000),
    degraded=st.integers(0, 500),
    down_provider=st.integers(0, 500),
    down_other=st.integers(0, 500),
    unknown=st.integers(0, 500),
)
TARGETS = st.fractions(0, 1, max_denominator=10_000)
ORDER = (Verdict.MET, Verdict.INDETERMINATE, Verdict.BREACHED)
BYTES = st.binary(max_size=60).map(lambda data: bytes(b % 5 for b in data))


def test_every_figure_of_a_month() -> None:
    """22 days of 12 h: 15,840 slots.

    good                  = 15,000 + 400                = 15,400
    operator's            = 15,400 / (15,400 + 140)     = 15,400 / 15,540  (0.99099)
    pupils'               = 15,400 / 15,840             (0.97222)
    lost to pupils        = 140 + 200 + 100             = 440 slots
    coverage              = (15,840 - 100) / 15,840     = 15,740 / 15,840
    bounds                = 15,400 / 15,840 ... (15,840 - 140) / 15,840 = 0.97222 ... 0.99116
    """
    counts = Counts(up=15_000, degraded=400, down_provider=140, down_other=200, unknown=100)

    assert counts.all == 15_840
    assert counts.good == 15_400
    assert counts.attributed == 15_540
    assert counts.availability == Fraction(15_400, 15_540)
    assert counts.pupils_availability == Fraction(15_400, 15_840)
    assert counts.lost_to_pupils == 440
    assert counts.coverage == Fraction(15_740, 15_840)
    assert (counts.lower, counts.upper) == (Fraction(15_400, 15_840), Fraction(15_700, 15_840))
    assert counts.verdict(Fraction(99, 100)) is Verdict.INDETERMINATE


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        # 158.4 slots may be down: 158 is the last that keeps the promise, 15,682 / 15,840 = 0.990025
        (Counts(up=15_682, down_provider=158), Verdict.MET),
        (Counts(up=15_681, down_provider=159), Verdict.BREACHED),
        # 158 down and one nobody knows of: it decides
        (Counts(up=15_681, down_provider=158, unknown=1), Verdict.INDETERMINATE),
        # whatever the unknown ones were, it is too late
        (Counts(up=10_000, down_provider=159, unknown=5_681), Verdict.BREACHED),
        # degraded is available
        (Counts(degraded=15_840), Verdict.MET),
        # nothing was seen: neither all nor nothing
        (Counts(unknown=15_840), Verdict.INDETERMINATE),
        # no power all month is not the operator's, and no proof of good service
        (Counts(down_other=15_840), Verdict.INDETERMINATE),
        (Counts(), Verdict.INDETERMINATE),
    ],
)
def test_a_verdict_is_given_only_where_no_other_is_possible(counts: Counts, verdict: Verdict) -> None:
    assert counts.verdict(Fraction(99, 100)) is verdict


def test_a_target_that_is_reached_exactly_is_met() -> None:
    """99 of 100 at 99 %: as floats 0.99 and 99/100 happen to agree, 0.7 and 7/10 of many would not."""
    assert Counts(up=99, down_provider=1).verdict(Fraction(99, 100)) is Verdict.MET
    assert Counts(up=7 * 10**15, down_provider=3 * 10**15).verdict(Fraction(7, 10)) is Verdict.MET
    assert (
        Counts(up=7 * 10**15 - 1, down_provider=3 * 10**15 + 1).verdict(Fraction(7, 10)) is Verdict.BREACHED
    )


def test_all_and_nothing_are_targets_too() -> None:
    assert Counts(up=100).verdict(Fraction(1)) is Verdict.MET
    assert Counts(up=99, down_provider=1).verdict(Fraction(1)) is Verdict.BREACHED
    assert Counts(up=99, unknown=1).verdict(Fraction(1)) is Verdict.INDETERMINATE
    assert Counts(down_provider=1).verdict(Fraction(0)) is Verdict.MET


def test_of_nothing_there_is_no_share() -> None:
    nothing = Counts()

    assert nothing.availability is nothing.pupils_availability is nothing.coverage is None
    assert nothing.lower is nothing.upper is None
    assert Availability(counts=nothing, target=None).verdict is Verdict.INDETERMINATE
    assert Counts(unknown=10).availability is None
    assert Counts(unknown=10).coverage == 0


def test_days_without_data_are_not_compliant_days() -> None:
    """29 of 30 days silent, one perfect: 1,440 good of 43,200 is no proof of 99 %, nor of its contrary."""
    counts = Counts(up=1_440, unknown=29 * 1_440)

    assert counts.availability == 1
    assert counts.coverage == Fraction(1, 30)
    assert counts.verdict(Fraction(99, 100)) is Verdict.INDETERMINATE


def test_uptime_is_not_nought_where_the_school_was_up() -> None:
    assert Counts(up=10).availability == 1
    assert Counts(down_provider=10).availability == 0


@given(COUNTS)
def test_bounds_hold_the_availability_and_the_pupils(counts: Counts) -> None:
    if counts.lower is None or counts.upper is None:
        assert counts.all == 0
        return
    assert 0 <= counts.lower <= counts.upper <= 1
    if counts.availability is not None:
        assert counts.lower <= counts.availability <= counts.upper
    assert counts.pupils_availability == counts.lower


@given(COUNTS, st.sampled_from(["up", "degraded", "down_provider", "down_other"]))
def test_learning_what_a_slot_was_never_widens_the_bounds(counts: Counts, became: str) -> None:
    before = replace(counts, unknown=counts.unknown + 1)
    after = replace(counts, **{became: getattr(counts, became) + 1})

    assert before.lower is not None
    assert before.upper is not None
    assert after.lower is not None
    assert after.upper is not None
    assert before.lower <= after.lower <= after.upper <= before.upper


@given(COUNTS, TARGETS, TARGETS)
def test_a_higher_target_is_never_easier(counts: Counts, one: Fraction, other: Fraction) -> None:
    low, high = sorted((one, other))

    assert ORDER.index(counts.verdict(low)) <= ORDER.index(counts.verdict(high))


@given(COUNTS, TARGETS)
def test_a_verdict_survives_whatever_the_unknown_turns_out_to_be(counts: Counts, target: Fraction) -> None:
    verdict = counts.verdict(target)
    best = replace(counts, up=counts.up + counts.unknown, unknown=0)
    worst = replace(counts, down_provider=counts.down_provider + counts.unknown, unknown=0)
    if verdict is Verdict.MET and counts.all:
        assert worst.availability is not None
        assert worst.availability >= target
    if verdict is Verdict.BREACHED:
        assert best.upper is not None
        assert best.upper < target


@given(
    BYTES, st.integers(-20, 20), st.lists(st.tuples(st.integers(-30, 90), st.integers(-30, 90)), max_size=5)
)
def test_counting_agrees_with_looking_at_every_slot(
    data: bytes, first: int, spans: list[tuple[int, int]]
) -> None:
    classes, slots = Classes(first=first, data=data), SlotSet.of(spans)
    looked = [classes[at] for at in slots]

    counts = classes.count(slots)

    assert counts.all == len(slots)
    assert counts.up == looked.count(SlotClass.UP)
    assert counts.degraded == looked.count(SlotClass.DEGRADED)
    assert counts.down_provider == looked.count(SlotClass.DOWN_PROVIDER)
    assert counts.down_other == looked.count(SlotClass.DOWN_OTHER)
    assert counts.unknown == looked.count(SlotClass.UNKNOWN)


@given(BYTES, st.lists(st.tuples(st.integers(-9, 70), st.integers(-9, 70)), max_size=5), st.integers(0, 70))
def test_counts_of_parts_add_up_to_that_of_the_whole(
    data: bytes, spans: list[tuple[int, int]], cut: int
) -> None:
    classes, slots = Classes(first=0, data=data), SlotSet.of(spans)

    parts = classes.count(slots.within(-99, cut)) + classes.count(slots.within(cut, 99))

    assert parts == classes.count(slots)


@given(BYTES, st.integers(-9, 70), st.integers(-9, 70), st.integers(1, 4))
def test_a_gap_is_so_many_unknown_slots_in_a_row(data: bytes, one: int, other: int, length: int) -> None:
    classes = Classes(first=0, data=data)
    text = "".join("?" if classes[at] is SlotClass.UNKNOWN else "." for at in range(one, other))

    assert classes.has_gap(SlotSet.of([(one, other)]), length) == ("?" * length in text)


def test_a_target_of_parts_is_met_only_in_all_of_them() -> None:
    met, breached, open_ = Verdict.MET, Verdict.BREACHED, Verdict.INDETERMINATE

    assert of_all([met, met]) is met
    assert of_all([met, open_]) is open_
    assert of_all([open_, breached]) is breached
    assert of_all([]) is open_
