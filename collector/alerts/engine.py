# SPDX-License-Identifier: Apache-2.0
"""Which events follow from the signs of all schools? No clock, no storage, no network.

`take` keeps up with what is heard; `tick`, each few seconds, decides what is told:

1. Who fell silent, and whether it is us who hears nobody (`silence.py`).
2. What stands for many (`correlation.py`, `parents.py`).
3. What is told now, what later, what is over (`telling.py`), and of the night (`digest.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from collector.alerts.alarm import Alarm, advance, over, woken
from collector.alerts.alarms import Alarms
from collector.alerts.digest import digests
from collector.alerts.event import AlertEvent
from collector.alerts.firing import Firing, firing
from collector.alerts.fleet import Fleet
from collector.alerts.hours import Hours
from collector.alerts.notice import notice
from collector.alerts.parents import Parents
from collector.alerts.rule import RULES, Rule, Subject
from collector.alerts.sign import Sign
from collector.alerts.silence import SILENT, US, note_silence, note_us
from collector.alerts.telling import Teller

GROUP_WAIT_MS = 90_000


class Engine:
    """All alarms, and what is to be told of them.

    Args:
        rules: by name.
        hours: when people may be called; None for always.
        alarms: as they were when this was last known.
        now_ms: wall clock.
        asleep_ms: how long nobody listened before that.
        group_wait_ms: how long one that may be one of many waits for the others.
    """

    def __init__(
        self,
        rules: Mapping[str, Rule],
        *,
        hours: Hours | None,
        alarms: Iterable[Alarm] = (),
        now_ms: int = 0,
        asleep_ms: int = 0,
        group_wait_ms: int = GROUP_WAIT_MS,
    ) -> None:
        self._rules = rules
        self._hours = hours
        self._by_figure: dict[str, list[tuple[str, Rule]]] = {}
        for name, rule in rules.items():
            self._by_figure.setdefault(rule.watched, []).append((name, rule))
        self.alarms = Alarms(woken(a, now_ms, asleep_ms) if a.rule == SILENT else a for a in alarms)
        self._parents = Parents(alarms=self.alarms, rules=rules)
        self._teller = Teller(parents=self._parents, hours=hours, group_wait_ms=group_wait_ms)

    def take(self, signs: Iterable[Sign], now_ms: int) -> None:
        """Keep up with what was heard.

        Args:
            signs: of one or several records.
            now_ms: when they came.
        """
        for sign in signs:
            for name, rule in self._by_figure.get(sign.figure, ()):
                subject = sign.device if rule.of == "device" else sign.school
                before = self.alarms.get(name, subject) or Alarm(rule=name, subject=subject)
                self.alarms.set(advance(before, rule, sign, now_ms))

    def tick(self, now_ms: int, fleet: Fleet) -> Iterator[AlertEvent]:
        """What is to be told now, in order; each as its alarm has changed, so take all that come."""
        note_silence(self.alarms, self._rules.get(SILENT), fleet, now_ms)
        is_us = note_us(self.alarms, self._rules.get(US), fleet, now_ms)
        self._parents.note(fleet, now_ms, is_us=is_us)
        yield from self._retired(now_ms, fleet)
        yield from self._teller.tell(now_ms, fleet, is_us=is_us)
        yield from digests(self.alarms, self._hours, now_ms, fleet)

    def acknowledge(
        self, alert: str, owner: str, until_ms: int, now_ms: int, fleet: Fleet
    ) -> list[AlertEvent]:
        """Somebody takes care of it until then; nothing where no such alert fires."""
        events = []
        for alarm in self.alarms.told():
            if alarm.alert == alert and (alarm.owner, alarm.acknowledged_until_ms) != (owner, until_ms):
                taken = self.alarms.set(replace(alarm, owner=owner, acknowledged_until_ms=until_ms))
                events.append(self._teller.say(taken, "acknowledged", now_ms, fleet))
        return events

    def firing(self, now_ms: int) -> tuple[Firing, ...]:
        """What was told and is not over, for people who look."""
        return firing(self._teller, now_ms)

    def _retired(self, now_ms: int, fleet: Fleet) -> Iterator[AlertEvent]:
        """What a rule told that was switched off since is over."""
        for alarm in self.alarms.awake():
            if alarm.rule in self._rules:
                continue
            if alarm.is_told:
                yield notice(alarm, _former(alarm), "resolved", now_ms=now_ms, fleet=fleet)
            self.alarms.set(replace(over(alarm), night_ms=None))


def _former(alarm: Alarm) -> Rule:
    """The rule that it was; of one's own that is no more only the name is left."""
    kind: Subject = "school" if alarm.subject == alarm.school else "device"
    return RULES.get(alarm.rule) or Rule(sentence=alarm.rule.replace("_", " "), of=kind)
