# SPDX-License-Identifier: Apache-2.0
"""Of which alarms are people told now, of which later, and of which not at all?

Told once is told until it is over. Not told yet is what another alert stands for, what is muted, what a
stronger rule says already, what may yet be one of many, and, outside the service hours, what can wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from collector.alerts.alarm import Alarm, calmed, over
from collector.alerts.event import AlertEvent, State, new_alert
from collector.alerts.fleet import Fleet
from collector.alerts.hours import Hours
from collector.alerts.notice import alarm_labels, notice
from collector.alerts.parents import Parents
from collector.alerts.silence import SILENT
from collector.registry import School

UPDATE_EVERY_MS = 300_000
_MAY_BE_MANY = frozenset({"outage", SILENT})


@dataclass(kw_only=True)
class Teller:
    """Decides.

    Attributes:
        hours: when people may be called; None for always.
        group_wait_ms: how long one that may be one of many waits for the others.
    """

    parents: Parents
    hours: Hours | None
    group_wait_ms: int
    _updated_ms: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.alarms, self.rules = self.parents.alarms, self.parents.rules

    def tell(self, now_ms: int, fleet: Fleet, *, is_us: bool) -> Iterator[AlertEvent]:
        """What is to be told now; alarms of schools before those of many, which count them."""
        awake = [alarm for alarm in self.alarms.awake() if alarm.rule in self.rules]
        many = [alarm for alarm in awake if self.rules[alarm.rule].of == "many"]
        for alarm in many:
            yield from self._of_many(alarm, now_ms, fleet)
        for alarm in awake:
            if self.rules[alarm.rule].of != "many":
                yield from self._of_one(alarm, now_ms, fleet, is_us=is_us)

    def _of_one(self, alarm: Alarm, now_ms: int, fleet: Fleet, *, is_us: bool) -> Iterator[AlertEvent]:
        rule = self.rules[alarm.rule]
        alarm = self.alarms.set(calmed(alarm, now_ms))
        school = fleet.school(alarm, is_device=rule.of == "device")
        if not alarm.fires or school is None:
            yield from self._end(alarm, now_ms, fleet)
        elif alarm.is_told:
            yield from self._note_flapping(alarm, now_ms, fleet)
        elif not self._is_held(alarm, now_ms, fleet, is_us=is_us):
            yield from self._begin(alarm, now_ms, fleet)

    def _is_held(self, alarm: Alarm, now_ms: int, fleet: Fleet, *, is_us: bool) -> bool:
        return (
            alarm.parent is not None
            or fleet.is_quiet(alarm)
            or self._is_said(alarm)
            or (is_us and alarm.rule == SILENT)
            or (alarm.rule in _MAY_BE_MANY and now_ms - max(alarm.changes, default=0) < self.group_wait_ms)
        )

    def _is_said(self, alarm: Alarm) -> bool:
        """Whether a rule that says more fires for the same."""
        stronger = self.rules[alarm.rule].beneath
        found = self.alarms.get(stronger, alarm.subject) or self.alarms.get(stronger, alarm.school)
        return stronger in self.rules and found is not None and found.fires

    def _begin(self, alarm: Alarm, now_ms: int, fleet: Fleet) -> Iterator[AlertEvent]:
        rule = self.rules[alarm.rule]
        if not (rule.always or self.hours is None or self.hours.holds(now_ms)):
            self.alarms.set(replace(alarm, night_ms=alarm.night_ms or now_ms))
            return
        told = replace(
            alarm,
            alert=alarm.alert or new_alert(),
            is_told=True,
            is_flap_told=alarm.flaps,
            began_ms=alarm.began_ms or alarm.since_ms,
            labels=alarm_labels(alarm, rule, self._schools(alarm, fleet)),
        )
        if rule.of == "many":
            told = replace(told, value=self.count(alarm))
            self._updated_ms[alarm.key] = now_ms
        event = self.say(told, "firing", now_ms, fleet)
        self.alarms.set(told)
        yield event

    def _end(self, alarm: Alarm, now_ms: int, fleet: Fleet) -> Iterator[AlertEvent]:
        event = self.say(alarm, "resolved", now_ms, fleet) if alarm.is_told else None
        self.alarms.set(over(alarm))
        if event is not None:
            yield event

    def _note_flapping(self, alarm: Alarm, now_ms: int, fleet: Fleet) -> Iterator[AlertEvent]:
        if alarm.flaps and not alarm.is_flap_told:
            said = self.alarms.set(replace(alarm, is_flap_told=True))
            yield self.say(said, "updated", now_ms, fleet)

    def _of_many(self, alarm: Alarm, now_ms: int, fleet: Fleet) -> Iterator[AlertEvent]:
        alarm = self.alarms.set(calmed(alarm, now_ms))
        if not alarm.fires:
            yield from self._end(alarm, now_ms, fleet)
        elif not alarm.is_told:
            yield from self._begin(alarm, now_ms, fleet)
        else:
            yield from self._note_flapping(alarm, now_ms, fleet)
            yield from self._update(alarm, now_ms, fleet)

    def _update(self, alarm: Alarm, now_ms: int, fleet: Fleet) -> Iterator[AlertEvent]:
        """More schools or less, but not every minute."""
        count = self.count(alarm)
        is_due = now_ms - self._updated_ms.get(alarm.key, 0) >= UPDATE_EVERY_MS
        if alarm.is_bad and count != alarm.value and is_due:
            self._updated_ms[alarm.key] = now_ms
            said = self.alarms.set(replace(alarm, value=count))
            yield self.say(said, "updated", now_ms, fleet)

    def say(self, alarm: Alarm, state: State, now_ms: int, fleet: Fleet) -> AlertEvent:
        """One event of an alarm."""
        rule = self.rules[alarm.rule]
        return notice(alarm, rule, state, now_ms=now_ms, fleet=fleet, affected=self._affected(alarm))

    def _schools(self, alarm: Alarm, fleet: Fleet) -> list[School]:
        about = {a.school for a in self._affected(alarm) or [alarm]}
        return [fleet.schools[school] for school in sorted(about) if school in fleet.schools]

    def count(self, alarm: Alarm) -> float:
        """How many schools one about many stands for."""
        return float(len({a.school for a in self._affected(alarm)}))

    def _affected(self, alarm: Alarm) -> list[Alarm]:
        return self.parents.children(alarm) if self.rules[alarm.rule].of == "many" else []
