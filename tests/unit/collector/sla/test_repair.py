# SPDX-License-Identifier: Apache-2.0
"""Are outages and repairs counted once, by both clocks, and carried over from month to month?"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sla.repair import Interruption, RepairFigures, RepairTarget, judge_repairs
from collector.sla.slotset import NO_SLOTS, SlotSet
from collector.sla.verdict import Verdict

MONTH = SlotSet.of([(1_000, 2_000)])
HALF = SlotSet.of((at, at + 50) for at in range(0, 5_000, 100))
"""Service time: of each hundred slots the first fifty."""


def judged(
    *outages: Interruption, month: SlotSet = MONTH, target: RepairTarget | None = None, **changed: Any
) -> RepairFigures:
    made: dict[str, Any] = {"service": HALF, "excluded": NO_SLOTS, "is_complete": True, **changed}
    return judge_repairs(
        outages, month, made["service"], made["excluded"], target, is_complete=made["is_complete"]
    )


def out(first: int, end: int | None, id_: str | None = None) -> Interruption:
    return Interruption(id=id_ or f"o-{first}", first=first, end=end)


def test_every_figure_by_both_clocks() -> None:
    """Outages of 10, 20, 30 and 140 slots.

    wall:    1,000 slots, down 200; MTTR 200 / 4 = 50; MTBF (1,000 - 200) / 4 = 200;
             median: the 2nd of 4 = 20; 80 %: the 4th (0.8 x 4 = 3.2) = 140
    service: 500 slots; 1,010-1,020 all 10; 1,140-1,160 has 10; 1,260-1,290 has 0; 1,400-1,540 has 50 + 40
             down 110; three had something to repair: MTTR 110 / 3; MTBF (500 - 110) / 3 = 130
    """
    made = judged(out(1_010, 1_020), out(1_140, 1_160), out(1_260, 1_290), out(1_400, 1_540))

    assert (made.count, made.carried_in, made.carried_out) == (4, (), ())
    assert (made.wall.observed, made.wall.down, made.wall.repairs) == (1_000, 200, (10, 20, 30, 140))
    assert (made.wall.mean, made.wall.between) == (Fraction(50), Fraction(200))
    assert (made.wall.median, made.wall.p80, made.wall.p95) == (20, 140, 140)
    assert (made.service.observed, made.service.down, made.service.repairs) == (500, 110, (10, 10, 90))
    assert (made.service.mean, made.service.between) == (Fraction(110, 3), Fraction(130))


def test_a_month_without_outages_has_no_repair_time_and_no_time_between() -> None:
    made = judged()

    assert (made.wall.mean, made.wall.median, made.wall.p80, made.wall.between) == (None, None, None, None)
    assert (made.count, made.wall.down, made.verdict, made.within) == (0, 0, None, None)


def test_an_outage_over_the_months_end_is_carried_over_with_its_id() -> None:
    """From 1,900 to 2,150: opened in the first month, closed in the second; 100 and 150 slots in them."""
    outage = out(1_900, 2_150, "boot-7/3")
    first = judged(outage)
    second = judged(outage, month=SlotSet.of([(2_000, 3_000)]))

    assert (first.opened, first.closed, first.carried_out) == (("boot-7/3",), (), ("boot-7/3",))
    assert (first.wall.down, first.wall.repairs, first.wall.mean) == (100, (), None)
    assert (second.opened, second.closed, second.carried_in) == ((), ("boot-7/3",), ("boot-7/3",))
    assert (second.wall.down, second.wall.repairs) == (150, (250,))
    assert (second.count, second.wall.between) == (0, None)


def test_one_that_closes_with_the_month_belongs_to_it() -> None:
    outage = out(1_990, 2_000)

    assert judged(outage).closed == ("o-1990",)
    assert judged(outage).carried_out == ()
    assert judged(outage, month=SlotSet.of([(2_000, 3_000)])).carried_in == ()


def test_one_that_lasts_all_month_is_neither_opened_nor_closed_in_it() -> None:
    made = judged(out(500, None))

    assert (made.opened, made.closed, made.carried_in, made.carried_out) == ((), (), ("o-500",), ("o-500",))
    assert made.wall.down == 1_000


def test_others_months_are_passed_over() -> None:
    assert judged(out(0, 999), out(2_000, 2_100), out(1_500, 1_500)) == judged()


TARGET = RepairTarget(within_slots=30, by_service_clock=False)


@pytest.mark.parametrize(
    ("lengths", "verdict"),
    [
        ([10, 20, 30, 30, 31], Verdict.MET),  # 4 of 5 are 80 %
        ([10, 20, 30, 31, 31], Verdict.BREACHED),
        ([30], Verdict.MET),
        ([31], Verdict.BREACHED),
    ],
)
def test_enough_repairs_must_be_in_time(lengths: list[int], verdict: Verdict) -> None:
    made = judged(
        *(out(1_000 + 100 * n, 1_000 + 100 * n + length) for n, length in enumerate(lengths)), target=TARGET
    )

    assert made.within == sum(length <= 30 for length in lengths)
    assert made.within_share == Fraction(made.within, len(lengths))
    assert made.verdict is verdict


def test_the_clock_of_the_target_is_the_contracts() -> None:
    """70 slots by the wall, 50 in service."""
    outage = out(1_100, 1_170)

    assert judged(outage, target=RepairTarget(within_slots=50)).verdict is Verdict.MET
    assert (
        judged(outage, target=RepairTarget(within_slots=50, by_service_clock=False)).verdict
        is Verdict.BREACHED
    )


def test_one_that_is_open_for_too_long_is_not_forgotten() -> None:
    made = judged(out(1_900, None), target=TARGET)
    mixed = judged(out(1_100, 1_110), out(1_900, None), target=TARGET)

    assert (made.overdue, made.within_share, made.verdict) == (("o-1900",), None, Verdict.INDETERMINATE)
    assert mixed.verdict is Verdict.INDETERMINATE  # 1 of 1 closed in time, 1 of 2 if the other had
    assert judged(out(1_100, 1_110), out(1_990, None), target=TARGET).overdue == ()


def test_silence_is_no_proof_of_repair() -> None:
    assert judged(target=TARGET).verdict is Verdict.MET
    assert judged(target=TARGET, is_complete=False).verdict is Verdict.INDETERMINATE


def test_excluded_time_does_not_run() -> None:
    """Of 100 slots the repairer was not let in for 75: 25 are left, within 30."""
    locked = SlotSet.of([(1_110, 1_185)])
    made = judged(out(1_100, 1_200), excluded=locked, target=TARGET)

    assert (made.wall.repairs, made.wall.observed, made.wall.down) == ((25,), 925, 25)
    assert made.verdict is Verdict.MET


def test_what_no_service_time_was_lost_to_is_no_repair_by_its_clock() -> None:
    """One of 40 in service time is not mended faster because four nights were mended for nobody."""
    long, nights = out(1_100, 1_140), [out(5_000 + 100 * n, 5_010 + 100 * n) for n in range(4)]
    month, service = SlotSet.of([(1_000, 6_000)]), SlotSet.of([(1_000, 2_000)])
    made = judge_repairs(
        [long, *nights], month, service, NO_SLOTS, RepairTarget(within_slots=30), is_complete=True
    )

    assert (made.count, len(made.closed)) == (5, 5)
    assert made.service.repairs == (40,)
    assert made.service.mean == 40
    assert made.wall.repairs == (10, 10, 10, 10, 40)
    assert made.within == 0
    assert made.within_share == 0
    assert made.verdict is Verdict.BREACHED


OUTAGES = st.lists(
    st.builds(
        lambda first, length, lasts: (first, None if lasts else first + length),
        st.integers(0, 4_000),
        st.integers(1, 1_500),
        st.booleans(),
    ),
    max_size=6,
)


@given(OUTAGES)
def test_over_all_months_every_outage_opens_once_and_closes_once(spans: list[tuple[int, int | None]]) -> None:
    outages = [Interruption(id=f"o-{n}", first=first, end=end) for n, (first, end) in enumerate(spans)]
    months = [SlotSet.of([(at, at + 1_000)]) for at in range(0, 6_000, 1_000)]
    made = [judged(*outages, month=month) for month in months]
    union = SlotSet.of((o.first, 6_000 if o.end is None else o.end) for o in outages).within(0, 6_000)

    assert sorted(i for m in made for i in m.opened) == sorted(o.id for o in outages)
    assert sorted(i for m in made for i in m.closed) == sorted(o.id for o in outages if o.end is not None)
    assert sum(m.wall.down for m in made) == len(union)
    for before, after in pairwise(made):
        assert set(before.carried_out) == set(after.carried_in)


@given(OUTAGES, st.randoms(use_true_random=False))
def test_the_order_of_outages_changes_nothing(spans: list[tuple[int, int | None]], shuffled: Any) -> None:
    outages = [Interruption(id=f"o-{n}", first=first, end=end) for n, (first, end) in enumerate(spans)]
    mixed = outages.copy()
    shuffled.shuffle(mixed)

    assert judged(*outages, target=TARGET) == judged(*mixed, target=TARGET)
