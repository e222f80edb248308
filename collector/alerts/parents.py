# SPDX-License-Identifier: Apache-2.0
"""Which alarms of schools are held back because one alert stands for all of them?

A parent begins when enough schools went together (`correlation.py`), takes in who follows, and ends when less
than two of them are left; who is left then is told alone. The children stay alarms of their own, and the
ledger of the judge knows nothing of any of this.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from collector.alerts.alarm import Alarm, turned
from collector.alerts.alarms import Alarms
from collector.alerts.correlation import LABELS, Group, groups
from collector.alerts.event import new_alert
from collector.alerts.fleet import Fleet
from collector.alerts.rule import Rule
from collector.alerts.silence import SILENT, US, quiet_schools
from collector.registry import School

_KINDS = ("outage", SILENT)
_LEAST_LEFT = 2
Own = Sequence[Alarm]
"""Alarms of one school: an outage is one, a silence one of each device."""


@dataclass(frozen=True, kw_only=True)
class Parents:
    """Puts children under parents."""

    alarms: Alarms
    rules: Mapping[str, Rule]

    def note(self, fleet: Fleet, now_ms: int, *, is_us: bool = False) -> None:
        """Free who lost a parent, let who follows join, begin what begins, end what ends.

        Args:
            fleet: who is where.
            now_ms: wall clock.
            is_us: whether no school is to be called silent now, nor many of them.
        """
        self._free_orphans()
        for kind in _KINDS:
            if not (is_us and kind == SILENT):
                self._gather(kind, fleet, now_ms)
        for parent in self._living():
            self._end_if_few(parent, now_ms)

    def children(self, parent: Alarm) -> list[Alarm]:
        """Alarms that a parent stands for, those that began first in front."""
        found = self.alarms.bad(self.rules[parent.rule].children)
        if parent.rule != US:
            found = [a for a in found if parent.alert is not None and a.parent == parent.alert]
        return sorted(found, key=lambda a: (a.since_ms or 0, a.subject))

    def _living(self) -> list[Alarm]:
        named = [f"{label}_{kind}" for kind in _KINDS for label in LABELS]
        return [alarm for name in named if name in self.rules for alarm in self.alarms.bad(name)]

    def _free_orphans(self) -> None:
        """Whose parent is no more: its rule was switched off, or what was stored of it is unreadable."""
        living = {parent.alert for parent in self._living()}
        for alarm in self.alarms.awake():
            if alarm.parent is not None and alarm.parent not in living:
                self.alarms.set(replace(alarm, parent=None))

    def _gather(self, kind: str, fleet: Fleet, now_ms: int) -> None:
        free = self._free(kind, fleet)
        for school_id in list(free):
            parent = self._standing(kind, fleet.schools[school_id])
            if parent is not None:
                self._put_under(free.pop(school_id), parent)
        if not free:
            return
        since = {school_id: min(a.since_ms or now_ms for a in own) for school_id, own in free.items()}
        for group in groups(since, self._reporting(fleet), fleet.schools):
            if f"{group.label}_{kind}" in self.rules:
                self._begin(kind, group, [a for school_id in group.members for a in free[school_id]], now_ms)

    def _free(self, kind: str, fleet: Fleet) -> dict[str, Own]:
        """Bad alarms without a parent, by school; told ones too, for they may be the first of many."""
        quiet = quiet_schools(self.alarms, fleet) if kind == SILENT else None
        found: dict[str, list[Alarm]] = {}
        for alarm in self.alarms.bad(kind):
            is_whole = quiet is None or alarm.school in quiet
            if alarm.parent is None and is_whole and not fleet.is_quiet(alarm):
                found.setdefault(alarm.school, []).append(alarm)
        return dict(found)

    def _reporting(self, fleet: Fleet) -> set[str]:
        """Schools of which something was heard lately."""
        listening = [a for a in self.alarms.of(SILENT) if a.subject in fleet.at]
        return {fleet.at[a.subject] for a in listening if not a.is_bad}

    def _standing(self, kind: str, school: School) -> Alarm | None:
        """A parent that a school could join."""
        for label in LABELS:
            parent = self.alarms.get(f"{label}_{kind}", getattr(school, label))
            if parent is not None and parent.rule in self.rules and parent.is_bad and parent.alert:
                return parent
        return None

    def _begin(self, kind: str, group: Group, own: Own, now_ms: int) -> None:
        rule = f"{group.label}_{kind}"
        before = self.alarms.get(rule, group.name) or Alarm(rule=rule, subject=group.name)
        since_ms = min(a.since_ms or now_ms for a in own)
        begun = turned(before, is_bad=True, since_ms=since_ms, now_ms=now_ms)
        self._put_under(own, self.alarms.set(replace(begun, alert=before.alert or new_alert())))

    def _put_under(self, own: Iterable[Alarm], parent: Alarm) -> None:
        for alarm in own:
            self.alarms.set(replace(alarm, parent=parent.alert))

    def _end_if_few(self, parent: Alarm, now_ms: int) -> None:
        left = self.children(parent)
        if len({a.school for a in left}) >= _LEAST_LEFT:
            return
        for alarm in left:
            self.alarms.set(replace(alarm, parent=None))
        self.alarms.set(turned(parent, is_bad=False, since_ms=now_ms, now_ms=now_ms))
