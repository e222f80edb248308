# SPDX-License-Identifier: Apache-2.0
"""What goes into the judgement of a school's month, and what comes out of it?"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from fractions import Fraction

from collector.sla.allowance import Taken
from collector.sla.assessment import PenaltyTotal
from collector.sla.availability import Availability, Classes, Counts
from collector.sla.budget import Budget
from collector.sla.cost import Costs
from collector.sla.latency import Latency, Sample
from collector.sla.money import Money
from collector.sla.penalty import Day
from collector.sla.period import Month
from collector.sla.repair import Interruption, RepairFigures
from collector.sla.standards import GigaClass, Standard
from collector.sla.throughput import SpeedTest, ThroughputFigures


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """What was seen of one school.

    Attributes:
        classes: of every slot of the month; what is not there is unknown.
        outages: the operator's, as judged; those that began earlier or last on as well.
    """

    classes: Classes
    outages: tuple[Interruption, ...] = ()
    tests: tuple[SpeedTest, ...] = ()
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Effect:
    """What one exclusion changes in the month.

    Attributes:
        taken: which slots, and why not others.
        service: classes of the service time that it takes out.
        around_the_clock: classes of all the time that it takes out.
    """

    taken: Taken
    service: Counts
    around_the_clock: Counts


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """The part of a month in which one version of the contract held, in slots."""

    since: dt.date
    first: int
    end: int
    target: Fraction
    latency: Latency


@dataclass(frozen=True, kw_only=True, slots=True)
class Results:
    """Every objective over one choice of time.

    Attributes:
        service: availability in service time.
        around_the_clock: the same for every slot of the contract in the month.
        days: service time of each day.
        penalties: indicative; None where no fee is known.
    """

    service: Availability
    around_the_clock: Availability
    days: tuple[Day, ...]
    down: ThroughputFigures
    up: ThroughputFigures
    versions: tuple[Version, ...]
    repairs: RepairFigures
    budget: Budget | None
    penalties: PenaltyTotal | None


@dataclass(frozen=True, kw_only=True, slots=True)
class MonthFigures:
    """One school's month under one contract.

    Attributes:
        operator: of the last version in force, as are technology and lot.
        counted: with approved exclusions taken out: what the verdicts are.
        everything: as if nothing had been excluded; what pupils had.
        effects: every exclusion that touches the month, whether it took something out or not.
        standards: other yardsticks, of the tests that are counted.
    """

    month: Month
    contract: str
    school: str
    region: str
    operator: str
    technology: str
    lot: str
    students: int | None
    counted: Results
    everything: Results
    effects: tuple[Effect, ...]
    standards: tuple[Standard, ...]
    giga_class: GigaClass | None
    fee: Money | None
    costs: Costs | None
