# SPDX-License-Identifier: Apache-2.0
"""Which slots does a place's clock show as which local minutes?

Local minutes are counted from 1970-01-01 00:00 of the place's own clock. Where the clock is set forward some
never come; where it is set back some come twice, and belong twice to whatever they belong to.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from collector.sla.slot import DAY_SLOTS, SLOT_S
from collector.sla.slotset import SlotSet, Span

_LOOK_EVERY = 60
"""Slots between two looks; no clock was ever set and set again within the hour."""
_AROUND = DAY_SLOTS + 120
"""No zone is further from UTC, not even while it moved across the date line."""
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Stretch:
    """Slots during which the clock is not set: local minute = slot + `ahead`."""

    first: int
    end: int
    ahead: int


def minute_of(day: dt.date) -> int:
    """Local minute at which a day begins."""
    return (day.toordinal() - _EPOCH_DAY) * DAY_SLOTS


def day_of(slot: int, zone: dt.tzinfo) -> dt.date:
    """The date that the clock shows in a slot."""
    return dt.date.fromordinal((slot + _ahead(slot, zone)) // DAY_SLOTS + _EPOCH_DAY)


def slots_of(minutes: Iterable[Span], zone: dt.tzinfo) -> SlotSet:
    """The slots in which the clock shows one of these local minutes."""
    wanted = SlotSet.of(minutes).spans
    if not wanted:
        return SlotSet()
    found: list[Span] = []
    for stretch in stretches(wanted[0][0] - _AROUND, wanted[-1][1] + _AROUND, zone):
        shown = SlotSet(wanted).within(stretch.first + stretch.ahead, stretch.end + stretch.ahead)
        found += [(first - stretch.ahead, end - stretch.ahead) for first, end in shown.spans]
    return SlotSet.of(found)


@functools.lru_cache(maxsize=4096)
def days(first: dt.date, last: dt.date, zone: dt.tzinfo) -> SlotSet:
    """The slots of the days from `first` up to and including `last`, by the clock of the place."""
    return slots_of([(minute_of(first), minute_of(last) + DAY_SLOTS)], zone)


def stretches(first: int, end: int, zone: dt.tzinfo) -> Iterator[Stretch]:
    """The slots from `first` up to `end`, cut where the clock is set."""
    begun, ahead = first, _ahead(first, zone)
    for looked in (*range(first + _LOOK_EVERY, end, _LOOK_EVERY), end):
        if _ahead(looked, zone) != ahead:
            set_at = _first_other(looked - _LOOK_EVERY, looked, zone)
            yield Stretch(begun, set_at, ahead)
            begun, ahead = set_at, _ahead(looked, zone)
    yield Stretch(begun, end, ahead)


def _first_other(low: int, high: int, zone: dt.tzinfo) -> int:
    """The first slot after `low` with another offset, given that `high` has one."""
    before = _ahead(low, zone)
    while high - low > 1:
        middle = (low + high) // 2
        if _ahead(middle, zone) == before:
            low = middle
        else:
            high = middle
    return high


def _ahead(slot: int, zone: dt.tzinfo) -> int:
    """Whole minutes that the clock is ahead of UTC."""
    offset = dt.datetime.fromtimestamp(slot * SLOT_S, zone).utcoffset()
    return 0 if offset is None else round(offset.total_seconds()) // SLOT_S
