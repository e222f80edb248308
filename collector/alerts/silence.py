# SPDX-License-Identifier: Apache-2.0
"""Who fell silent, and is it perhaps us who hears nobody?

When more than half of the schools of every operator are silent, that is probably the collector, its broker or
its line. It is told instead, and no school is called silent: not while it lasts, not while it begins, and not
until the devices had the time to come back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping

from collector.alerts.alarm import Alarm, fell_silent, turned
from collector.alerts.alarms import Alarms
from collector.alerts.correlation import LEAST_SCHOOLS, together
from collector.alerts.fleet import Fleet
from collector.alerts.rule import Rule

SILENT, US, ALL = "silent", "collector_degraded", "all"
BACK_MS = 300_000
"""So long after it was us the devices have to come back."""
_MOST_SHARE = 0.5


def note_silence(alarms: Alarms, rule: Rule | None, fleet: Fleet, now_ms: int) -> None:
    """Let time go by for every device that stands somewhere."""
    if rule is None or rule.silent_s is None:
        return
    for alarm in alarms.of(SILENT):
        if alarm.subject in fleet.at:
            alarms.set(fell_silent(alarm, rule.silent_s, now_ms))


def quiet_schools(alarms: Alarms, fleet: Fleet) -> dict[str, int]:
    """Since when nothing was heard of a school, by school: none of its devices speaks."""
    since: dict[str, int] = {}
    speaking: set[str] = set()
    for alarm in alarms.of(SILENT):
        school = fleet.at.get(alarm.subject)
        if school is None:
            continue
        if alarm.is_bad:
            since[school] = max(since.get(school, 0), alarm.since_ms or 0)
        else:
            speaking.add(school)
    return {school: since_ms for school, since_ms in since.items() if school not in speaking}


def note_us(alarms: Alarms, rule: Rule | None, fleet: Fleet, now_ms: int) -> bool:
    """Whether no school is to be called silent now; begins and ends the alarm that says so."""
    if rule is None:
        return False
    quiet = quiet_schools(alarms, fleet)
    counted = _counted(alarms, fleet)
    is_us = _is_us(quiet, counted, fleet)
    before = alarms.get(US, ALL) or Alarm(rule=US, subject=ALL)
    if is_us != before.is_bad:
        since_ms = min(quiet.values(), default=now_ms) if is_us else now_ms
        before = alarms.set(turned(before, is_bad=is_us, since_ms=since_ms, now_ms=now_ms))
    was_us = before.since_ms is not None and now_ms - before.since_ms < BACK_MS
    return is_us or was_us or (bool(quiet) and _is_us({**_soon(alarms, fleet), **quiet}, counted, fleet))


def _counted(alarms: Alarms, fleet: Fleet) -> list[str]:
    """Schools that were heard of, without those of whom people know already that they are silent."""
    known = {a.school for a in alarms.bad(SILENT) if a.is_told or a.parent is not None}
    heard = {fleet.at[a.subject] for a in alarms.of(SILENT) if a.subject in fleet.at} - known
    return [s for s in heard if s in fleet.schools and not fleet.is_muted(fleet.schools[s])]


def _soon(alarms: Alarms, fleet: Fleet) -> dict[str, int]:
    """Who is on the way to being silent: nothing was heard for a third of the time."""
    return {
        fleet.at[a.subject]: a.quiet_ms
        for a in alarms.of(SILENT)
        if a.quiet_ms is not None and a.subject in fleet.at
    }


def _is_us(quiet: Mapping[str, int], counted: Collection[str], fleet: Fleet) -> bool:
    """Whether more than half of every operator's fell silent within five minutes."""
    gone = set(together(sorted((quiet[school], school) for school in counted if school in quiet)))
    if not gone or len(counted) < LEAST_SCHOOLS:
        return False
    return all(_most(gone, schools) for schools in _by_operator(counted, fleet))


def _by_operator(schools: Collection[str], fleet: Fleet) -> list[list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for school in schools:
        found[fleet.schools[school].operator].append(school)
    return list(found.values())


def _most(gone: Collection[str], schools: Collection[str]) -> bool:
    return sum(school in gone for school in schools) > _MOST_SHARE * len(schools)
