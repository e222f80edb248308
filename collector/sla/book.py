# SPDX-License-Identifier: Apache-2.0
"""Where does a ledger keep sightings, verdicts and outages? A protocol; a file and plain memory follow it.

All questions of slots are inclusive at both ends.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple, Protocol

from collector.sla.outage import Outage
from collector.sla.sighting import Fact, Identity, Sighting


class Placed(NamedTuple):
    """A sighting and the school at which it was made."""

    school: str
    sighting: Sighting


class Verdicts(NamedTuple):
    """One byte a slot each: the class (`SlotClass`) and the number of the rule (`RULES`)."""

    classes: bytes
    rules: bytes


class Evidences(Protocol):
    """What was seen; enough to judge by."""

    def sightings(self, school: str, first: int, last: int) -> Sequence[Sighting]:
        """Those whose slot it is, ascending."""
        ...

    def telling(self, school: str, first: int, last: int) -> Sequence[tuple[int, Hashable]]:
        """Slot and fact of those that may tell something of a slot in which an anchor answered (`tells`).

        In no order; the fact by a key that `fact_of` knows. Quick, as a month has tens of thousands.
        """
        ...

    def fact_of(self, key: Hashable) -> Fact:
        """The fact of a key."""
        ...

    def told(self, school: str, first: int, last: int) -> Sequence[Sighting]:
        """Those that tell of an outage which reaches into these slots."""
        ...

    def devices(self, school: str) -> Iterable[str]:
        """Every device that anything was seen by there."""
        ...

    def before(self, school: str, device: str, slot: int) -> Sighting | None:
        """The last one of a device before a slot."""
        ...

    def after(self, school: str, device: str, slot: int) -> Sighting | None:
        """The first one of a device after a slot."""
        ...

    def starts(self, device: str, session: str) -> Sequence[Sighting]:
        """What an agent said of its start and its last end."""
        ...

    def first_of(self, device: str, session: str) -> Placed | None:
        """The sighting with the lowest number of a session."""
        ...

    def is_elsewhere(self, school: str, device: str, first: int, last: int) -> bool:
        """Whether the device was seen at another school in these slots."""
        ...

    def hears_gateway(self, school: str, device: str, slot: int) -> bool:
        """Whether the silence of the gateway means anything.

        It does unless, on the nearest day that can tell, the day of the slot or an earlier one before any
        later one, anchors answered and the gateway never did.
        """
        ...


class Book(Evidences, Protocol):
    """What was seen, and what follows from it."""

    def find(self, identity: Identity) -> Placed | None:
        """The sighting of a record."""
        ...

    def put(self, placed: Placed) -> None:
        """Keep a sighting; there is none of that record."""
        ...

    def remove(self, placed: Placed) -> None:
        """Forget a sighting that was found."""
        ...

    def schools(self, device: str) -> Iterable[str]:
        """Every school at which the device was seen."""
        ...

    def span(self, school: str) -> tuple[int, int] | None:
        """First and last slot with a verdict."""
        ...

    def verdicts(self, school: str, first: int, last: int) -> Verdicts:
        """Of each slot; zeros where there is none."""
        ...

    def write(self, school: str, first: int, verdicts: Verdicts) -> None:
        """Replace the verdicts of as many slots."""
        ...

    def outages(self, school: str, first: int, last: int) -> Sequence[Outage]:
        """Those that reach into these slots, ascending."""
        ...

    def replace(self, gone: Iterable[Outage], come: Iterable[Outage]) -> None:
        """Some outages are otherwise now."""
        ...
