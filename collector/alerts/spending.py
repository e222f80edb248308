# SPDX-License-Identifier: Apache-2.0
"""How much of the month's downtime budget has each school spent so far? What the judge says, as signs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Protocol

from collector.alerts.sign import Sign, budget_sign
from collector.contracts.book import Contracts
from collector.sla.availability import Classes
from collector.sla.book import Verdicts
from collector.sla.exclusion import Exclusion
from collector.sla.figures import Seen
from collector.sla.month import judge_month
from collector.sla.outage import Outage, counted, within
from collector.sla.parameters import STANDARD, Parameters
from collector.sla.period import Month
from collector.sla.promise import SchoolContract
from collector.sla.slot import slot_of


class Source(Protocol):
    """Whoever keeps the verdicts."""

    def verdicts(self, school: str, first: int, last: int) -> Verdicts:
        """Class and rule of each slot, both ends included."""
        ...

    def outages(self, school: str, first: int, last: int) -> Sequence[Outage]:
        """Those that reach into these slots."""
        ...


def _parameters(contract: SchoolContract, slot: int) -> Parameters:
    promise = contract.at(slot)
    return STANDARD if promise is None else promise.parameters


def budget_signs(
    contracts: Contracts, exclusions: Sequence[Exclusion], source: Source, now_ms: int
) -> Iterator[Sign]:
    """One for each contract that holds now, of the month that it is by the calendar's clock."""
    for held in contracts.by_school.values():
        for contract in held:
            sign = _sign(contract, exclusions, source, now_ms)
            if sign is not None:
                yield sign


def _sign(
    contract: SchoolContract, exclusions: Sequence[Exclusion], source: Source, now_ms: int
) -> Sign | None:
    slot = slot_of(now_ms)
    promise = contract.at(slot)
    if promise is None:
        return None
    zone = promise.calendar.zone
    today = dt.datetime.fromtimestamp(now_ms / 1000, zone)
    month = Month(today.year, today.month)
    first = month.slots(zone).spans[0][0]
    spans = within(source.outages(contract.school, first, slot), first, slot + 1)
    seen = bytes(source.verdicts(contract.school, first, slot).classes)
    classes = Classes(
        first=first, data=counted(seen, spans, lambda index: _parameters(contract, first + index))
    )
    figures = judge_month(month, Seen(classes=classes), contract, exclusions)
    budget = None if figures is None else figures.counted.budget
    return None if budget is None else budget_sign(contract.school, budget, now_ms)
