# SPDX-License-Identifier: Apache-2.0
"""Was a target met? Said only where the evidence allows no other answer."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Verdict(StrEnum):
    """The answer for one target."""

    MET = "MET"
    BREACHED = "BREACHED"
    INDETERMINATE = "INDETERMINATE"


def of_all(verdicts: Iterable[Verdict]) -> Verdict:
    """Of several parts of one target: breached if any is, met if all are; of none, indeterminate."""
    found = set(verdicts)
    if Verdict.BREACHED in found:
        return Verdict.BREACHED
    return Verdict.MET if found == {Verdict.MET} else Verdict.INDETERMINATE
