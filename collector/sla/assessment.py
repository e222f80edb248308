# SPDX-License-Identifier: Apache-2.0
"""What would the contract's penalties come to? Indicative, until a person confirms it.

Each rule is asked twice: with what is proved against the operator, and with everything that is not proved to
be good. The first is what can be claimed, the second what it might become.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import ClassVar, Literal

from collector.sla.money import Money, rounded
from collector.sla.penalty import (
    ConsecutiveDays,
    Flat,
    Ground,
    PerHour,
    Priced,
    Proportional,
    ProRataDays,
    Rule,
)
from collector.sla.tiers import AvailabilityTiers, DowntimeTiers

PENALTIES: dict[str, type[Priced | DowntimeTiers | AvailabilityTiers]] = {
    "flat": Flat,
    "tiers_by_downtime": DowntimeTiers,
    "tiers_by_availability": AvailabilityTiers,
    "proportional": Proportional,
    "per_hour": PerHour,
    "pro_rata_days": ProRataDays,
    "consecutive_days": ConsecutiveDays,
}
"""Every kind of rule by the word in its table."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Penalty:
    """What one rule comes to.

    Attributes:
        amount: by what is proved; indicative until a person confirms it.
        amount_max: were everything the operator's that is not proved to be good.
        is_capped: whether the rule's own cap made `amount` smaller.
    """

    rule: str
    legal_ref: str
    amount: Money
    amount_max: Money
    is_capped: bool

    is_indicative: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True, slots=True)
class PenaltyTotal:
    """What all rules of a contract come to for one school and month.

    Attributes:
        is_capped: whether the contract's cap made `amount` smaller.
    """

    penalties: tuple[Penalty, ...]
    amount: Money
    amount_max: Money
    is_capped: bool

    is_indicative: ClassVar[bool] = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Combination:
    """How several rules go together.

    Attributes:
        combine: whether all are owed or only the largest.
        cap_fee_ratio: most that they may take of the fee together.
        rounding: smallest amount there is.
    """

    combine: Literal["sum", "largest"] = "sum"
    cap_fee_ratio: Decimal | None = None
    rounding: Decimal = Decimal("0.01")


def assess(
    rules: Sequence[Rule], fee: Money, grounds: tuple[Ground, Ground], combination: Combination
) -> PenaltyTotal:
    """What the rules come to.

    Args:
        rules: those of the contract.
        fee: the school's fee of the month.
        grounds: what is proved, and what is possible.
        combination: how the rules go together.
    """
    exact = [[_capped(rule, fee.amount, ground) for ground in grounds] for rule in rules]
    totals = [_total([row[i] for row in exact], fee.amount, combination) for i in range(len(grounds))]

    def money(amount: Fraction) -> Money:
        return Money(amount=rounded(amount, combination.rounding), currency=fee.currency)

    return PenaltyTotal(
        penalties=tuple(
            Penalty(
                rule=rule.id,
                legal_ref=rule.legal_ref,
                amount=money(least),
                amount_max=money(most),
                is_capped=least < rule.charge(fee.amount, grounds[0]),
            )
            for rule, (least, most) in zip(rules, exact, strict=True)
        ),
        amount=money(totals[0][0]),
        amount_max=money(totals[1][0]),
        is_capped=totals[0][1],
    )


def _capped(rule: Rule, fee: Decimal, ground: Ground) -> Fraction:
    charge = rule.charge(fee, ground)
    if rule.cap_fee_ratio is None:
        return charge
    return min(charge, Fraction(fee) * Fraction(rule.cap_fee_ratio))


def _total(charges: Sequence[Fraction], fee: Decimal, combination: Combination) -> tuple[Fraction, bool]:
    total = sum(charges, Fraction()) if combination.combine == "sum" else max(charges, default=Fraction())
    if combination.cap_fee_ratio is None:
        return total, False
    cap = Fraction(fee) * Fraction(combination.cap_fee_ratio)
    return min(total, cap), total > cap
