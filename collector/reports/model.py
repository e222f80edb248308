# SPDX-License-Identifier: Apache-2.0
"""What does a report say of a month? Exact counts and fractions; what is printed follows from them.

`figures.json` of a bundle is this, so its keys are these names. Minutes are slots of 60 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from collector.sla.availability import Counts
from collector.sla.exclusion import Exclusion
from collector.sla.figures import MonthFigures
from collector.sla.penalty import Day
from collector.sla.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """Minutes of the service time that pupils went without, of one class and cause."""

    slot_class: str
    cause: str
    minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolMonth:
    """Everything of one school under one contract; of a school that changed contracts there are two.

    Attributes:
        school: its id; name and region are the registry's, operator and technology the contract's where one
            held.
        always: every minute of the month, whether a contract held or not.
        figures: what became of its contract's promises; None where none held.
        lost: service time, nothing excluded; what is not known is not among it.
        high_loss_minutes: bad minutes of the service time in runs too short for an outage.
    """

    school: str
    name: str
    region: str
    operator: str
    technology: str
    always: Counts
    figures: MonthFigures | None = None
    lost: tuple[Lost, ...] = ()
    high_loss_minutes: int = 0

    @property
    def contract(self) -> str:
        """Its name; empty where none held."""
        return "" if self.figures is None else self.figures.contract

    @property
    def verdict(self) -> Verdict | None:
        """Over service time, after exclusions; None where nothing was promised."""
        return None if self.figures is None else self.figures.counted.service.verdict

    @property
    def target(self) -> Fraction | None:
        """What was promised."""
        return None if self.figures is None else self.figures.counted.service.target

    @property
    def service(self) -> Counts:
        """Service time, after exclusions."""
        return Counts() if self.figures is None else self.figures.counted.service.counts

    @property
    def service_whole(self) -> Counts:
        """Service time, nothing excluded."""
        return Counts() if self.figures is None else self.figures.everything.service.counts

    @property
    def around(self) -> Counts:
        """Round the clock, after exclusions."""
        return Counts() if self.figures is None else self.figures.counted.around_the_clock.counts

    @property
    def days(self) -> tuple[Day, ...]:
        """Service time of each day, nothing excluded."""
        return () if self.figures is None else self.figures.everything.days

    @property
    def excluded(self) -> int:
        """Minutes that exclusions took out of the service time."""
        return self.service_whole.all - self.service.all


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageLine:
    """One outage.

    Attributes:
        id: the same in every month and view.
        ended_ms: None while it lasts.
        service_minutes: of it, in this month and in service time.
        wall_minutes: of it, in this month.
        is_carried_in: began before the month.
        evidence: ids of records (device/session/seq).
    """

    id: str
    school: str
    began_ms: int
    ended_ms: int | None
    slot_class: str
    cause: str
    confidence: str | None
    service_minutes: int
    wall_minutes: int
    is_carried_in: bool = False
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExclusionLine:
    """One exclusion as it stood, and what it did.

    Attributes:
        is_late: declared later than the notice that some contract asks for.
        refusals: why it took nothing, or not all, out of some school's time.
        schools: of how many schools it touched the month.
        service: service time that it took out of all of them together.
    """

    exclusion: Exclusion
    is_late: bool
    refusals: tuple[str, ...]
    schools: int
    service: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Stratum:
    """Schools of one operator within one technology and region.

    Attributes:
        n: schools with service time that is known.
        service: theirs together, after exclusions.
        mean_ratio: of their availabilities, each school counting the same.
        low_ratio: Student's interval of the mean at 95 %; None under two schools.
        rank: among the operators of the stratum; None where any has fewer than five schools, or is alone.
    """

    technology: str
    region: str
    operator: str
    n: int
    service: Counts
    mean_ratio: float | None
    low_ratio: float | None
    high_ratio: float | None
    rank: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A whole month.

    Attributes:
        from_ms: where the month begins in `zone`.
        parameters: every number the definitions use, by name; several where contracts differ.
    """

    month: str
    zone: str
    from_ms: int
    to_ms: int
    parameters: tuple[tuple[str, str], ...] = ()
    schools: tuple[SchoolMonth, ...] = ()
    outages: tuple[OutageLine, ...] = ()
    exclusions: tuple[ExclusionLine, ...] = ()
    strata: tuple[Stratum, ...] = ()
