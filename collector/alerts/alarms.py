# SPDX-License-Identifier: Apache-2.0
"""Which alarms are there, which of them need a look now, and which are to be stored?

Of a large fleet nearly all are at rest; a look costs what is not.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace

from collector.alerts.alarm import Alarm

_PULSE = ("seen_ms", "heard_ms", "value", "cause")
"""What changes with every sign and can be known from the next ones."""


class Alarms:
    """All of them, by rule and subject."""

    def __init__(self, alarms: Iterable[Alarm] = ()) -> None:
        self._by_rule: dict[str, dict[str, Alarm]] = {}
        self._awake: dict[str, Alarm] = {}
        self.changed: dict[str, Alarm] = {}
        """To be stored; whoever stored them empties it."""
        for alarm in alarms:
            self._put(alarm)

    def get(self, rule: str, subject: str) -> Alarm | None:
        """One of them."""
        return self._by_rule.get(rule, {}).get(subject)

    def of(self, rule: str) -> list[Alarm]:
        """All of a rule."""
        return list(self._by_rule.get(rule, {}).values())

    def awake(self) -> list[Alarm]:
        """Those that are not at rest."""
        return list(self._awake.values())

    def bad(self, rule: str) -> list[Alarm]:
        """Those of a rule that are bad."""
        return [alarm for alarm in self._awake.values() if alarm.rule == rule and alarm.is_bad]

    def told(self) -> list[Alarm]:
        """What was told to fire and is not over."""
        return [alarm for alarm in self._awake.values() if alarm.is_told]

    def set(self, after: Alarm) -> Alarm:
        """An alarm is this from now on."""
        before = self.get(after.rule, after.subject)
        if after is not before:
            self._put(after)
            if _is_worth_storing(before, after):
                self.changed[after.key] = after
        return after

    def _put(self, alarm: Alarm) -> None:
        self._by_rule.setdefault(alarm.rule, {})[alarm.subject] = alarm
        if not alarm.is_at_rest:
            self._awake[alarm.key] = alarm
        elif self._awake:
            self._awake.pop(alarm.key, None)

    def __iter__(self) -> Iterator[Alarm]:
        return itertools.chain.from_iterable(of.values() for of in self._by_rule.values())


def _is_worth_storing(before: Alarm | None, after: Alarm) -> bool:
    """Whether it would be missed; that a school was never heard of is known from its silence."""
    if before is None:
        return after.rule == "silent" or after.against > 0 or not after.is_at_rest
    return replace(before, **{name: getattr(after, name) for name in _PULSE}) != after
