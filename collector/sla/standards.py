# SPDX-License-Identifier: Apache-2.0
"""What would other yardsticks say of the same tests?

The contract's own; the Kazakhstan pilot's 10 Mbit/s; ITU's 20 Mbit/s, or 50 kbit/s for each student above 400
(WSIS 2023, session 407); the classes of Giga Maps, by the median: good above the benchmark, moderate from
1 Mbit/s, bad below.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from collector.sla.slotset import SlotSet
from collector.sla.throughput import (
    Required,
    SpeedTest,
    ThroughputFigures,
    ThroughputTarget,
    judge_throughput,
)

PILOT_MBPS = Fraction(10)
ITU_MBPS = Fraction(20)
ITU_STUDENTS = 400
ITU_STUDENT_MBPS = Fraction(50, 1000)
GIGA_BENCHMARK_MBPS = Fraction(20)
GIGA_FLOOR_MBPS = Fraction(1)
_WHOLE = ThroughputTarget(reach_ratio=Fraction(1))
"""Other yardsticks know no tolerance; as many of the tests as the contract's default must reach the rate."""


class GigaClass(StrEnum):
    """Colour of a school on Giga Maps; without a test it has none."""

    GOOD = "good"
    MODERATE = "moderate"
    BAD = "bad"


@dataclass(frozen=True, kw_only=True, slots=True)
class Standard:
    """One yardstick and what it says; `required_mbps` is None where it asks for nothing known."""

    name: str
    required_mbps: Fraction | None
    figures: ThroughputFigures | None


def itu_mbps(students: int | None) -> Fraction | None:
    """What ITU asks for a school of so many; None when nobody counted them."""
    if students is None:
        return None
    return ITU_MBPS if students <= ITU_STUDENTS else students * ITU_STUDENT_MBPS


def giga_class(median_mbps: float | None, benchmark_mbps: Fraction = GIGA_BENCHMARK_MBPS) -> GigaClass | None:
    """The class of a school; None without a test, which is no class."""
    if median_mbps is None:
        return None
    if median_mbps > benchmark_mbps:
        return GigaClass.GOOD
    return GigaClass.MODERATE if median_mbps >= GIGA_FLOOR_MBPS else GigaClass.BAD


def side_by_side(
    tests: Iterable[SpeedTest],
    counted: SlotSet,
    *,
    contract: ThroughputFigures,
    contracted_mbps: Fraction | None,
    students: int | None,
) -> tuple[Standard, ...]:
    """The yardsticks for tests towards the school."""
    ours = tuple(tests)
    others = (("kazakhstan_pilot", PILOT_MBPS), ("itu", itu_mbps(students)))
    return (
        Standard(name="contract", required_mbps=contracted_mbps, figures=contract),
        *(
            Standard(name=name, required_mbps=mbps, figures=_judged(ours, counted, mbps))
            for name, mbps in others
        ),
    )


def _judged(tests: Iterable[SpeedTest], counted: SlotSet, mbps: Fraction | None) -> ThroughputFigures | None:
    if mbps is None:
        return None
    required = Required(mbps=mbps, target=_WHOLE)
    return judge_throughput(tests, "down", counted, lambda _slot: required)
