# SPDX-License-Identifier: Apache-2.0
"""How far is what the watcher tells of each outage played on the bed from the truth?"""

from __future__ import annotations

import concurrent.futures
import functools
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.linkbed.bed import Bed
from tests.linkbed.change import Link
from tests.linkbed.outages.scenarios import ALL, DROPS_ECHOES, LINKS, PAUSE_S, Line, Scenario
from tests.linkbed.program import compiled
from tests.linkbed.watching import STREAM_ID, Dead, Told, Watching, script, silence, stream

LEAD_S = 8.0
"""Until the hops are found, on the slowest link."""
FOUND_OUT_S = 12.0
"""Until the watch has found out that no echo is answered."""

_INTERFACES = ("cable", "gateway", "modem")


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


@dataclass(frozen=True, slots=True)
class Played:
    """What was found of each scenario, and what was told of nothing that happened."""

    found: tuple[Found, ...]
    imagined: tuple[Told, ...]


def play_all(lines: Sequence[Line] = tuple(LINKS)) -> Mapping[Line, Played]:
    """Play every scenario on each of these lines, on all of them at once."""
    compiled()
    with concurrent.futures.ThreadPoolExecutor(max_workers=len(lines)) as pool:
        playing = {
            line: pool.submit(
                functools.partial(
                    play, ALL, LINKS[line], drops_echoes=line in DROPS_ECHOES, profile=line.profile
                )
            )
            for line in lines
        }
    return {line: future.result() for line, future in playing.items()}


def play(scenarios: Sequence[Scenario], link: Link, *, drops_echoes: bool = False, **options: Any) -> Played:
    """Play them one after the other."""
    with Bed() as bed:
        bed.apply(link)
        if drops_echoes:
            drop_echoes(bed)
        watching = Watching(bed, **options)
        time.sleep(LEAD_S + (FOUND_OUT_S if drops_echoes else 0.0))
        dead = _timetable(scenarios)
        with stream(bed) as sent:
            begin_s = script(bed, [Dead(p, d.from_s, d.until_s) for s, d in dead for p in s.places])
            time.sleep(dead[-1][1].until_s + PAUSE_S)
        told = watching.stop()
    relative = [(at_s - begin_s, None if back_s is None else back_s - begin_s) for at_s, back_s in sent]
    truths = [(s, silence(relative, d) if s.places[0] in _INTERFACES else d) for s, d in dead]
    return _compared(truths, told, begin_s)


def drop_echoes(bed: Bed) -> None:
    """Echo requests get no answer any more, but for those of the stream that tells the truth."""
    chain = "add chain ip anchors heard { type filter hook input priority 0; }"
    rule = f"add rule ip anchors heard icmp type echo-request icmp id != {STREAM_ID} drop"
    for line in ("add table ip anchors", chain, rule):
        bed.run("internet", ["nft", line])


def _timetable(scenarios: Sequence[Scenario]) -> list[tuple[Scenario, Dead]]:
    at_s, table = 1.5, []
    for scenario in scenarios:
        table.append((scenario, Dead(scenario.places[0], at_s, at_s + scenario.lasts_s)))
        at_s += scenario.lasts_s + scenario.pause_s
    return table


def _compared(truths: Sequence[tuple[Scenario, Dead]], told: Sequence[Told], begin_s: float) -> Played:
    """Each outage told belongs to the first scenario it overlaps of which nothing else was told."""
    left = {t.number: t for t in told}
    found = []
    for scenario, truth in truths:
        near = next((n for n, t in left.items() if _overlaps(t, truth, begin_s)), None)
        left.pop(near or 0, None)
        mine = tuple(t for t in told if t.number == near)
        found.append(Found(scenario=scenario, truth=truth, told=mine, begin_s=begin_s))
    return Played(tuple(found), tuple(left.values()))


def _overlaps(told: Told, truth: Dead, begin_s: float) -> bool:
    closed_s = told.opened_s if told.closed_s is None else told.closed_s
    return told.opened_s - begin_s < truth.until_s + 0.5 and closed_s - begin_s > truth.from_s - 0.5
