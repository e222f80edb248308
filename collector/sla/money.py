# SPDX-License-Identifier: Apache-2.0
"""How is an exact share of a fee written as money? Decimal, with its currency, rounded once, at the end."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, localcontext
from fractions import Fraction

_DIGITS = 60
CENT = Decimal("0.01")


@dataclass(frozen=True, kw_only=True, slots=True)
class Money:
    """An amount in the currency of the contract (ISO 4217)."""

    amount: Decimal
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Exchange:
    """A rate as published: one of the contract's currency is `rate` of `currency` on `day`."""

    currency: str
    rate: Decimal
    day: str

    def of(self, money: Money) -> Money:
        """The same in the other currency."""
        return Money(amount=rounded(Fraction(money.amount) * Fraction(self.rate)), currency=self.currency)


def rounded(amount: Fraction, to: Decimal = CENT) -> Decimal:
    """The nearest multiple of `to`; a half goes up."""
    with localcontext() as context:
        context.prec = _DIGITS
        exact = Decimal(amount.numerator) / Decimal(amount.denominator)
        return exact.quantize(to, rounding=ROUND_HALF_UP)
