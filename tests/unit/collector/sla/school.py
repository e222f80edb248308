# SPDX-License-Identifier: Apache-2.0
"""A school, its calendar and its contract, as most tests have them."""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from collector.sla.availability import Classes
from collector.sla.calendar import Calendar, Timetable
from collector.sla.promise import Promise, SchoolContract, Stretch
from collector.sla.slot import SlotClass
from collector.sla.slotset import SlotSet

ALMATY = ZoneInfo("Asia/Almaty")
NONE: tuple[tuple[int, int], ...] = ()
DAYTIME = ((8 * 60, 20 * 60),)
WEEKDAYS = (DAYTIME,) * 5 + (NONE,) * 2
YEAR = dt.date(2026, 9, 1)


def slot(text: str) -> int:
    """The slot of a time with its offset."""
    return int(dt.datetime.fromisoformat(text).timestamp()) // 60


def ms(text: str) -> int:
    """The millisecond of a time with its offset."""
    return round(dt.datetime.fromisoformat(text).timestamp() * 1000)


def calendar(**changed: Any) -> Calendar:
    """08:00 to 20:00 on five days a week, in Almaty."""
    timetable = Timetable(since=changed.pop("since", YEAR), shifts=changed.pop("shifts", WEEKDAYS))
    made: dict[str, Any] = {"id": "kz", "zone": ALMATY, "versions": (timetable,), **changed}
    return Calendar(**made)


def promise(**changed: Any) -> Promise:
    """99 % of that, and 10 Mbit/s."""
    made: dict[str, Any] = {
        "since": YEAR,
        "operator": "op1",
        "technology": "geo",
        "lot": "lot-1",
        "calendar": calendar(),
        "availability": Fraction(99, 100),
        "down_mbps": Fraction(10),
        **changed,
    }
    return Promise(**made)


def contract(*stretches: Stretch, **changed: Any) -> SchoolContract:
    """From September 2026 on, for one year."""
    whole = Stretch(
        first=slot("2026-09-01T00:00+05:00"), end=slot("2027-09-01T00:00+05:00"), promise=promise()
    )
    made: dict[str, Any] = {
        "contract": "c-1",
        "school": "kz-0001",
        "currency": "KZT",
        "region": "turkestan",
        "stretches": stretches or (whole,),
        **changed,
    }
    return SchoolContract(**made)


def classes(first: int, end: int, usual: SlotClass = SlotClass.UP, **other: SlotSet) -> Classes:
    """All of one class, but for the slots named by another: `down_provider=...`."""
    data = bytearray([usual]) * (end - first)
    for name, slots in other.items():
        for at in slots:
            data[at - first] = SlotClass[name.upper()]
    return Classes(first=first, data=bytes(data))
