# SPDX-License-Identifier: Apache-2.0
"""What do a month's tests cost, at most, by the configuration alone?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agent.plan.options import PlanOptions
from agent.plan.turns import times_of
from agent.probes.base import CostsData


@dataclass(frozen=True, slots=True)
class MonthCost:
    """Of one test.

    Attributes:
        rounds: in the longest month.
        round_bytes: most that one moves.
        bytes: most that all of them move, within the plan.
    """

    test: str
    rounds: int
    round_bytes: int
    bytes: int


def of_month(device: str, plan: PlanOptions, tests: Sequence[CostsData]) -> list[MonthCost]:
    """For each test by itself: together they keep to the plan."""
    share = plan.share_bytes
    costs = []
    for test in tests:
        rounds, most = times_of(device, plan, test).a_month(), test.estimate_bytes()
        whole = rounds * most
        costs.append(MonthCost(test.table, rounds, most, whole if share is None else min(whole, share)))
    return costs
