# SPDX-License-Identifier: Apache-2.0
"""A book in plain memory: to judge a school or a month of it from records alone, as `verify` does."""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence

from collector.sla.book import Placed, Verdicts
from collector.sla.outage import Outage
from collector.sla.sighting import Fact, Identity, Round, Sighting, Start, Told, tells
from collector.sla.slot import DAY_SLOTS, slot_of


class MemoryBook:
    """Everything in dicts and sorted lists."""

    def __init__(self) -> None:
        self._placed: dict[Identity, Placed] = {}
        self._rows: defaultdict[tuple[str, str], list[Sighting]] = defaultdict(list)
        self._devices: defaultdict[str, set[str]] = defaultdict(set)
        self._schools: defaultdict[str, set[str]] = defaultdict(set)
        self._sessions: defaultdict[tuple[str, str], list[Placed]] = defaultdict(list)
        self._told: defaultdict[str, list[Sighting]] = defaultdict(list)
        self._habits: defaultdict[tuple[str, str], dict[int, list[int]]] = defaultdict(dict)
        self._verdicts: defaultdict[str, dict[int, tuple[int, int]]] = defaultdict(dict)
        self._outages: defaultdict[str, dict[int, Outage]] = defaultdict(dict)

    def find(self, identity: Identity) -> Placed | None:
        """The sighting of a record."""
        return self._placed.get(identity)

    def put(self, placed: Placed) -> None:
        """Keep a sighting; there is none of that record."""
        school, one = placed
        self._placed[one.identity] = placed
        bisect.insort(self._rows[school, one.device], one)
        self._devices[school].add(one.device)
        self._schools[one.device].add(school)
        bisect.insort(self._sessions[one.device, one.session], placed, key=_by_number)
        if isinstance(one.fact, Told):
            self._told[school].append(one)
        self._note_habit(placed, 1)

    def remove(self, placed: Placed) -> None:
        """Forget a sighting that was found."""
        school, one = placed
        del self._placed[one.identity]
        row = self._rows[school, one.device]
        row.remove(one)
        self._sessions[one.device, one.session].remove(placed)
        if isinstance(one.fact, Told):
            self._told[school].remove(one)
        if not row:
            self._devices[school].discard(one.device)
            self._schools[one.device].discard(school)
        self._note_habit(placed, -1)

    def sightings(self, school: str, first: int, last: int) -> Sequence[Sighting]:
        """Those whose slot it is, ascending."""
        found: list[Sighting] = []
        for device in self._devices[school]:
            row = self._rows[school, device]
            found += row[_place(row, first) : _place(row, last + 1)]
        return sorted(found)

    def telling(self, school: str, first: int, last: int) -> Sequence[tuple[int, Hashable]]:
        """Slot and fact of those that may tell something of a slot in which an anchor answered."""
        seen = self.sightings(school, first, last)
        return [(one.slot, (type(one.fact), one.fact)) for one in seen if tells(one.fact)]

    def fact_of(self, key: Hashable) -> Fact:
        """The fact of a key."""
        fact: Fact = key[1]  # type: ignore[index]
        return fact

    def told(self, school: str, first: int, last: int) -> Sequence[Sighting]:
        """Those that tell of an outage which reaches into these slots."""
        return sorted(s for s in self._told[school] if slot_of(s.at_ms) <= last and s.last_slot >= first)

    def devices(self, school: str) -> Collection[str]:
        """Every device that anything was seen by there."""
        return sorted(self._devices[school])

    def schools(self, device: str) -> Collection[str]:
        """Every school at which the device was seen."""
        return sorted(self._schools[device])

    def before(self, school: str, device: str, slot: int) -> Sighting | None:
        """The last one of a device before a slot."""
        row = self._rows[school, device]
        place = _place(row, slot)
        return row[place - 1] if place else None

    def after(self, school: str, device: str, slot: int) -> Sighting | None:
        """The first one of a device after a slot."""
        row = self._rows[school, device]
        place = _place(row, slot + 1)
        return row[place] if place < len(row) else None

    def starts(self, device: str, session: str) -> Sequence[Sighting]:
        """What an agent said of its start and its last end."""
        placed = self._sessions.get((device, session), ())
        return [p.sighting for p in placed if type(p.sighting.fact) is Start]

    def first_of(self, device: str, session: str) -> Placed | None:
        """The sighting with the lowest number of a session."""
        placed = self._sessions.get((device, session))
        return placed[0] if placed else None

    def is_elsewhere(self, school: str, device: str, first: int, last: int) -> bool:
        """Whether the device was seen at another school in these slots."""
        rows = (self._rows[other, device] for other in self._schools[device] if other != school)
        return any(_place(row, first) < _place(row, last + 1) for row in rows)

    def hears_gateway(self, school: str, device: str, slot: int) -> bool:
        """Whether the silence of the gateway means anything."""
        days = self._habits[school, device]
        day = slot // DAY_SLOTS
        telling = [d for d in days if d <= day]
        nearest = max(telling) if telling else min(days, default=None)
        return nearest is None or days[nearest][0] > 0

    def span(self, school: str) -> tuple[int, int] | None:
        """First and last slot with a verdict."""
        known = self._verdicts[school]
        return (min(known), max(known)) if known else None

    def verdicts(self, school: str, first: int, last: int) -> Verdicts:
        """Of each slot; zeros where there is none."""
        known = self._verdicts[school]
        row = [known.get(slot, (0, 0)) for slot in range(first, last + 1)]
        return Verdicts(bytes(c for c, _ in row), bytes(r for _, r in row))

    def write(self, school: str, first: int, verdicts: Verdicts) -> None:
        """Replace the verdicts of as many slots."""
        known = self._verdicts[school]
        for slot, verdict in enumerate(zip(verdicts.classes, verdicts.rules, strict=True), first):
            if verdict == (0, 0):
                known.pop(slot, None)
            else:
                known[slot] = verdict

    def outages(self, school: str, first: int, last: int) -> Sequence[Outage]:
        """Those that reach into these slots, ascending."""
        found = (o for o in self._outages[school].values() if o.first_slot <= last and o.last_slot >= first)
        return sorted(found, key=lambda o: o.first_slot)

    def replace(self, gone: Iterable[Outage], come: Iterable[Outage]) -> None:
        """Some outages are otherwise now."""
        for outage in gone:
            del self._outages[outage.school][outage.first_slot]
        for outage in come:
            self._outages[outage.school][outage.first_slot] = outage

    def _note_habit(self, placed: Placed, count: int) -> None:
        habit = habit_of(placed.sighting)
        if habit is None:
            return
        days = self._habits[placed.school, placed.sighting.device]
        counts = days.setdefault(placed.sighting.slot // DAY_SLOTS, [0, 0])
        counts[0 if habit else 1] += count
        if counts == [0, 0]:
            del days[placed.sighting.slot // DAY_SLOTS]


def habit_of(one: Sighting) -> bool | None:
    """Whether the gateway was heard; False where anchors were and it was not; None where nothing can tell."""
    fact = one.fact
    if not isinstance(fact, Round) or not fact.gateway_asked:
        return None
    if fact.gateway_answered:
        return True
    return False if fact.up else None


def _by_number(placed: Placed) -> int:
    return placed.sighting.seq


def _place(row: Sequence[Sighting], slot: int) -> int:
    return bisect.bisect_left(row, slot, key=_slot)


def _slot(one: Sighting) -> int:
    return one.slot
