# SPDX-License-Identifier: Apache-2.0
"""How sure is a share that was found in n tests?

The interval of E. B. Wilson ("Probable inference, the law of succession, and statistical inference", JASA
22, 1927): every p for which (k - n p)^2 <= z^2 n p (1 - p), where k of n tests passed. Whether a target lies
below, in or above it is decided by that inequality in exact numbers; the ends are only for printing.
"""

from __future__ import annotations

from fractions import Fraction
from math import sqrt

from collector.sla.verdict import Verdict

Z = Fraction(1_959_964, 1_000_000)
"""Of 95 % confidence, both sides together."""


def interval(passed: int, tests: int) -> tuple[float, float] | None:
    """Both ends; None without tests."""
    if not tests:
        return None
    z = float(Z)
    centre = passed + z * z / 2
    half = z * sqrt(passed * (tests - passed) / tests + z * z / 4)
    whole = tests + z * z
    low = 0.0 if passed == 0 else (centre - half) / whole
    return low, 1.0 if passed == tests else (centre + half) / whole


def verdict(passed: int, tests: int, target: Fraction) -> Verdict:
    """Met when the whole interval reaches the target, breached when the whole stays below it."""
    if not tests:
        return Verdict.INDETERMINATE
    outside = (passed - tests * target) ** 2 - Z * Z * tests * target * (1 - target)
    is_left = target * (tests + Z * Z) <= passed + Z * Z / 2
    if is_left:
        return Verdict.MET if outside >= 0 else Verdict.INDETERMINATE
    return Verdict.BREACHED if outside > 0 else Verdict.INDETERMINATE
