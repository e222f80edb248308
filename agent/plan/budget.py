# SPDX-License-Identifier: Apache-2.0
"""How much may the next test move, so that the month's plan holds?

Up to `shrink_ratio` of what tests may have, or of the whole plan, whichever is nearer, a test may move what
it likes. From there on what is left is shared evenly among the tests still to come.
When not even the least that gives a figure is left, there is none until the month ends.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from agent.plan.options import PlanOptions
from agent.plan.usage import Usage


class State(enum.StrEnum):
    """How the plan stands."""

    AMPLE = "ample"
    SHRUNK = "shrunk"
    EXHAUSTED = "exhausted"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a test may move.

    Attributes:
        bytes: at most; None when there is no plan.
    """

    state: State
    bytes: int | None


def allowance(options: PlanOptions, usage: Usage, *, least_bytes: int, tests_left: int) -> Allowance:
    """For the next test.

    Args:
        options: the plan.
        usage: of this month.
        least_bytes: with less no figure can be had.
        tests_left: this one and those to come in this month.
    """
    plan, share = options.month_bytes, options.share_bytes
    if plan is None or share is None:
        return Allowance(State.AMPLE, None)
    left = min(share - usage.tests_bytes, plan - usage.all_bytes)
    if left < least_bytes:
        return Allowance(State.EXHAUSTED, 0)
    until_shrunk = int(
        min(share * options.shrink_ratio - usage.tests_bytes, plan * options.shrink_ratio - usage.all_bytes)
    )
    state = State.AMPLE if until_shrunk > 0 else State.SHRUNK
    return Allowance(state, min(left, max(least_bytes, until_shrunk, left // max(1, tests_left))))
