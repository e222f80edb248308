# SPDX-License-Identifier: Apache-2.0
"""What does it mean that nothing was measured in a slot? What the device says when it is back decides.

Between two neighbouring sightings of a device lies a silence. Same session: records are missing, or hardly
one is and the agent hung. Another session of the same boot: the agent was away. Another boot: the power was.
Only for as long as the device says it was; before that it lived, and its records are to come, or lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from collector.sla.book import Evidences
from collector.sla.rule import NUMBERS
from collector.sla.sighting import Sighting, Start
from collector.sla.slot import SLOT_MS, slot_of

HUNG_SLOTS = 15
"""An agent that lives says something at least each ten minutes."""

_NUMBERS_PER_SLOT = 1 / 3
"""One that lives uses up at least one number in three minutes, whatever becomes of its records."""

_STRENGTH = [
    "silence",
    "elsewhere",
    "clock_stepped",
    "records_missing",
    "agent_hung",
    "agent_restarted",
    "agent_stopped",
    "rebooted",
    "shut_down",
    "power_cut",
    "not_asked",
]
"""Of what several devices of one school say the last counts: one that lives is proof that there was power."""
_RANK = {NUMBERS[name]: i for i, name in enumerate(_STRENGTH)}


class Silence(NamedTuple):
    """Slots, both inclusive, and the rule that they fall under for one device."""

    first: int
    last: int
    rule: int


class Away(NamedTuple):
    """From when to when nobody measured, by the device's own word, and why; None is not known."""

    from_ms: int | None
    to_ms: int | None
    rule: str


def explain(book: Evidences, school: str, seen: Iterable[Sighting], first: int, last: int) -> list[Silence]:
    """Why nothing was measured, for the slots from `first` to `last`; the weakest reasons first.

    `seen` are the sightings of these slots, ascending; slots of which nothing is returned are just silent.
    """
    by_device: dict[str, list[Sighting]] = {device: [] for device in book.devices(school)}
    for sighting in seen:
        by_device[sighting.device].append(sighting)
    found: list[Silence] = []
    for device, within in by_device.items():
        around = (book.before(school, device, first), *within, book.after(school, device, last))
        found += _of_device(book, school, [one for one in around if one is not None])
    found = [Silence(max(first, s.first), min(last, s.last), s.rule) for s in found]
    return sorted((s for s in found if s.first <= s.last), key=lambda s: _RANK[s.rule])


def starts_of(book: Evidences, school: str, before: Sighting, after: Sighting) -> Sequence[Sighting]:
    """What the agent says, in the session of `after`, of how it ended before.

    It says nothing where the session did not begin here: numbers before these are still to come, or lost.
    """
    first = book.first_of(after.device, after.session)
    begins_here = first is not None and (first.school, first.sighting.slot) == (school, after.slot)
    return book.starts(after.device, after.session) if begins_here and before.session != after.session else ()


def away_of(starts: Sequence[Sighting], before: Sighting, after: Sighting) -> Away:
    """From when to when nobody measured."""
    is_new_boot = before.boot != after.boot
    if not starts:
        return _untold(after, is_new_boot=is_new_boot)
    events = {s.fact.event for s in starts if type(s.fact) is Start}
    started = min(starts)
    origin_ms = started.at_ms
    if is_new_boot:
        rule = "power_cut" if events & {"power_cut", "unclean_shutdown"} else "shut_down"
        origin_ms -= started.mono_ms
    else:
        rule = "agent_stopped"
    lasted = [s.fact.lasted_ms for s in starts if type(s.fact) is Start and s.fact.lasted_ms is not None]
    return Away(origin_ms - max(lasted) if lasted else None, started.at_ms, rule)


def _of_device(book: Evidences, school: str, row: Sequence[Sighting]) -> Iterator[Silence]:
    """What neighbouring sightings of one device say of the slots that they lie in, and of those between."""
    not_asked = NUMBERS["not_asked"]
    for one, other in pairwise(row):
        yield Silence(one.slot, min(one.last_slot, other.slot), not_asked)
        if other.slot - one.last_slot > 1:
            yield from _between(book, school, one, other)
    for one in row[-1:]:
        yield Silence(one.slot, one.last_slot, not_asked)


def _between(book: Evidences, school: str, one: Sighting, other: Sighting) -> Iterator[Silence]:
    """What lies between two neighbouring sightings of a device at a school."""
    first, last = one.last_slot + 1, other.slot - 1
    if book.is_elsewhere(school, one.device, first, last):
        yield Silence(first, last, NUMBERS["elsewhere"])
    elif one.session == other.session:
        yield Silence(first, last, NUMBERS[_same_session(one, other)])
    else:
        yield from _away(away_of(starts_of(book, school, one, other), one, other), first, last)


def _same_session(one: Sighting, other: Sighting) -> str:
    slots = other.slot - one.last_slot - 1
    by_wall_ms, by_mono_ms = other.at_ms - one.at_ms, other.mono_ms - one.mono_ms
    if abs(by_wall_ms - by_mono_ms) > SLOT_MS:
        return "clock_stepped"
    if abs(other.seq - one.seq) - 1 >= slots * _NUMBERS_PER_SLOT:
        return "records_missing"
    return "agent_hung" if slots >= HUNG_SLOTS else "not_asked"


def _away(away: Away, first: int, last: int) -> Iterator[Silence]:
    """Before the absence and behind it the agent lived: what it measured then is not here."""
    begin = first if away.from_ms is None else max(first, slot_of(away.from_ms))
    end = last if away.to_ms is None else min(last, slot_of(away.to_ms))
    yield Silence(first, min(last, begin - 1), NUMBERS["records_missing"])
    yield Silence(begin, end, NUMBERS[away.rule])
    yield Silence(max(begin, end + 1), last, NUMBERS["records_missing"])


def _untold(after: Sighting, *, is_new_boot: bool) -> Away:
    """Without a word of the start: it is not here yet, or lost, and so may be what came behind it."""
    is_first = after.seq == 1
    if is_new_boot:
        return Away(None, after.at_ms - (0 if is_first else after.mono_ms), "rebooted")
    return Away(None, after.at_ms, "agent_restarted") if is_first else Away(None, None, "records_missing")
