# SPDX-License-Identifier: Apache-2.0
"""Do penalties come to what a person with the contract and a calculator gets?"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sla.assessment import PENALTIES, Combination, PenaltyTotal, assess
from collector.sla.availability import Counts
from collector.sla.budget import MARKS, budget
from collector.sla.cost import costs, due
from collector.sla.money import Exchange, Money, rounded
from collector.sla.penalty import (
    ConsecutiveDays,
    Day,
    Flat,
    Ground,
    PerHour,
    Proportional,
    ProRataDays,
    Rule,
    possible,
    proved,
)
from collector.sla.tiers import AvailabilityStep, AvailabilityTiers, DowntimeStep, DowntimeTiers

FEE = Money(amount=Decimal(45_000), currency="KZT")
TARGET = Fraction(99, 100)
SLOTS = 15_840
NO_DAYS: tuple[Day, ...] = ()
CROSSROADS = tuple(
    DowntimeStep(over_minutes=over, fee_ratio=Decimal(ratio))
    for over, ratio in (
        (10, "0.05"),
        (45, "0.1"),
        (240, "0.2"),
        (480, "0.3"),
        (720, "0.4"),
        (960, "0.5"),
        (1440, "1"),
    )
)


def counts(down: int, unknown: int = 0) -> Counts:
    return Counts(up=SLOTS - down - unknown, down_provider=down, unknown=unknown)


def grounds(found: Counts, days: tuple[Day, ...] = NO_DAYS) -> tuple[Ground, Ground]:
    return proved(found, TARGET, days), possible(found, TARGET, days)


def owed(rule: Rule, found: Counts, days: tuple[Day, ...] = NO_DAYS, **combination: Any) -> PenaltyTotal:
    return assess([rule], FEE, grounds(found, days), Combination(**combination))


def amounts(total: PenaltyTotal) -> tuple[Any, Any]:
    return total.amount.amount, total.amount_max.amount


@pytest.mark.parametrize(
    ("down", "amount"),
    [(0, "0"), (158, "0"), (159, "9000"), (15_840, "9000")],  # 20 % of 45,000, once the 158.4 are used up
)
def test_flat_is_owed_once_below_the_target(down: int, amount: str) -> None:
    rule = Flat(id="credit", fee_ratio=Decimal("0.2"))

    assert amounts(owed(rule, counts(down))) == (Decimal(amount), Decimal(amount))


@pytest.mark.parametrize(
    ("down", "ratio"),
    [
        (10, "0"),
        (11, "0.05"),
        (45, "0.05"),
        (46, "0.1"),
        (240, "0.1"),
        (241, "0.2"),
        (1440, "0.5"),
        (1441, "1"),
    ],
)
def test_tiers_by_downtime_take_the_highest_step_alone(down: int, ratio: str) -> None:
    rule = DowntimeTiers(id="tiers", steps=CROSSROADS)

    assert owed(rule, counts(down)).amount.amount == Decimal(ratio) * 45_000


@pytest.mark.parametrize(
    ("down", "ratio"),
    [
        (7, "0"),  # 99.9558 %
        (8, "0.1"),  # 99.9495 %: below 99.95 %
        (158, "0.1"),  # 99.0025 %
        (159, "0.3"),  # 98.9962 %: below 99 %
    ],
)
def test_tiers_by_availability_take_the_worst_step_alone(down: int, ratio: str) -> None:
    rule = AvailabilityTiers(
        id="tiers",
        steps=(
            AvailabilityStep(below_ratio=Decimal("0.9995"), fee_ratio=Decimal("0.1")),
            AvailabilityStep(below_ratio=Decimal("0.99"), fee_ratio=Decimal("0.3")),
        ),
    )

    assert owed(rule, counts(down)).amount.amount == Decimal(ratio) * 45_000


@pytest.mark.parametrize(
    ("count", "amount"),
    [
        # down 200: 1 - 200 / 15,840 = 0.987374; 0.99 - that = 0.002626: 2.626 steps, 1 % of 45,000 each
        ("exact", "1181.82"),
        ("full", "900"),
        ("begun", "1350"),
    ],
)
def test_proportional_counts_the_steps_below_the_target(count: Any, amount: str) -> None:
    rule = Proportional(id="p", fee_ratio=Decimal("0.01"), count=count)

    assert owed(rule, counts(200)).amount.amount == Decimal(amount)
    assert owed(rule, counts(158)).amount.amount == 0


@pytest.mark.parametrize(
    ("count", "amount"),
    [
        # down 300: 300 - 158.4 = 141.6 minutes = 2.36 hours beyond what is allowed, 1,350 each
        ("exact", "3186"),
        ("full", "2700"),
        ("begun", "4050"),
    ],
)
def test_hours_beyond_the_target_are_paid(count: Any, amount: str) -> None:
    rule = PerHour(id="h", fee_ratio=Decimal("0.03"), count=count)

    assert owed(rule, counts(300)).amount.amount == Decimal(amount)
    assert owed(rule, counts(100)).amount.amount == 0


def day(number: int, down: int, *, service: int = 720, unknown: int = 0) -> Day:
    found = Counts(up=service - down - unknown, down_provider=down, unknown=unknown)
    return Day(day=dt.date(2026, 11, number), counts=found)


def month(*days: Day) -> tuple[Counts, tuple[Day, ...]]:
    return sum((d.counts for d in days), Counts()), days


def test_days_with_downtime_are_paid_up_to_so_many() -> None:
    """Nine days of an hour or more, at most seven are paid: 7 x 1,500."""
    found, days = month(*(day(n, 60 + n) for n in range(1, 10)), day(10, 59))
    rule = ProRataDays(id="d", amount=Decimal(1_500), days_max=7)

    assert owed(rule, found, days).amount.amount == 10_500
    assert owed(ProRataDays(id="d", amount=Decimal(1_500)), found, days).amount.amount == 13_500


def test_days_without_a_connection_in_a_row_are_fined() -> None:
    """Thursday and Friday dead, no service at the weekend, Monday dead: three in a row. Two are no run."""
    found, days = month(
        day(4, 700),  # twenty minutes of service are not no connection
        day(5, 720),
        day(6, 720),
        day(7, 0, service=0),
        day(8, 0, service=0),
        day(9, 720),
        day(10, 0),
        day(11, 720),
        day(12, 720),
    )
    by_run = ConsecutiveDays(id="c", amount=Decimal(25_000))
    by_day = ConsecutiveDays(id="c", amount=Decimal(5_000), each="day")

    assert amounts(owed(by_run, found, days)) == (25_000, 25_000)
    assert amounts(owed(by_day, found, days)) == (15_000, 15_000)


def test_what_nobody_saw_is_not_claimed_but_may_become_a_claim() -> None:
    """158 down and one day unknown: not proved to be breached, perhaps 158 + 720 down."""
    found, days = month(day(5, 720), day(6, 720), day(9, 0, unknown=720), *(day(n, 0) for n in range(10, 29)))
    rule = ConsecutiveDays(id="c", amount=Decimal(25_000))

    assert amounts(owed(rule, found, days)) == (0, 25_000)
    assert amounts(owed(Flat(id="f", fee_ratio=Decimal("0.2")), counts(158, unknown=720))) == (0, 9_000)


def test_silence_alone_is_never_charged() -> None:
    silent = Counts(unknown=SLOTS)
    for rule in every_rule():
        assert owed(rule, silent, (day(2, 0, unknown=720),)).amount.amount == 0


def test_of_no_service_time_nothing_is_owed() -> None:
    for rule in every_rule():
        assert amounts(owed(rule, Counts(), (day(2, 0, service=0),))) == (0, 0)


def every_rule() -> list[Rule]:
    """One of each kind."""
    tenth = Decimal("0.1")
    made: list[Rule] = [
        Flat(id="flat", fee_ratio=tenth),
        DowntimeTiers(id="tiers_by_downtime", steps=CROSSROADS),
        AvailabilityTiers(
            id="tiers_by_availability",
            steps=(AvailabilityStep(below_ratio=Decimal("0.99"), fee_ratio=tenth),),
        ),
        Proportional(id="proportional", fee_ratio=tenth),
        PerHour(id="per_hour", fee_ratio=tenth),
        ProRataDays(id="pro_rata_days", fee_ratio=tenth),
        ConsecutiveDays(id="consecutive_days", fee_ratio=tenth),
    ]
    assert sorted(rule.id for rule in made) == sorted(PENALTIES)
    return made


def test_rules_are_added_or_the_largest_holds_and_a_cap_is_a_cap() -> None:
    """9,000 and 13,500 of 45,000."""
    rules = [Flat(id="a", fee_ratio=Decimal("0.2")), Flat(id="b", fee_ratio=Decimal("0.3"))]
    both = grounds(counts(400))

    def total(**combination: Any) -> PenaltyTotal:
        return assess(rules, FEE, both, Combination(**combination))

    assert amounts(total()) == (22_500, 22_500)
    assert amounts(total(combine="largest")) == (13_500, 13_500)
    capped = total(cap_fee_ratio=Decimal("0.1"))
    assert capped.is_capped
    assert capped.amount.amount == 4_500
    assert [p.amount.amount for p in capped.penalties] == [9_000, 13_500]
    assert not total().is_capped


def test_a_rule_may_have_a_cap_of_its_own() -> None:
    rule = PerHour(id="h", fee_ratio=Decimal("0.05"), cap_fee_ratio=Decimal("0.5"))
    (penalty,) = owed(rule, counts(5_000)).penalties

    assert penalty.is_capped
    assert penalty.amount.amount == 22_500


def test_without_rules_nothing_is_owed() -> None:
    assert amounts(assess([], FEE, grounds(counts(5_000)), Combination(combine="largest"))) == (0, 0)


@given(st.sampled_from(every_rule()), st.integers(0, 7_000), st.integers(0, 7_000), st.integers(0, 800))
def test_more_downtime_is_never_cheaper_and_what_is_proved_never_more_than_what_is_possible(
    rule: Rule, one: int, other: int, unknown: int
) -> None:
    less, more = sorted((one, other))
    cheap, dear = (owed(rule, counts(down, unknown)) for down in (less, more))

    assert cheap.amount.amount <= dear.amount.amount
    assert cheap.amount.amount <= cheap.amount_max.amount


def test_it_is_indicative_until_a_person_confirms_it() -> None:
    total = owed(Flat(id="f", fee_ratio=Decimal("0.2"), legal_ref="7.1"), counts(400))

    assert total.is_indicative
    assert total.penalties[0].is_indicative
    assert (total.penalties[0].rule, total.penalties[0].legal_ref) == ("f", "7.1")
    assert total.amount.currency == "KZT"


@pytest.mark.parametrize(
    ("amount", "to", "made"),
    [
        (Fraction(1, 3), "0.01", "0.33"),
        (Fraction(5, 1000), "0.01", "0.01"),  # a half goes up
        (Fraction(15, 1000), "0.01", "0.02"),
        (Fraction(1_005, 1000), "0.01", "1.01"),  # as a float 1.00499999999999989
        (Fraction(12_345), "1", "12345"),
        (Fraction(10**30 + 1, 3), "0.01", "333333333333333333333333333333.67"),
    ],
)
def test_money_is_rounded_once_and_exactly(amount: Fraction, to: str, made: str) -> None:
    assert rounded(amount, Decimal(to)) == Decimal(made)


def test_another_currency_keeps_rate_and_day() -> None:
    rate = Exchange(currency="USD", rate=Decimal("0.00192"), day="2026-11-02")

    assert rate.of(FEE) == Money(amount=Decimal("86.40"), currency="USD")


def test_a_fee_is_due_for_the_days_that_the_contract_holds() -> None:
    assert due(Decimal(30_000), 15, 30) == 15_000
    assert rounded(due(Decimal(45_000), 10, 31)) == Decimal("14516.13")


def test_what_the_service_cost_for_what_came_of_it() -> None:
    """45,000: / 20 Mbit/s contracted = 2,250; / 12.5 delivered = 3,600; / 412 students = 109.2233;

    good 15,600 slots = 260 h: 173.0769; up alone 15,000 slots = 250 h: 180.
    """
    service = Counts(up=15_000, degraded=600, down_provider=240)

    def made(**changed: Any) -> Any:
        given: dict[str, Any] = {
            "contracted_mbps": Fraction(20),
            "median_mbps": 12.5,
            "tests": 30,
            "students": 412,
        }
        return costs(FEE, service=changed.pop("service", service), **{**given, **changed})

    found = made()
    assert [
        m.amount
        for m in (
            found.per_contracted_mbps,
            found.per_delivered_mbps,
            found.per_student,
            found.per_available_hour,
            found.per_usable_hour,
        )
    ] == [Decimal(t) for t in ("2250.00", "3600.00", "109.22", "173.08", "180.00")]
    assert made(tests=29).per_delivered_mbps is None
    assert made(median_mbps=0.0).per_delivered_mbps is None
    assert made(students=None).per_student is None
    assert made(students=0).per_student is None
    assert made(service=Counts(unknown=5)).per_available_hour is None


def test_the_whole_months_budget_is_158_minutes() -> None:
    """1 % of 12 h x 22 days x 60 = 15,840 slots: 158.4."""
    made = budget(TARGET, SLOTS, 60)

    assert made.allowed_minutes == 158
    assert made.allowed == Fraction(1584, 10)
    assert made.left == Fraction(984, 10)
    assert made.spent_ratio == Fraction(60 * 10, 1584)


@pytest.mark.parametrize(
    ("down", "marks"),
    [(0, 0), (79, 0), (80, 1), (118, 1), (119, 2), (158, 2), (159, 3), (9_999, 3)],  # 79.2, 118.8, 158.4
)
def test_marks_are_reached_when_their_share_is_spent(down: int, marks: int) -> None:
    made = budget(TARGET, SLOTS, down)

    assert made.reached() == MARKS[:marks]
    assert made.is_exceeded is (down > 158)


def test_a_target_of_all_has_no_budget() -> None:
    assert budget(Fraction(1), SLOTS, 0).reached() == ()
    assert budget(Fraction(1), SLOTS, 0).spent_ratio is None
    assert budget(Fraction(1), SLOTS, 1).reached() == MARKS
    assert budget(TARGET, 0, 0).spent_ratio is None


@given(st.integers(0, SLOTS), st.fractions(0, 1, max_denominator=1000))
def test_a_budget_is_exceeded_just_when_the_target_is_breached(down: int, target: Fraction) -> None:
    assert budget(target, SLOTS, down).is_exceeded is (counts(down).verdict(target) == "BREACHED")
