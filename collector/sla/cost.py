# SPDX-License-Identifier: Apache-2.0
"""What did the service cost for what came of it?

Divisors are what was measured, not what was promised. A figure without its divisor is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from collector.sla.availability import Counts
from collector.sla.money import Money, rounded

TESTS_MIN = 30
"""With fewer valid tests a median says little of what is delivered."""
_HOUR_SLOTS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """Of one school and month.

    Attributes:
        per_contracted_mbps: fee / contracted rate.
        per_delivered_mbps: fee / median of the valid tests in service time, of 30 or more.
        per_student: fee / students: the cost of a student's month.
        per_available_hour: fee / hours of service time with internet.
        per_usable_hour: fee / hours of it that were within the contract's thresholds too (not `degraded`).
    """

    fee: Money
    per_contracted_mbps: Money | None
    per_delivered_mbps: Money | None
    per_student: Money | None
    per_available_hour: Money | None
    per_usable_hour: Money | None


def costs(
    fee: Money,
    *,
    service: Counts,
    contracted_mbps: Fraction | None,
    median_mbps: float | None,
    tests: int,
    students: int | None,
) -> Costs:
    """Every cost of a fee.

    Args:
        fee: of the month.
        service: service time, nothing excluded.
        contracted_mbps: towards the school.
        median_mbps: of the valid tests in service time.
        tests: how many they were.
        students: how many the school has.
    """

    def per(divisor: Fraction | None) -> Money | None:
        if not divisor:
            return None
        return Money(amount=rounded(Fraction(fee.amount) / divisor), currency=fee.currency)

    delivered = Fraction(median_mbps) if median_mbps is not None and tests >= TESTS_MIN else None
    return Costs(
        fee=fee,
        per_contracted_mbps=per(contracted_mbps),
        per_delivered_mbps=per(delivered),
        per_student=per(None if students is None else Fraction(students)),
        per_available_hour=per(Fraction(service.good, _HOUR_SLOTS)),
        per_usable_hour=per(Fraction(service.up, _HOUR_SLOTS)),
    )


def due(monthly_fee: Decimal, days: int, of_days: int) -> Fraction:
    """The part of a month's fee that is due for some of its days."""
    return Fraction(monthly_fee) * Fraction(days, of_days)
