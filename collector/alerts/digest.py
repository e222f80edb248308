# SPDX-License-Identifier: Apache-2.0
"""What happened while nobody was to be called? Told once, when the service hours begin.

One digest an operator, so that a hook for one operator gets what is its own and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from collector.alerts.alarm import Alarm
from collector.alerts.alarms import Alarms
from collector.alerts.event import AlertEvent, new_alert, new_id
from collector.alerts.fleet import Fleet
from collector.alerts.hours import Hours
from collector.alerts.notice import affected_school


def digests(alarms: Alarms, hours: Hours | None, now_ms: int, fleet: Fleet) -> Iterator[AlertEvent]:
    """Of all that fired outside the service hours and was not told; what still holds is told for itself."""
    if hours is not None and not hours.holds(now_ms):
        return
    nights: dict[str, list[Alarm]] = defaultdict(list)
    for alarm in alarms.awake():
        if alarm.night_ms is not None:
            school = fleet.schools.get(alarm.school)
            nights[school.operator if school is not None else ""].append(alarm)
            alarms.set(replace(alarm, night_ms=None))
    for operator, night in sorted(nights.items()):
        yield _digest(operator, night, now_ms, fleet)


def _digest(operator: str, night: list[Alarm], now_ms: int, fleet: Fleet) -> AlertEvent:
    night.sort(key=lambda a: (not a.fires, a.night_ms or 0, a.key))
    still = sum(alarm.fires for alarm in night)
    schools = {alarm.school: affected_school(alarm, fleet) for alarm in reversed(night)}
    alert = new_alert()
    return AlertEvent(
        id=new_id(),
        alert=alert,
        group=alert,
        state="digest",
        rule="digest",
        severity="warning",
        at_ms=now_ms,
        starts_at_ms=min(alarm.night_ms or now_ms for alarm in night),
        summary=f"outside hours: {len(night)} alerts at {len(schools)} schools, {still} still hold",
        labels={"operator": operator} if operator else {},
        schools=tuple(reversed(schools.values())),
        details={"rules": dict(_counts(night))},
    )


def _counts(night: list[Alarm]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for alarm in night:
        found[alarm.rule] += 1
    return found
