# SPDX-License-Identifier: Apache-2.0
"""What is one school promised, by which version of its contract, in which slots?"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from collector.sla.allowance import STANDARD_RULES, ExclusionRule
from collector.sla.assessment import Combination
from collector.sla.calendar import Calendar
from collector.sla.exclusion import Exclusion, ExclusionType
from collector.sla.latency import LatencyTarget
from collector.sla.money import Exchange
from collector.sla.parameters import STANDARD, Parameters
from collector.sla.penalty import Rule
from collector.sla.repair import RepairTarget
from collector.sla.slotset import NO_SLOTS, SlotSet
from collector.sla.throughput import Required, ThroughputTarget


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Promise:
    """What one version of a contract promises one school.

    Attributes:
        since: the version's first day.
        availability: the target, of the service time that counts.
        monthly_fee: for a whole month; None where nobody said.
    """

    since: dt.date
    operator: str
    technology: str
    lot: str
    calendar: Calendar
    availability: Fraction
    down_mbps: Fraction | None = None
    up_mbps: Fraction | None = None
    throughput: ThroughputTarget = field(default_factory=ThroughputTarget)
    latency: LatencyTarget = field(default_factory=LatencyTarget)
    repair: RepairTarget | None = None
    exclusions: Mapping[ExclusionType, ExclusionRule] = field(default_factory=lambda: STANDARD_RULES)
    penalties: tuple[Rule, ...] = ()
    combination: Combination = field(default_factory=Combination)
    monthly_fee: Decimal | None = None
    parameters: Parameters = STANDARD

    def required(self, direction: str) -> Required | None:
        """What a test in a direction must reach."""
        mbps = {"down": self.down_mbps, "up": self.up_mbps}[direction]
        return None if mbps is None else Required(mbps=mbps, target=self.throughput)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """Slots from `first` up to `end` in which one promise holds."""

    first: int
    end: int
    promise: Promise

    @property
    def slots(self) -> SlotSet:
        """All of them."""
        return SlotSet.of([(self.first, self.end)])


@dataclass(frozen=True, kw_only=True, slots=True)
class SchoolContract:
    """One contract as it concerns one school.

    Attributes:
        stretches: in order, without overlap; the school may be without a promise in between.
        students: how many; None when nobody counted them.
        exchange: into the currency that reports compare in.
    """

    contract: str
    school: str
    currency: str
    stretches: tuple[Stretch, ...]
    region: str = ""
    students: int | None = None
    exchange: Exchange | None = None

    def at(self, slot: int) -> Promise | None:
        """What holds in a slot."""
        return next((s.promise for s in self.stretches if s.first <= slot < s.end), None)

    def within(self, first: int, end: int) -> Iterator[Stretch]:
        """What holds from `first` up to `end`."""
        for s in self.stretches:
            if s.first < end and first < s.end:
                yield Stretch(first=max(first, s.first), end=min(end, s.end), promise=s.promise)

    def service(self, first: int, end: int) -> SlotSet:
        """Service time from `first` up to `end`."""
        found = NO_SLOTS
        for s in self.within(first, end):
            found |= s.promise.calendar.service(s.first, s.end)
        return found

    def is_meant(self, promise: Promise, exclusion: Exclusion) -> bool:
        """Whether an exclusion is about this school while a promise holds."""
        return exclusion.scope.covers(school=self.school, operator=promise.operator, region=self.region)
