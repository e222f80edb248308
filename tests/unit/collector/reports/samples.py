# SPDX-License-Identifier: Apache-2.0
"""What does a month look like in which everything happened that a report has words for?"""

from __future__ import annotations

import datetime as dt
import random
import zoneinfo
from decimal import Decimal
from fractions import Fraction

from collector.reports.change import Change
from collector.reports.compare import compare
from collector.reports.exclusions import exclusion_lines
from collector.reports.frozen import Frozen
from collector.reports.model import Figures, Lost, OutageLine, SchoolMonth
from collector.sla.availability import Classes
from collector.sla.calendar import Calendar, Timetable
from collector.sla.exclusion import Exclusion, ExclusionType, Scope, ScopeKind, Status
from collector.sla.figures import MonthFigures, Seen
from collector.sla.latency import LatencyTarget, Sample
from collector.sla.month import judge_month
from collector.sla.penalty import Flat, PerHour
from collector.sla.period import Month
from collector.sla.promise import Promise, SchoolContract, Stretch
from collector.sla.repair import Interruption, RepairTarget
from collector.sla.slot import SLOT_MS, SlotClass
from collector.sla.throughput import SpeedTest

MONTH = Month(2026, 11)
ZONE = zoneinfo.ZoneInfo("Asia/Almaty")
SLOTS = MONTH.slots(ZONE)
FIRST, END = SLOTS.spans[0]
DAY = 1440
WEEK = (((480, 1200),),) * 6 + ((),)
TIMETABLE = Timetable(since=dt.date(2026, 9, 1), shifts=WEEK)
CALENDAR = Calendar(id="school", zone=ZONE, versions=(TIMETABLE,))
NAMES = (
    "Абай атындағы №1 жалпы орта білім беретін мектеп",
    "КГУ «Общеобразовательная школа имени Шокана Уалиханова»",
    "Қарағанды облысы, Ұлытау ауданы, Өзбекстан шекарасындағы тірек мектеп-гимназия (ресурстық орталық)",
    '=HYPERLINK("http://evil.example","Бас тарту")',
    "<script>alert(1)</script> & Ғылым үйі",
    "Үшбұлақ",
    "Һ. Іңкәр",
    "No 8",
    "",
)
OPERATORS = ("Қазақтелеком", "Starlink", "Kcell <LTE>")
WITHOUT_CONTRACT = 7
FROZEN = Frozen(
    revision=1,
    previous=None,
    data_sha256="ab" * 32,
    configuration_sha256="cd" * 32,
    code="0.1.0+0123456789ab",
    key="ef" * 32,
    journal_end="000003:8812345",
    journal_root="12" * 32,
    entries=48_211,
)
CHANGES = (
    Change(school="kz-002", what="service.down_provider", before="12", after="0"),
    Change(school="kz-002", what="slots", before="unknown", after="up 2026-11-04T05:00Z +12"),
)


def figures(n: int = 9, seed: int = 1) -> Figures:
    """A month of some schools; the same for the same numbers."""
    dice = random.Random(seed)
    seen = [_Seen(dice, number) for number in range(n)]
    schools = tuple(one.school() for one in seen)
    exclusions = _exclusions()
    return Figures(
        month=str(MONTH),
        zone=ZONE.key,
        from_ms=FIRST * SLOT_MS,
        to_ms=END * SLOT_MS,
        parameters=(("slot_s", "60"), ("open_after", "3"), ("close_after", "3")),
        schools=schools,
        outages=tuple(o for one in seen for o in one.lines()),
        exclusions=exclusion_lines(exclusions, [s.figures for s in schools if s.figures is not None]),
        strata=compare(schools),
    )


class _Seen:
    """One school's month, thrown by dice."""

    def __init__(self, dice: random.Random, number: int) -> None:
        self.number, self.id = number, f"kz-{number:03}"
        data = bytearray([SlotClass.UP]) * (END - FIRST)
        self.outages: list[Interruption] = []
        for day in range(30):
            noon = day * DAY + 720
            bad = dice.choice((0, 0, 0, 0, 35)) if number % 3 else dice.choice((0, 0, 0, 0, 0, 4))
            if bad:
                data[noon : noon + bad] = bytes([SlotClass.DOWN_PROVIDER]) * bad
                first = FIRST + noon
                self.outages.append(Interruption(id=f"{self.id}/{first}", first=first, end=first + bad))
            if number % 4 == 1 and not dice.randrange(6):
                data[noon + 60 : noon + 260] = bytes([SlotClass.DOWN_OTHER]) * 200
            if number % 4 == 2 and not dice.randrange(5):
                data[noon - 200 : noon + 300] = bytes([SlotClass.UNKNOWN]) * 500
            data[noon - 300 : noon - 283] = bytes([SlotClass.DEGRADED]) * 17
        self.classes = Classes(first=FIRST, data=bytes(data))
        self.tests = _tests(dice, number)
        self.samples = _samples(dice, number)

    def figures(self) -> MonthFigures | None:
        """Judged as a contract would have it."""
        if self.number == WITHOUT_CONTRACT:
            return None
        seen = Seen(classes=self.classes, outages=tuple(self.outages), tests=self.tests, samples=self.samples)
        return judge_month(MONTH, seen, self.contract(), _exclusions())

    def contract(self) -> SchoolContract:
        """99 % of 12 hours on six days, 10 Mbit/s."""
        promise = Promise(
            since=dt.date(2026, 9, 1),
            operator=OPERATORS[self.number % 3],
            technology=("leo", "lte", "geo")[self.number % 3],
            lot="1",
            calendar=CALENDAR,
            availability=Fraction(99, 100),
            down_mbps=Fraction(10),
            up_mbps=Fraction(2),
            latency=LatencyTarget(idle_rtt_ms=Fraction(100)),
            repair=RepairTarget(within_slots=240),
            penalties=(
                Flat(id="flat", fee_ratio=Decimal("0.2"), legal_ref="п. 7.1"),
                PerHour(id="per_hour", amount=Decimal(5000), cap_fee_ratio=Decimal("0.05")),
            ),
            monthly_fee=Decimal(185_000),
        )
        return SchoolContract(
            contract="KZ-2026-17",
            school=self.id,
            currency="KZT",
            region=("Ұлытау", "Алматы облысы")[self.number % 2],
            students=120 + 100 * self.number,
            stretches=(Stretch(first=FIRST - 60 * DAY, end=END + 90 * DAY, promise=promise),),
        )

    def school(self) -> SchoolMonth:
        """As the report has it."""
        contract, judged = self.contract(), self.figures()
        whole = judged.everything.service.counts if judged is not None else None
        lost = () if whole is None else (
            Lost(slot_class="down_provider", cause="line", minutes=whole.down_provider),
            Lost(slot_class="down_other", cause="power", minutes=whole.down_other // 2),
            Lost(slot_class="down_other", cause="router", minutes=whole.down_other - whole.down_other // 2),
        )  # fmt: skip
        return SchoolMonth(
            school=self.id,
            name=NAMES[self.number % len(NAMES)],
            region=contract.region,
            operator=OPERATORS[self.number % 3],
            technology=("leo", "lte", "geo")[self.number % 3],
            always=self.classes.count(SLOTS),
            figures=judged,
            lost=lost,
        )

    def lines(self) -> list[OutageLine]:
        """Its outages."""
        return [
            OutageLine(
                id=o.id,
                school=self.id,
                began_ms=o.first * SLOT_MS,
                ended_ms=None if place == 3 or o.end is None else o.end * SLOT_MS,
                slot_class="down_provider",
                cause=("line", "upstream", "dns")[place % 3],
                confidence=("high", "medium", "low")[place % 3],
                service_minutes=35,
                wall_minutes=35 + 61 * place,
                is_carried_in=place == 0,
                evidence=(f"{self.id}-pi/00000000000000aa/{place + 1}", f"{self.id}-pi/00000000000000aa/99"),
            )
            for place, o in enumerate(self.outages)
        ]


def _tests(dice: random.Random, number: int) -> tuple[SpeedTest, ...]:
    count = (66, 12, 240, 70, 80)[number % 5]
    reasons = [("cpu_bound",) if number and not i % 9 else () for i in range(count)]
    return tuple(
        SpeedTest(
            at_ms=(FIRST + (i % 28) * DAY + 540 + i // 28 * 40) * SLOT_MS,
            direction="down",
            mbps=dice.uniform(7 + number % 3, 14),
            validity="suspect" if reasons[i] else "valid",
            reasons=reasons[i],
        )
        for i in range(count)
    )


def _samples(dice: random.Random, number: int) -> tuple[Sample, ...]:
    if number == 5:
        return ()
    base = (40, 60, 620)[number % 3]
    return tuple(
        Sample(
            slot=FIRST + day * DAY + 500 + place,
            rtt_ms=base + dice.random() * 40,
            sent=10,
            received=10 - (not dice.randrange(20)),
            loaded=not place % 5,
        )
        for day in range(28)
        for place in range(20)
    )


def _exclusions() -> tuple[Exclusion, ...]:
    return (
        _exclusion("x-1", ExclusionType.PLANNED_MAINTENANCE, Status.APPROVED, 3),
        _exclusion("x-2", ExclusionType.POWER, Status.PROPOSED, 10),
    )


def _exclusion(name: str, kind: ExclusionType, status: Status, day: int) -> Exclusion:
    is_decided = status is Status.APPROVED
    from_ms = (FIRST + day * DAY + 700) * SLOT_MS
    return Exclusion(
        id=name,
        type=kind,
        scope=Scope(kind=ScopeKind.OPERATOR, name=OPERATORS[1]),
        from_ms=from_ms,
        to_ms=from_ms + 120 * SLOT_MS,
        declared_at_ms=from_ms - DAY * SLOT_MS,
        declared_by="А. Ибраева",
        reason="Замена антенны на мачте; =cmd|' /C calc'!A0",
        rule_ref="п. 4.2",
        evidence=("letter-17.pdf",),
        status=status,
        decided_at_ms=from_ms + DAY * SLOT_MS if is_decided else None,
        decided_by="Д. Ким" if is_decided else None,
        disputed_by="Kcell" if is_decided else None,
    )
