# SPDX-License-Identifier: Apache-2.0
"""How many of the tests reached what the contract promises?

Only valid tests in service time count; those that were suspect or invalid are counted apart with their
reasons, those outside the time that counts as well. Too few, or a confidence interval that straddles the
target: then nobody can say.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from collector.sla import wilson
from collector.sla.availability import share
from collector.sla.rank import MEDIAN, P10, nearest_rank
from collector.sla.slot import slot_of
from collector.sla.slotset import SlotSet
from collector.sla.verdict import Verdict

VALID, SUSPECT = "valid", "suspect"


@dataclass(frozen=True, kw_only=True, slots=True)
class SpeedTest:
    """One throughput test in one direction, as its record says.

    Attributes:
        validity: valid, suspect or invalid.
    """

    at_ms: int
    direction: str
    mbps: float | None
    validity: str = VALID
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ThroughputTarget:
    """So many of the tests must reach so much of the contracted rate."""

    reach_ratio: Fraction = Fraction(4, 5)
    share_ratio: Fraction = Fraction(4, 5)
    tests_min: int = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Required:
    """What one test had to reach, and how many of its like had to."""

    mbps: Fraction
    target: ThroughputTarget


@dataclass(frozen=True, kw_only=True, slots=True)
class ThroughputFigures:
    """One direction of one school's month.

    Attributes:
        reached: how many of `valid` reached their rate; the numerator.
        valid: valid tests in time that counts, for which a rate was contracted; the denominator.
        outside: valid tests outside the time that counts.
        unpromised: valid tests for which no rate was contracted.
        target: the share that was to reach it; of several versions, weighted by their tests.
        interval: Wilson's, of the share.
    """

    direction: str
    reached: int
    valid: int
    tests_min: int
    suspect: int
    invalid: int
    outside: int
    unpromised: int
    reasons: tuple[tuple[str, int], ...]
    target: Fraction | None
    interval: tuple[float, float] | None
    median_mbps: float | None
    p10_mbps: float | None
    verdict: Verdict

    @property
    def share(self) -> Fraction | None:
        """`reached` of `valid`."""
        return share(self.reached, self.valid)


def judge_throughput(
    tests: Iterable[SpeedTest],
    direction: str,
    counted: SlotSet,
    required_at: Callable[[int], Required | None],
) -> ThroughputFigures:
    """Figures and verdict of one direction.

    Args:
        tests: any; those of other directions are passed over.
        direction: down or up.
        counted: the slots that count.
        required_at: what the contract asks for in a slot; None where it asks for nothing.
    """
    ours = [t for t in tests if t.direction == direction]
    valid = [(t.mbps, slot_of(t.at_ms)) for t in ours if t.validity == VALID and t.mbps is not None]
    inside = [(mbps, required_at(slot)) for mbps, slot in valid if slot in counted]
    asked = [(mbps, required) for mbps, required in inside if required is not None]
    reached = sum(mbps >= required.mbps * required.target.reach_ratio for mbps, required in asked)
    target = _mean([required.target.share_ratio for _, required in asked])
    tests_min = max((required.target.tests_min for _, required in asked), default=0)
    enough = target is not None and len(asked) >= tests_min
    rates = sorted(mbps for mbps, _ in inside)
    return ThroughputFigures(
        direction=direction,
        reached=reached,
        valid=len(asked),
        tests_min=tests_min,
        suspect=sum(t.validity == SUSPECT for t in ours),
        invalid=len(ours) - len(valid) - sum(t.validity == SUSPECT for t in ours),
        outside=len(valid) - len(inside),
        unpromised=len(inside) - len(asked),
        reasons=tuple(sorted(Counter(r for t in ours for r in t.reasons).items())),
        target=target,
        interval=wilson.interval(reached, len(asked)),
        median_mbps=nearest_rank(rates, MEDIAN),
        p10_mbps=nearest_rank(rates, P10),
        verdict=wilson.verdict(reached, len(asked), target) if enough and target else Verdict.INDETERMINATE,
    )


def _mean(shares: list[Fraction]) -> Fraction | None:
    return sum(shares, Fraction()) / len(shares) if shares else None
