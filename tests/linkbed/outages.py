# SPDX-License-Identifier: Apache-2.0
"""Which outages are played on the bed, and how far is what the watcher tells of each from the truth?"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tests.linkbed import place
from tests.linkbed.bed import Bed
from tests.linkbed.change import Link
from tests.linkbed.watching import Dead, Told, Watching, script, silence, stream

LEAD_S = 8.0
"""Until the hops are found, on the slowest link."""

PAUSE_S = 5.5
_INTERFACES = ("cable", "gateway", "modem")
_NEAR_S = 4.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scripted outage; `cause` is None for what is none."""

    name: str
    places: tuple[str, ...]
    cause: str | None
    lasts_s: float = 5.3
    pause_s: float = PAUSE_S


ALL = (
    Scenario("cable of the device", ("cable",), "lan"),
    Scenario("router dead", ("gateway",), "gateway"),
    Scenario("modem dead", ("modem",), "modem"),
    Scenario("line dead, both ways", ("line",), "line"),
    Scenario("only up dead", ("up",), "line"),
    Scenario("only down dead", ("down",), "line"),
    Scenario("operator dead behind its first hop", ("operator",), "operator"),
    Scenario("all anchors dead, operator well", place.ANCHORS, "upstream"),
    Scenario("one anchor dead", place.ANCHORS[:1], None),
    Scenario("names dead", ("dns",), "dns", lasts_s=8.3),
    Scenario("flapping 1", ("line",), "line", lasts_s=5.1, pause_s=2.6),
    Scenario("flapping 2", ("line",), "line", lasts_s=5.2, pause_s=2.9),
    Scenario("flapping 3", ("line",), "line", lasts_s=6.3),
    Scenario("2 s, line", ("line",), "line", lasts_s=2.1),
    Scenario("2 s, operator", ("operator",), "operator", lasts_s=2.2),
    Scenario("3 s, down", ("down",), "line", lasts_s=3.1),
    Scenario("20 s, modem", ("modem",), "modem", lasts_s=20.3),
)
_FEW = {"router dead", "2 s, line", "one anchor dead", "all anchors dead, operator well"}
FEW = tuple(s for s in ALL if s.name in _FEW)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A scenario, its truth, and what was told of it; times in seconds from the begin of the script."""

    scenario: Scenario
    truth: Dead
    told: tuple[Told, ...]
    begin_s: float

    @property
    def last(self) -> Told | None:
        """What holds of it in the end."""
        return self.told[-1] if self.told else None

    @property
    def is_right(self) -> bool:
        """Whether it was found with its cause, or was none and nothing was told."""
        if self.scenario.cause is None:
            return not self.told
        return self.last is not None and self.last.is_closed and self.last.cause == self.scenario.cause

    @property
    def begin_error_s(self) -> float | None:
        return None if self.last is None else self.last.opened_s - self.begin_s - self.truth.from_s

    @property
    def end_error_s(self) -> float | None:
        if self.last is None or self.last.closed_s is None:
            return None
        return self.last.closed_s - self.begin_s - self.truth.until_s


def play(scenarios: Sequence[Scenario], link: Link, **options: Any) -> tuple[list[Found], list[Told]]:
    """Play them one after the other; what was found of each, and what was told of nothing that happened."""
    with Bed() as bed:
        bed.apply(link)
        watching = Watching(bed, **options)
        time.sleep(LEAD_S)
        dead = _timetable(scenarios)
        with stream(bed) as sent:
            begin_s = script(bed, [Dead(p, d.from_s, d.until_s) for s, d in dead for p in s.places])
            time.sleep(dead[-1][1].until_s + PAUSE_S)
        told = watching.stop()
    relative = [(at_s - begin_s, None if back_s is None else back_s - begin_s) for at_s, back_s in sent]
    numbers = {t.number: next(u for u in reversed(told) if u.number == t.number) for t in told}
    taken: set[int] = set()
    found = []
    for scenario, scripted in dead:
        is_interface = scenario.places[0] in _INTERFACES
        truth = silence(relative, scripted) if is_interface else scripted
        near = [n for n, t in numbers.items() if n not in taken and _overlaps(t, truth, begin_s)][:1]
        taken |= set(near)
        mine = tuple(t for t in told if t.number in near)
        found.append(Found(scenario=scenario, truth=truth, told=mine, begin_s=begin_s))
    return found, [t for n, t in numbers.items() if n not in taken]


def _timetable(scenarios: Sequence[Scenario]) -> list[tuple[Scenario, Dead]]:
    at_s, table = 1.5, []
    for scenario in scenarios:
        table.append((scenario, Dead(scenario.places[0], at_s, at_s + scenario.lasts_s)))
        at_s += scenario.lasts_s + scenario.pause_s
    return table


def _overlaps(told: Told, truth: Dead, begin_s: float) -> bool:
    closed_s = told.opened_s if told.closed_s is None else told.closed_s
    return told.opened_s - begin_s < truth.until_s + 0.5 and closed_s - begin_s > truth.from_s - 0.5
