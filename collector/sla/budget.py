# SPDX-License-Identifier: Apache-2.0
"""How much downtime does the target still allow this month?

    allowed = (1 - target) * slots that count in the whole month
    spent   = of these, down_provider so far

At 99 % of 12 hours on 22 days, 15,840 slots, that is 158.4 minutes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

MARKS = (Fraction(1, 2), Fraction(3, 4), Fraction(1))
"""Shares of the budget that somebody is told of."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """Of one school and month, in slots (minutes)."""

    allowed: Fraction
    spent: int

    @property
    def allowed_minutes(self) -> int:
        """Whole minutes that may be lost."""
        return int(self.allowed)

    @property
    def left(self) -> Fraction:
        """What is left; negative when the target cannot be met any more."""
        return self.allowed - self.spent

    @property
    def spent_ratio(self) -> Fraction | None:
        """`spent` of `allowed`; None where nothing is allowed."""
        return self.spent / self.allowed if self.allowed else None

    @property
    def is_exceeded(self) -> bool:
        """Whether the target cannot be met any more, whatever comes."""
        return self.spent > self.allowed

    def reached(self, marks: Iterable[Fraction] = MARKS) -> tuple[Fraction, ...]:
        """The marks that were reached; without any downtime none is."""
        return tuple(m for m in marks if self.spent and self.spent >= m * self.allowed)


def budget(target: Fraction, slots: int, down: int) -> Budget:
    """The budget of a month.

    Args:
        target: availability that is promised.
        slots: slots that count in the whole month, those to come as well.
        down: how many of them were `down_provider` so far.
    """
    return Budget(allowed=(1 - target) * slots, spent=down)
