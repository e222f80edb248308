# SPDX-License-Identifier: Apache-2.0
"""A fleet, an engine and a clock, to be driven minute by minute."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from collector.alerts.alarm import Alarm
from collector.alerts.engine import Engine
from collector.alerts.event import AlertEvent
from collector.alerts.fleet import Fleet
from collector.alerts.hours import Hours
from collector.alerts.rule import read_rules
from collector.alerts.sign import Sign
from collector.registry import School

MINUTE_MS = 60_000
START_MS = 1_800_000_000_000 // MINUTE_MS * MINUTE_MS


def fleet(operators: Mapping[str, int], region: str = "") -> dict[str, School]:
    """So many schools of each operator, with one device each."""
    ids = [(f"{name}-{n}", name) for name, count in operators.items() for n in range(count)]
    return {i: School(id=i, name=f"school {i}", operator=name, region=region or f"r-{i}") for i, name in ids}


def device(school: str) -> str:
    """What stands there."""
    return f"{school}-pi"


class Day:
    """Everything is up until it is told otherwise."""

    def __init__(
        self, schools: dict[str, School], hours: Hours | None = None, **rules: dict[str, object]
    ) -> None:
        self.schools = schools
        self.now_ms = START_MS
        self.told: list[AlertEvent] = []
        self.rules, self._hours = read_rules(rules), hours
        self.engine = Engine(self.rules, hours=hours, now_ms=self.now_ms)
        self.stored: dict[str, str] = {}
        self.is_muted: Callable[[School], bool] = lambda _: False
        self.removed: set[str] = set()
        self._journal: list[tuple[int, list[Sign]]] = []

    def fleet(self) -> Fleet:
        """As the registry says now."""
        kept = {s: school for s, school in self.schools.items() if s not in self.removed}
        return Fleet(schools=kept, at={device(s): s for s in kept}, is_muted=self.is_muted)

    def minute(
        self,
        down: Iterable[str] = (),
        *,
        silent: Iterable[str] = (),
        times: int = 1,
        figures: Mapping[str, float] | None = None,
    ) -> list[AlertEvent]:
        """So many minutes in which these are down, these say nothing, and all have these figures."""
        before = len(self.told)
        down, silent = set(down), set(silent)
        for _ in range(times):
            self.now_ms += MINUTE_MS
            for school in self.schools:
                if school not in silent:
                    self.hear(self.signs(school, figures or {}, is_down=school in down))
            self.look()
        return self.told[before:]

    def hear(self, signs: list[Sign]) -> None:
        """Signs of now; they stand in the journal."""
        self._journal.append((self.now_ms, signs))
        self.engine.take(signs, self.now_ms)

    def signs(self, school: str, figures: Mapping[str, float], *, is_down: bool) -> list[Sign]:
        """What one school says in a minute."""
        own, at_ms = device(school), self.now_ms
        return [
            Sign("heard", school, at_ms, 0, device=own),
            Sign("down", school, at_ms, float(is_down), "down_provider" if is_down else None),
            *(Sign(name, school, at_ms, value, device=own) for name, value in figures.items()),
        ]

    def look(self) -> list[AlertEvent]:
        """As each few seconds."""
        events = list(self.engine.tick(self.now_ms, self.fleet()))
        changed, self.engine.alarms.changed = self.engine.alarms.changed, {}
        self.stored |= {key: json.dumps(dataclasses.asdict(alarm)) for key, alarm in changed.items()}
        self.told += events
        self._journal.clear()
        return events

    def restart(self, *, asleep_min: int = 0, **rules: dict[str, object]) -> None:
        """As after SIGKILL: what was stored is all there is, and the journal after that."""
        if rules:
            self.rules = read_rules(rules)
        self.now_ms += asleep_min * MINUTE_MS
        alarms = [_read(body) for body in self.stored.values()]
        self.engine = Engine(
            self.rules,
            hours=self._hours,
            alarms=alarms,
            now_ms=self.now_ms,
            asleep_ms=asleep_min * MINUTE_MS,
        )
        for came_ms, signs in self._journal:
            self.engine.take(signs, came_ms)

    def until(self, condition: Callable[[int], bool]) -> None:
        """Let the clock go on, with nobody to see it."""
        while not condition(self.now_ms):
            self.now_ms += MINUTE_MS


def _read(body: str) -> Alarm:
    plain: dict[str, Any] = json.loads(body)
    plain["changes"] = tuple(plain["changes"])
    plain["labels"] = tuple((name, value) for name, value in plain["labels"])
    return Alarm(**plain)


def said(events: Iterable[AlertEvent]) -> list[tuple[str, str]]:
    """Rule and state."""
    return [(e.rule, e.state) for e in events]
