# SPDX-License-Identifier: Apache-2.0
"""By which rules does a contract charge for bad service, and what do they look at?

A rule is data: its fields are its TOML table. Days are those of the calendar's clock within the month; a run
of days does not reach over its end.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from math import ceil, floor
from typing import Literal, Protocol

from collector.sla.availability import Counts
from collector.sla.verdict import Verdict

_HOUR_SLOTS = 60
NO_VERDICTS: Mapping[str, Verdict] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """The service time that counts of one day, as the calendar's clock has it."""

    day: dt.date
    counts: Counts


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """What a rule is applied to.

    Attributes:
        availability: of the service time that counts; None when there is none.
        target: what was promised.
        slots: service time that counts.
        down: of it, downtime.
        days: downtime and service time of each day that had any of the latter.
        missed: other objectives that were missed.
    """

    availability: Fraction | None
    target: Fraction
    slots: int
    down: int
    days: tuple[tuple[int, int], ...]
    missed: frozenset[str] = frozenset()

    @property
    def is_breach(self) -> bool:
        """Whether the target was missed."""
        return self.availability is not None and self.availability < self.target


def proved(
    counts: Counts, target: Fraction, days: Iterable[Day], others: Mapping[str, Verdict] = NO_VERDICTS
) -> Ground:
    """With nothing but what is proved against the operator; `others` are the verdicts of other objectives."""
    return Ground(
        availability=counts.upper,
        target=target,
        slots=counts.all,
        down=counts.down_provider,
        days=tuple((d.counts.down_provider, d.counts.all) for d in days if d.counts.all),
        missed=frozenset(name for name, verdict in others.items() if verdict is Verdict.BREACHED),
    )


def possible(
    counts: Counts, target: Fraction, days: Iterable[Day], others: Mapping[str, Verdict] = NO_VERDICTS
) -> Ground:
    """With everything that is not proved to be good."""
    return Ground(
        availability=counts.lower,
        target=target,
        slots=counts.all,
        down=counts.all - counts.good,
        days=tuple((d.counts.all - d.counts.good, d.counts.all) for d in days if d.counts.all),
        missed=frozenset(name for name, verdict in others.items() if verdict is not Verdict.MET),
    )


class Rule(Protocol):
    """One rule of a contract."""

    @property
    def id(self) -> str:
        """Its name."""

    @property
    def cap_fee_ratio(self) -> Decimal | None:
        """Most that it may take of the fee."""

    @property
    def legal_ref(self) -> str:
        """Clause of the contract."""

    def charge(self, fee: Decimal, ground: Ground) -> Fraction:
        """What is owed by this rule alone, exact and without its cap."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Priced(ABC):
    """A rule that charges a share of the fee, or an amount, for each unit of something."""

    id: str = field(metadata={"doc": "name of the rule"})
    fee_ratio: Decimal | None = field(
        default=None, metadata={"doc": "share of the month's fee for each", "low": 0}
    )
    amount: Decimal | None = field(default=None, metadata={"doc": "or an amount for each", "low": 0})
    cap_fee_ratio: Decimal | None = field(
        default=None, metadata={"doc": "most that this rule may take of the fee", "low": 0, "high": 1}
    )
    legal_ref: str = field(default="", metadata={"doc": "clause of the contract"})

    def __post_init__(self) -> None:
        """One price, no more and no less."""
        if (self.fee_ratio is None) == (self.amount is None):
            raise ValueError("needs either fee_ratio or amount")

    def charge(self, fee: Decimal, ground: Ground) -> Fraction:
        """Units times price."""
        if self.amount is not None:
            price = Fraction(self.amount)
        else:
            price = Fraction(fee) * Fraction(self.fee_ratio or 0)
        return self.units(ground) * price

    @abstractmethod
    def units(self, ground: Ground) -> Fraction:
        """How many there are to pay for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flat(Priced):
    """Once, when the target was missed."""

    objective: Literal["availability", "throughput_down", "throughput_up", "latency", "repair"] = field(
        default="availability", metadata={"doc": "which target"}
    )

    def units(self, ground: Ground) -> Fraction:
        """One or none."""
        if self.objective == "availability":
            return Fraction(ground.is_breach)
        return Fraction(self.objective in ground.missed)


@dataclass(frozen=True, kw_only=True, slots=True)
class Proportional(Priced):
    """For each step by which the availability stays below the target."""

    step_ratio: Decimal = field(default=Decimal("0.001"), metadata={"doc": "one step", "low": 0.000001})
    count: Literal["exact", "full", "begun"] = field(
        default="exact",
        metadata={"doc": "whether parts of a step count: as parts, not at all, as whole ones"},
    )

    def units(self, ground: Ground) -> Fraction:
        """Steps."""
        if ground.availability is None or not ground.is_breach:
            return Fraction()
        return _steps((ground.target - ground.availability) / Fraction(self.step_ratio), self.count)


@dataclass(frozen=True, kw_only=True, slots=True)
class PerHour(Priced):
    """For each hour of downtime beyond what the target allows."""

    count: Literal["exact", "full", "begun"] = field(
        default="full",
        metadata={"doc": "whether parts of an hour count: as parts, not at all, as whole ones"},
    )

    def units(self, ground: Ground) -> Fraction:
        """Hours."""
        beyond = ground.down - (1 - ground.target) * ground.slots
        return _steps(max(Fraction(), Fraction(beyond)) / _HOUR_SLOTS, self.count)


@dataclass(frozen=True, kw_only=True, slots=True)
class ProRataDays(Priced):
    """For each day with so much downtime."""

    down_minutes_min: int = field(
        default=60, metadata={"doc": "downtime in service time that makes it such a day", "low": 1}
    )
    days_max: int | None = field(default=None, metadata={"doc": "most days of a month", "low": 1})

    def units(self, ground: Ground) -> Fraction:
        """Days."""
        found = sum(down >= self.down_minutes_min for down, _ in ground.days)
        return Fraction(found if self.days_max is None else min(found, self.days_max))


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsecutiveDays(Priced):
    """For each run of days with service time all of which was down; other days do not end it."""

    days_min: int = field(default=3, metadata={"doc": "shortest run", "low": 1})
    each: Literal["run", "day"] = field(
        default="run", metadata={"doc": "what is paid for: each run, or each day of one"}
    )

    def units(self, ground: Ground) -> Fraction:
        """Runs, or their days."""
        runs = [
            len(list(run))
            for is_dead, run in groupby(down == slots for down, slots in ground.days)
            if is_dead
        ]
        long = [length for length in runs if length >= self.days_min]
        return Fraction(len(long) if self.each == "run" else sum(long))


def _steps(exact: Fraction, count: Literal["exact", "full", "begun"]) -> Fraction:
    if count == "exact":
        return exact
    return Fraction(floor(exact) if count == "full" else ceil(exact))
