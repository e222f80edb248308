# SPDX-License-Identifier: Apache-2.0
"""Which contracts hold for a school, and what do they promise in which slots?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from collector.sla.parameters import STANDARD, Term
from collector.sla.promise import Promise, SchoolContract, Stretch


@dataclass(frozen=True, kw_only=True)
class Contracts:
    """Everything that is promised, checked against the registry.

    Attributes:
        by_school: no two contracts of one school promise anything for the same slot.
        warnings: what is allowed and probably not meant.
    """

    by_school: Mapping[str, tuple[SchoolContract, ...]] = field(default_factory=dict)
    contracts: tuple[str, ...] = ()
    calendars: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def of(self, school: str) -> tuple[SchoolContract, ...]:
        """Every contract of a school, in the order of the files."""
        return self.by_school.get(school, ())

    def at(self, school: str, slot: int) -> Promise | None:
        """What a school is promised in a slot; None when nothing is."""
        return next((p for c in self.of(school) if (p := c.at(slot)) is not None), None)

    def terms(self, school: str, first_slot: int, last_slot: int) -> Iterator[Term]:
        """By which figures the slots of a school are judged, ascending, without a hole."""
        at, end = first_slot, last_slot + 1
        for stretch in self.stretches(school, first_slot, end):
            if at < stretch.first:
                yield Term(at, stretch.first - 1, STANDARD)
            yield Term(stretch.first, stretch.end - 1, stretch.promise.parameters)
            at = stretch.end
        if at < end:
            yield Term(at, last_slot, STANDARD)

    def stretches(self, school: str, first: int, end: int) -> list[Stretch]:
        """What holds for a school from `first` up to `end`, ascending."""
        found = [s for c in self.of(school) for s in c.within(first, end)]
        return sorted(found, key=lambda s: s.first)


NO_CONTRACTS = Contracts()
