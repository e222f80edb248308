# SPDX-License-Identifier: Apache-2.0
"""Whatever happens to a fleet and to the collector, in whatever order: is what is told consistent?

A longer run: SCHOOLPULSE_TEST_ALERT_DAYS=2000.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.alerts.event import AlertEvent
from collector.alerts.hours import read_hours
from tests.unit.collector.alerts.day import MINUTE_MS, Day, fleet

_DAYS = int(os.environ.get("SCHOOLPULSE_TEST_ALERT_DAYS", "20"))
_STEPS = 25
_HOURS = read_hours("mon-sun 08:00-20:00", "Asia/Almaty")
_FIGURES = {"budget_spent_ratio": 1.2, "spool_free_mb": 500, "certificate_left_ratio": 0.9}


class Fate:
    """What happens to a fleet, by chance."""

    def __init__(self, day: Day, seed: int) -> None:
        self.day = day
        self._dice = random.Random(seed)
        self._down: set[str] = set()
        self._silent: set[str] = set()

    def step(self) -> None:
        """Something changes, and some minutes go by."""
        dice, day = self._dice, self.day
        for chance, act in (
            (0.3, self._break),
            (0.2, self._hush),
            (0.1, self._mute),
            (0.1, self._take_away),
            (0.2, self._own),
            (0.2, self._kill),
        ):
            if dice.random() < chance:
                act()
        figures = {name: value * dice.uniform(0, 1.2) for name, value in _FIGURES.items()}
        day.minute(self._down, silent=self._silent, times=dice.choice((1, 2, 3, 6)), figures=figures)
        if dice.random() < 0.3:
            self._unseen()

    def _some(self) -> set[str]:
        names = list(self.day.schools)
        return set(self._dice.sample(names, self._dice.randint(0, len(names))))

    def _break(self) -> None:
        self._down ^= self._some()

    def _hush(self) -> None:
        self._silent ^= self._some()

    def _mute(self) -> None:
        muted = self._some()
        self.day.is_muted = lambda school: school.id in muted

    def _take_away(self) -> None:
        self.day.removed = self._some() if self._dice.random() < 0.5 else set()

    def _own(self) -> None:
        day = self.day
        for alarm in day.engine.alarms.told()[:2]:
            until_ms = day.now_ms + 20 * MINUTE_MS
            owned = day.engine.acknowledge(alarm.alert or "", "Aigerim", until_ms, day.now_ms, day.fleet())
            day.told += owned
        day.look()

    def _kill(self) -> None:
        if self._dice.random() < 0.3:
            day = self.day
            day.restart(asleep_min=self._dice.choice((0, 1, 30, 600)), spool_low={"enabled": self._tossed()})
        else:
            self.day.restart()

    def _tossed(self) -> bool:
        return self._dice.random() < 0.5

    def _unseen(self) -> None:
        """Killed after something was heard and before anybody looked."""
        day = self.day
        day.now_ms += MINUTE_MS
        for school in self._some() - self._silent:
            day.hear(day.signs(school, {}, is_down=school in self._down))
        day.restart()

    def peace(self) -> None:
        """All is well, long enough for everything to end."""
        day = self.day
        day.removed, day.is_muted = set(), lambda _: False
        well = {"budget_spent_ratio": 0.0, "spool_free_mb": 900.0, "certificate_left_ratio": 0.9}
        day.minute(times=110, figures=well)
        if _HOURS is not None:
            day.until(_HOURS.holds)
        day.restart()
        day.minute(times=10, figures=well)


def check(told: Iterable[AlertEvent]) -> int:
    """How many alerts there were, each of them told as it must be."""
    is_open: dict[str, bool] = {}
    ids: set[str] = set()
    for event in told:
        assert event.id not in ids
        ids.add(event.id)
        if event.state == "firing":
            assert event.alert not in is_open, "fires twice"
            is_open[event.alert] = True
        elif event.state != "digest":
            assert is_open.get(event.alert), f"{event.state} without firing, or after the end"
            is_open[event.alert] = event.state != "resolved"
    assert not any(is_open.values()), "left open"
    return len(is_open)


@settings(max_examples=_DAYS)
@given(seed=st.integers(0, 2**32))
def test_no_alert_is_told_twice_or_left_open_or_ended_without_a_beginning(seed: int) -> None:
    dice = random.Random(seed)
    day = Day(
        fleet(
            {f"op{n}": dice.randint(1, 5) for n in range(dice.randint(1, 3))}, region=dice.choice(("", "r"))
        ),
        dice.choice((None, _HOURS)),
    )
    day.minute(times=3)
    fate = Fate(day, seed)
    for _ in range(_STEPS):
        fate.step()
    fate.peace()
    check(day.told)
    fired = {(e.rule, e.alert): e for e in day.told if e.state == "firing"}
    for event in day.told:
        if event.state == "resolved":
            begun = fired[event.rule, event.alert]
            assert event.labels == begun.labels
            assert event.starts_at_ms == begun.starts_at_ms
            assert (event.ends_at_ms or 0) >= event.starts_at_ms


def test_fate_is_not_too_kind_to_tell_anything() -> None:
    """What the property above sees: nearly every rule in nearly every state."""
    seen = set()
    for seed in range(8):
        day = Day(fleet({"op1": 5, "op2": 4}, region="r" if seed % 2 else ""), None if seed % 3 else _HOURS)
        day.minute(times=3)
        fate = Fate(day, seed)
        for _ in range(_STEPS):
            fate.step()
        fate.peace()
        assert check(day.told) > 5
        seen |= {(event.rule, event.state) for event in day.told}
    print(f"\n{len(seen)} kinds of event")
    assert len(seen) > 30
