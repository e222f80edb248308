# SPDX-License-Identifier: Apache-2.0
"""Is a school's month judged as a person would with paper, calendar and contract?"""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

from collector.sla.allowance import Refusal
from collector.sla.assessment import Combination
from collector.sla.exclusion import Exclusion, ExclusionType, Scope, ScopeKind, Status
from collector.sla.figures import MonthFigures, Seen
from collector.sla.month import judge_month
from collector.sla.penalty import Flat, PerHour
from collector.sla.period import Month
from collector.sla.promise import SchoolContract, Stretch
from collector.sla.repair import Interruption, RepairTarget
from collector.sla.slot import SlotClass
from collector.sla.slotset import NO_SLOTS, SlotSet
from collector.sla.standards import GigaClass
from collector.sla.throughput import SpeedTest
from collector.sla.verdict import Verdict
from tests.unit.collector.sla.school import ALMATY, calendar, classes, contract, ms, promise, slot

NOVEMBER = Month.parse("2026-11")
FIRST, END = slot("2026-11-01T00:00+05:00"), slot("2026-12-01T00:00+05:00")
SERVICE = 21 * 720
"""November 2026 begins on a Sunday: 21 weekdays of 12 hours, 15,120 slots."""


def span(first: str, last: str) -> SlotSet:
    return SlotSet.of([(slot(first), slot(last))])


def seen(usual: SlotClass = SlotClass.UP, **other: Any) -> Seen:
    rest = {name: other.pop(name) for name in ("outages", "tests", "samples") if name in other}
    return Seen(classes=classes(FIRST, END, usual, **other), **rest)


def judged(what: Seen, contracted: SchoolContract | None = None, *exclusions: Exclusion) -> MonthFigures:
    made = judge_month(NOVEMBER, what, contracted or contract(), exclusions)
    assert made is not None
    return made


def excluded(first: str, last: str, **changed: Any) -> Exclusion:
    made: dict[str, Any] = {
        "id": "E-1",
        "type": ExclusionType.POWER,
        "scope": Scope(kind=ScopeKind.SITE, name="kz-0001"),
        "from_ms": ms(first),
        "to_ms": ms(last),
        "declared_at_ms": ms(first),
        "declared_by": "Aliya",
        "reason": "no power in the village",
        "status": Status.APPROVED,
        "decided_by": "Bolat",
        **changed,
    }
    return Exclusion(**made)


def test_a_month_with_an_outage_by_day_and_one_by_night() -> None:
    """Wed 10:00-12:40 is 160 slots of service time; Thu 19:00-23:00 has 60 in it and 180 outside.

    service: 15,120 slots, down 160 + 60 = 220, up 14,900; 99 % allows 151.2: breached
    all:     43,200 slots, down 160 + 240 = 400, up 42,800; 99 % allows 432: met
    """
    down = span("2026-11-04T10:00+05:00", "2026-11-04T12:40+05:00") | span(
        "2026-11-05T19:00+05:00", "2026-11-05T23:00+05:00"
    )
    made = judged(seen(down_provider=down)).counted

    assert made.service.counts.all == SERVICE == 15_120
    assert (made.service.counts.down_provider, made.service.counts.good) == (220, 14_900)
    assert made.service.counts.availability == Fraction(14_900, 15_120)
    assert made.service.verdict is Verdict.BREACHED
    assert (made.around_the_clock.counts.all, made.around_the_clock.counts.down_provider) == (43_200, 400)
    assert made.around_the_clock.verdict is Verdict.MET
    assert made.budget is not None
    assert (made.budget.allowed, made.budget.spent) == (Fraction(1512, 10), 220)
    assert len(made.days) == 30
    assert sum(d.counts.all for d in made.days) == SERVICE
    assert [d.day.day for d in made.days if d.counts.down_provider] == [4, 5]


def test_an_exclusion_is_taken_out_of_both_numerator_and_denominator() -> None:
    """A power cut Wed 10:00-14:00, 240 slots, of which 200 were judged down_other and 40 down_provider.

    with:    15,120 - 240 = 14,880 slots, all good: met, and 1
    without: 15,120 slots, good 14,880, down_provider 40, down_other 200
             bounds 14,880 / 15,120 = 0.984 ... 15,080 / 15,120 = 0.997: indeterminate
    """
    other = span("2026-11-04T10:00+05:00", "2026-11-04T13:20+05:00")
    provider = span("2026-11-04T13:20+05:00", "2026-11-04T14:00+05:00")
    cut = excluded("2026-11-04T10:00+05:00", "2026-11-04T14:00+05:00")

    made = judged(seen(down_other=other, down_provider=provider), None, cut)

    assert made.counted.service.counts.all == made.counted.service.counts.good == 14_880
    assert made.counted.service.verdict is Verdict.MET
    assert made.everything.service.counts.all == 15_120
    assert made.everything.service.counts.lost_to_pupils == 240
    assert made.everything.service.counts.lower == Fraction(14_880, 15_120)
    assert made.everything.service.counts.upper == Fraction(15_080, 15_120)
    assert made.everything.service.verdict is Verdict.INDETERMINATE
    (effect,) = made.effects
    assert (effect.service.down_other, effect.service.down_provider, effect.service.all) == (200, 40, 240)


def test_a_month_of_nothing_but_exclusions_has_no_availability() -> None:
    every = excluded("2026-11-01T00:00+05:00", "2026-12-01T00:00+05:00", type=ExclusionType.MEASUREMENT_FAULT)

    made = judged(seen(), None, every)

    assert made.counted.service.counts.all == 0
    assert made.counted.service.counts.availability is None
    assert made.counted.service.verdict is Verdict.INDETERMINATE
    assert made.counted.budget is None
    assert made.counted.penalties is None
    assert made.everything.service.counts.availability == 1


@pytest.mark.parametrize("status", [Status.PROPOSED, Status.REJECTED, Status.WITHDRAWN])
def test_an_exclusion_that_nobody_approved_changes_nothing(status: Status) -> None:
    proposed = excluded("2026-11-04T10:00+05:00", "2026-11-04T14:00+05:00", status=status)

    made = judged(seen(), None, proposed)

    assert made.counted == made.everything
    assert len(made.effects) == 1


def test_others_exclusions_are_passed_over() -> None:
    others = excluded(
        "2026-11-04T10:00+05:00",
        "2026-11-04T14:00+05:00",
        scope=Scope(kind=ScopeKind.OPERATOR, name="op2"),
    )

    assert judged(seen(), None, others).effects == ()


def test_one_that_was_for_the_wrong_school_holds_there_no_more() -> None:
    """The newer one is about another school; the older one is superseded all the same."""
    wrong = excluded("2026-11-04T10:00+05:00", "2026-11-04T14:00+05:00")
    right = replace(wrong, id="E-2", supersedes="E-1", scope=Scope(kind=ScopeKind.SITE, name="kz-0002"))

    made = judged(seen(), None, wrong, right)

    assert made.counted == made.everything
    assert [e.taken.refusal for e in made.effects] == [Refusal.SUPERSEDED]
    assert judged(seen(), None, wrong, replace(right, status=Status.PROPOSED)).counted != made.everything


def test_a_month_without_a_record_is_neither_met_nor_breached() -> None:
    made = judged(Seen(classes=classes(0, 0))).counted

    assert made.service.counts.unknown == SERVICE
    assert made.service.counts.coverage == 0
    assert made.service.counts.availability is None
    assert made.service.verdict is Verdict.INDETERMINATE
    assert made.down.verdict is Verdict.INDETERMINATE
    assert made.versions[0].latency.verdict is None  # nothing was promised
    assert judged(Seen(classes=classes(0, 0))).giga_class is None


def test_a_contract_that_begins_within_the_month_is_judged_from_there() -> None:
    """From Monday the 16th: 11 weekdays, 7,920 slots, and half of the fee."""
    begin = slot("2026-11-16T00:00+05:00")
    held = contract(Stretch(first=begin, end=END + 9999, promise=promise(monthly_fee=Decimal(30_000))))

    made = judged(seen(), held)

    assert made.counted.service.counts.all == 11 * 720
    assert made.counted.around_the_clock.counts.all == 15 * 1440
    assert made.fee is not None
    assert made.fee.amount == Decimal("15000.00")


def test_a_contract_that_ends_within_the_month_is_judged_until_there() -> None:
    end = slot("2026-11-10T00:00+05:00")
    made = judged(seen(), contract(Stretch(first=0, end=end, promise=promise())))

    assert made.counted.service.counts.all == 6 * 720  # 2nd to 6th, and the 9th
    assert made.counted.around_the_clock.counts.all == 9 * 1440


def test_outside_the_contract_there_is_nothing_to_judge() -> None:
    assert judge_month(Month.parse("2026-08"), seen(), contract()) is None
    assert judge_month(Month.parse("2027-09"), seen(), contract()) is None


def test_a_month_without_school_has_no_verdict() -> None:
    made = judged(
        seen(), contract(Stretch(first=FIRST, end=END, promise=promise(calendar=calendar(shifts=((),) * 7))))
    )

    assert made.counted.service.counts.all == 0
    assert made.counted.service.verdict is Verdict.INDETERMINATE
    assert made.counted.around_the_clock.verdict is Verdict.MET


def test_a_change_within_the_month_is_judged_by_the_version_in_force() -> None:
    """99 % until Sunday the 15th (10 weekdays), 95 % from Monday the 16th (11 weekdays).

    allowed: 1 % of 7,200 + 5 % of 7,920 = 72 + 396 = 468 of 15,120 slots; target 1 - 468 / 15,120
    """
    change = slot("2026-11-16T00:00+05:00")
    later = promise(since=dt.date(2026, 11, 16), availability=Fraction(95, 100), down_mbps=Fraction(20))
    held = contract(
        Stretch(first=FIRST, end=change, promise=promise()),
        Stretch(first=change, end=END, promise=later),
    )
    tests = tuple(
        SpeedTest(at_ms=ms(f"2026-11-{day:02}T12:00+05:00"), direction="down", mbps=12.0)
        for day in (2, 3, 16, 17, 18)
    )
    service = held.service(FIRST, END)
    down = service.earliest(468)

    made = judged(seen(down_provider=down, tests=tests), held).counted
    worse = judged(seen(down_provider=service.earliest(469)), held).counted

    assert made.budget is not None
    assert made.budget.allowed == 468
    assert made.service.target == 1 - Fraction(468, 15_120)
    assert made.service.verdict is Verdict.MET
    assert worse.service.verdict is Verdict.BREACHED
    assert (made.down.reached, made.down.valid) == (2, 5)  # 12 of 10 Mbit/s, but not of 20
    assert [(v.since, v.first, v.end) for v in made.versions] == [
        (dt.date(2026, 9, 1), FIRST, change),
        (dt.date(2026, 11, 16), change, END),
    ]


def test_money_is_indicative_and_follows_what_is_counted() -> None:
    """220 slots down where 151.2 are allowed: 68.8 beyond, one whole hour at 3 % of 45,000: 1,350."""
    down = span("2026-11-04T10:00+05:00", "2026-11-04T13:40+05:00")
    rule = PerHour(id="late", fee_ratio=Decimal("0.03"), legal_ref="§ 7.2")
    made = promise(monthly_fee=Decimal(45_000), penalties=(rule,), combination=Combination())
    held = contract(Stretch(first=FIRST, end=END, promise=made), students=412)

    figures = judged(seen(down_provider=down), held)

    owed = figures.counted.penalties
    assert owed is not None
    assert owed.is_indicative
    assert owed.amount.amount == Decimal("1350.00")
    assert owed.amount.currency == "KZT"
    assert owed.penalties[0].legal_ref == "§ 7.2"
    assert figures.costs is not None
    # 45,000 / 412 = 109.2233; 45,000 / (14,900 / 60 = 248.333 h) = 181.2081
    assert figures.costs.per_student is not None
    assert figures.costs.per_student.amount == Decimal("109.22")
    assert figures.costs.per_available_hour is not None
    assert figures.costs.per_available_hour.amount == Decimal("181.21")
    assert figures.costs.per_delivered_mbps is None


@pytest.mark.parametrize(
    ("mbps", "amounts"),
    [
        (9.0, ("0.00", "0.00")),
        (5.0, ("4500.00", "4500.00")),  # proved: 10 % of 45,000
        (None, ("0.00", "4500.00")),  # nobody knows; it might be owed
    ],
)
def test_other_promises_have_their_price_too(mbps: float | None, amounts: tuple[str, str]) -> None:
    slow = Flat(id="slow", fee_ratio=Decimal("0.1"), objective="throughput_down")
    upwards = Flat(id="up", fee_ratio=Decimal("0.1"), objective="throughput_up")
    late = Flat(id="late", fee_ratio=Decimal("0.1"), objective="latency")
    made = promise(monthly_fee=Decimal(45_000), penalties=(slow, upwards, late))
    at = ms("2026-11-05T10:00+05:00")
    tests = tuple(
        SpeedTest(at_ms=at + n * 60_000, direction="down", mbps=mbps) for n in range(60) if mbps is not None
    )

    owed = judged(seen(tests=tests), contract(Stretch(first=FIRST, end=END, promise=made))).counted.penalties

    assert owed is not None
    assert (owed.amount.amount, owed.amount_max.amount) == tuple(map(Decimal, amounts))


def test_outages_and_standards_are_there_as_well() -> None:
    outage = Interruption(id="o-1", first=slot("2026-11-04T10:00+05:00"), end=slot("2026-11-04T13:40+05:00"))
    tests = tuple(
        SpeedTest(at_ms=ms("2026-11-05T10:00+05:00") + n * 60_000, direction="down", mbps=9.0)
        for n in range(60)
    )
    held = contract(Stretch(first=FIRST, end=END, promise=promise(repair=RepairTarget(within_slots=240))))

    made = judged(seen(outages=(outage,), tests=tests), held)

    assert made.counted.repairs.opened == made.counted.repairs.closed == ("o-1",)
    assert made.counted.repairs.verdict is Verdict.MET
    # 9 of 10 Mbit/s is 90 %: enough for the contract's 80 %, not for the pilot's 10 Mbit/s nor for ITU's 20
    verdicts = {s.name: None if s.figures is None else s.figures.verdict for s in made.standards}
    assert verdicts == {"contract": Verdict.MET, "kazakhstan_pilot": Verdict.BREACHED, "itu": None}
    assert made.giga_class is GigaClass.MODERATE


def test_the_order_in_which_things_are_told_changes_nothing() -> None:
    shuffled = random.Random(6)
    outages = [
        Interruption(id=f"o-{n}", first=FIRST + 900 + n * 2000, end=FIRST + 900 + n * 2000 + 30)
        for n in range(9)
    ]
    tests = [
        SpeedTest(at_ms=(FIRST + 700 * n) * 60_000, direction="down", mbps=5.0 + n % 9) for n in range(60)
    ]
    cuts = [
        excluded(f"2026-11-{n + 2:02}T09:00+05:00", f"2026-11-{n + 2:02}T11:00+05:00", id=f"E-{n}")
        for n in range(9)
    ]

    def once() -> MonthFigures:
        for things in (outages, tests, cuts):
            shuffled.shuffle(things)
        return judged(seen(outages=tuple(outages), tests=tuple(tests)), None, *cuts)

    assert once() == once() == once()


def test_a_break_in_the_contract_is_not_judged() -> None:
    """Promised on the 2nd and again from the 30th on."""
    held = contract(
        Stretch(first=FIRST, end=slot("2026-11-03T00:00+05:00"), promise=promise()),
        Stretch(first=slot("2026-11-30T00:00+05:00"), end=END, promise=promise()),
    )

    assert judged(seen(), held).counted.service.counts.all == 2 * 720
    assert held.at(slot("2026-11-10T00:00+05:00")) is None


def test_a_month_is_written_as_it_is_read() -> None:
    assert str(NOVEMBER) == "2026-11"
    assert Month.parse("2026-02") < NOVEMBER


@pytest.mark.parametrize(
    ("text", "slots"),
    # Mondays to Fridays of 720 slots: February of a leap year has 21, of 2027 20; January 2027 21
    [("2028-02", 21 * 720), ("2027-02", 20 * 720), ("2026-12", 23 * 720), ("2027-01", 21 * 720)],
)
def test_leap_days_and_new_years_are_days_like_others(text: str, slots: int) -> None:
    month = Month.parse(text)
    first, end = month.slots(ALMATY).spans[0]
    held = contract(Stretch(first=first - 9_999, end=end + 9_999, promise=promise()))

    made = judge_month(month, Seen(classes=classes(first - 99, end + 99)), held)

    assert made is not None
    assert made.counted.service.counts.all == made.counted.service.counts.up == slots
    assert made.counted.service.verdict is Verdict.MET


def test_the_clock_of_the_place_says_which_month_it_is() -> None:
    """In Almaty December begins at 19:00 UTC on the 30th."""
    night = calendar(zone=ALMATY, shifts=(((0, 1440),),) * 7)
    held = contract(Stretch(first=FIRST - 9999, end=END + 9999, promise=promise(calendar=night)))

    made = judged(replace(seen(), classes=classes(FIRST - 999, END + 999)), held)

    assert made.counted.service.counts.all == 43_200
    assert made.counted.service.counts.unknown == 0
    assert not held.service(END, END) - NO_SLOTS
