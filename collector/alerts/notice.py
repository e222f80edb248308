# SPDX-License-Identifier: Apache-2.0
"""How does an alarm become an event that people and other systems understand?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from collector.alerts.alarm import Alarm
from collector.alerts.event import Affected, AlertEvent, State, new_id
from collector.alerts.fleet import Fleet, labels
from collector.alerts.rule import Rule
from collector.registry import School

_MOST_VALUE = 1e15


def notice(
    alarm: Alarm, rule: Rule, state: State, *, now_ms: int, fleet: Fleet, affected: Sequence[Alarm] = ()
) -> AlertEvent:
    """One event of an alarm.

    Args:
        alarm: what it is about; it has an alert and labels.
        rule: of the alarm.
        state: what is told of it.
        now_ms: when.
        fleet: names of schools.
        affected: of one about many, the alarms that it stands for.
    """
    is_over = state == "resolved"
    is_many = rule.of == "many"
    told = affected if is_many else [alarm]
    count = len({a.school for a in told})
    return AlertEvent(
        id=new_id(),
        alert=alarm.alert or alarm.key,
        group=alarm.alert or alarm.key,
        state=state,
        rule=alarm.rule,
        severity=rule.severity,
        at_ms=now_ms,
        starts_at_ms=_began_ms(alarm, told, now_ms),
        ends_at_ms=_ended_ms(alarm, now_ms) if is_over else None,
        summary=_summary(alarm, rule, fleet, count, is_over=is_over),
        labels=dict(alarm.labels),
        schools=tuple(affected_school(a, fleet) for a in told),
        schools_total=int(alarm.value or 0) if is_over and is_many else count,
        details=_details(alarm, rule),
    )


def alarm_labels(alarm: Alarm, rule: Rule, schools: Sequence[School]) -> tuple[tuple[str, str], ...]:
    """What an alarm is told with, to be kept in it: what all its schools have in common."""
    found = [set(labels(school).items()) for school in schools]
    common = dict(sorted(set.intersection(*found))) if found else {}
    if rule.of == "device":
        common["device"] = alarm.subject
    return tuple(common.items())


def affected_school(alarm: Alarm, fleet: Fleet) -> Affected:
    """The school of an alarm, by name."""
    school = fleet.schools.get(alarm.school)
    name = school.name if school is not None else ""
    return Affected(
        school=alarm.school, name=name or None, since_ms=alarm.began_ms or alarm.since_ms, cause=alarm.cause
    )


def sentence(alarm: Alarm, rule: Rule) -> str:
    """What the rule says, with the alarm's figure in it."""
    value = max(-_MOST_VALUE, min(alarm.value or 0.0, _MOST_VALUE))
    return rule.sentence.format(value=value)


def _summary(alarm: Alarm, rule: Rule, fleet: Fleet, count: int, *, is_over: bool) -> str:
    ends = "over: " if is_over else ""
    flaps = " (comes and goes)" if alarm.flaps and not is_over else ""
    if rule.of == "many":
        schools = int(alarm.value or 0) if is_over else count
        return (
            f"{ends}{sentence(replace(alarm, value=None), rule)}: {alarm.subject}, {schools} schools{flaps}"
        )
    school = fleet.schools.get(alarm.school)
    name = (school.name if school is not None else "") or alarm.school
    device = f" ({alarm.subject})" if rule.of == "device" else ""
    cause = f" ({alarm.cause})" if alarm.cause and not is_over else ""
    return f"{name}{device}: {ends}{sentence(alarm, rule)}{cause}{flaps}"


def _details(alarm: Alarm, rule: Rule) -> dict[str, Any]:
    found: dict[str, Any] = {
        "value": alarm.value if rule.of != "many" else None,
        "owner": alarm.owner,
        "owned_until_ms": alarm.acknowledged_until_ms,
        "flaps": alarm.flaps or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _began_ms(alarm: Alarm, told: Sequence[Alarm], now_ms: int) -> int:
    begun = [a.since_ms for a in told if a.since_ms is not None and a.is_bad]
    return alarm.began_ms or min(begun, default=alarm.since_ms or now_ms)


def _ended_ms(alarm: Alarm, now_ms: int) -> int:
    """When it turned good; now where it did not, but its school or rule is no more."""
    return now_ms if alarm.is_bad or alarm.since_ms is None else alarm.since_ms
