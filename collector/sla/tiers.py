# SPDX-License-Identifier: Apache-2.0
"""Which penalties go in steps: by the month's downtime, or by its availability?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from collector.sla.penalty import Ground


@dataclass(frozen=True, kw_only=True, slots=True)
class DowntimeStep:
    """From more than so much downtime on, this share of the fee."""

    over_minutes: int = field(metadata={"doc": "downtime of the month in service time", "low": 0})
    fee_ratio: Decimal = field(metadata={"doc": "share of the month's fee", "low": 0, "high": 1})


@dataclass(frozen=True, kw_only=True, slots=True)
class AvailabilityStep:
    """Below this availability, this share of the fee."""

    below_ratio: Decimal = field(metadata={"doc": "availability of the month", "low": 0, "high": 1})
    fee_ratio: Decimal = field(metadata={"doc": "share of the month's fee", "low": 0, "high": 1})


@dataclass(frozen=True, kw_only=True, slots=True)
class DowntimeTiers:
    """By the downtime of the month; the highest step that was reached holds alone."""

    id: str = field(metadata={"doc": "name of the rule"})
    steps: tuple[DowntimeStep, ...] = field(metadata={"doc": "tables `{ over_minutes, fee_ratio }`"})
    cap_fee_ratio: Decimal | None = field(
        default=None, metadata={"doc": "most that this rule may take of the fee", "low": 0, "high": 1}
    )
    legal_ref: str = field(default="", metadata={"doc": "clause of the contract"})

    def __post_init__(self) -> None:
        """More downtime never costs less."""
        _refuse_disorder([(s.over_minutes, s.fee_ratio) for s in self.steps], "over_minutes")

    def charge(self, fee: Decimal, ground: Ground) -> Fraction:
        """The step's share."""
        reached = [Fraction(s.fee_ratio) for s in self.steps if ground.down > s.over_minutes]
        return max(reached, default=Fraction()) * Fraction(fee)


@dataclass(frozen=True, kw_only=True, slots=True)
class AvailabilityTiers:
    """By the availability of the month; the worst step that was reached holds alone."""

    id: str = field(metadata={"doc": "name of the rule"})
    steps: tuple[AvailabilityStep, ...] = field(metadata={"doc": "tables `{ below_ratio, fee_ratio }`"})
    cap_fee_ratio: Decimal | None = field(
        default=None, metadata={"doc": "most that this rule may take of the fee", "low": 0, "high": 1}
    )
    legal_ref: str = field(default="", metadata={"doc": "clause of the contract"})

    def __post_init__(self) -> None:
        """Less availability never costs less."""
        _refuse_disorder([(-s.below_ratio, s.fee_ratio) for s in self.steps], "below_ratio")

    def charge(self, fee: Decimal, ground: Ground) -> Fraction:
        """The step's share."""
        found = ground.availability
        reached = [Fraction(s.fee_ratio) for s in self.steps if found is not None and found < s.below_ratio]
        return max(reached, default=Fraction()) * Fraction(fee)


def _refuse_disorder(steps: Sequence[tuple[Decimal | int, Decimal]], key: str) -> None:
    if not steps:
        raise ValueError("needs at least one step")
    for (before, less), (after, more) in pairwise(steps):
        if not (before < after and less < more):
            raise ValueError(f"steps must go from mild to severe by {key}, each dearer than the one before")
