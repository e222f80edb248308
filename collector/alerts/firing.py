# SPDX-License-Identifier: Apache-2.0
"""What fires now, and who takes care of it, for people who look?"""

from __future__ import annotations

from dataclasses import dataclass, replace

from collector.alerts.alarm import Alarm
from collector.alerts.event import SEVERITIES, Severity
from collector.alerts.notice import sentence
from collector.alerts.rule import Rule
from collector.alerts.telling import Teller


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """One alert that was told and is not over.

    Attributes:
        about: a device, an operator or a region; empty where it is the school itself.
        school: the school's id; empty where it is about many.
        schools: how many it is about.
        since_ms: as it was told.
        owner: who takes care of it, until `owned_until_ms`; None while nobody does.
    """

    alert: str
    rule: str
    severity: Severity
    says: str
    about: str
    school: str
    schools: int
    since_ms: int
    flaps: bool
    owner: str | None
    owned_until_ms: int | None


def firing(teller: Teller, now_ms: int) -> tuple[Firing, ...]:
    """All of them: the most severe first, then those that nobody owns, then the newest."""
    told = [_firing(alarm, teller, now_ms) for alarm in teller.alarms.told() if alarm.rule in teller.rules]
    told.sort(key=lambda f: (SEVERITIES.index(f.severity), f.owner is not None, -f.since_ms, f.alert))
    return tuple(told)


def _firing(alarm: Alarm, teller: Teller, now_ms: int) -> Firing:
    rule = teller.rules[alarm.rule]
    is_many, is_owned = rule.of == "many", alarm.is_owned(now_ms)
    return Firing(
        alert=alarm.alert or alarm.key,
        rule=alarm.rule,
        severity=rule.severity,
        says=_says(alarm, rule),
        about=alarm.subject if rule.of != "school" else "",
        school="" if is_many else alarm.school,
        schools=int(teller.count(alarm)) if is_many else 1,
        since_ms=alarm.began_ms or alarm.since_ms or now_ms,
        flaps=alarm.flaps,
        owner=alarm.owner if is_owned else None,
        owned_until_ms=alarm.acknowledged_until_ms if is_owned else None,
    )


def _says(alarm: Alarm, rule: Rule) -> str:
    """A figure of many is a count, which no sentence holds."""
    return sentence(replace(alarm, value=None) if rule.of == "many" else alarm, rule)
