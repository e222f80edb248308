# SPDX-License-Identifier: Apache-2.0
"""What do the schools' figures add up to: by verdict, by whose fault, by operator?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from collector.reports.model import Figures, SchoolMonth
from collector.sla.availability import Counts
from collector.sla.verdict import Verdict

NONE = "NOT_AGREED"
"""Where a verdict is None."""
STANDINGS = (Verdict.BREACHED, Verdict.INDETERMINATE, Verdict.MET, NONE)
FAULTS = ("provider", "power", "school", "unknown")
_POWER = "power"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Some schools together.

    Attributes:
        standings: schools by verdict.
        service: their service hours, after exclusions.
        whole: the same, nothing excluded.
        lost: minutes lost to pupils by whose fault, nothing excluded.
    """

    name: str
    n: int
    standings: Counter[str]
    service: Counts
    whole: Counts
    lost: dict[str, int]


def standing(school: SchoolMonth) -> str:
    """The verdict, or that there is none."""
    return NONE if school.verdict is None else school.verdict.value


def group(name: str, schools: Sequence[SchoolMonth]) -> Group:
    """These together."""
    return Group(
        name=name,
        n=len(schools),
        standings=Counter(map(standing, schools)),
        service=added(s.service for s in schools),
        whole=added(s.service_whole for s in schools),
        lost=_lost(schools),
    )


def grouped(figures: Figures, by: Callable[[SchoolMonth], str]) -> list[Group]:
    """Schools by a label, in its order."""
    return [
        group(label, [s for s in figures.schools if by(s) == label])
        for label in sorted({*map(by, figures.schools)})
    ]


def added(counts: Iterable[Counts]) -> Counts:
    """The sum."""
    return sum(counts, start=Counts())


def _lost(schools: Iterable[SchoolMonth]) -> dict[str, int]:
    lost = dict.fromkeys(FAULTS, 0)
    for school in schools:
        power = sum(part.minutes for part in school.lost if _is_power(part.slot_class, part.cause))
        lost["provider"] += school.service_whole.down_provider
        lost["power"] += power
        lost["school"] += school.service_whole.down_other - power
        lost["unknown"] += school.service_whole.unknown
    return lost


def _is_power(slot_class: str, cause: str) -> bool:
    return slot_class == "down_other" and cause == _POWER
