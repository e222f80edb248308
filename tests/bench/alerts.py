# SPDX-License-Identifier: Apache-2.0
"""What does watching a country cost: 7,378 schools, one reach record each a minute, a look every 5 seconds?

All are well, one operator of five goes down and comes back, then all fall silent. A minute of the fleet is
told as fast as the watchman takes it; its CPU time, storing included, is a share of that minute.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

from agent.contract.kinds import Reach
from agent.contract.record import ClockState, Record
from collector.alerts.options import AlertOptions
from collector.alerts.watchman import Watchman
from collector.registry import Placement, Registry, School
from collector.sinks.base import Measurement
from tests.bench.figure import Figure

SCHOOLS = int(os.environ.get("SCHOOLPULSE_BENCH_SCHOOLS", "7378"))
MINUTES = 5
_OPERATORS, _REGIONS = 5, 17
_BATCH = 100
_LOOKS = 12
_MINUTE_MS = 60_000
_UP = Reach(up=True, hint="up", anchors=3, anchors_up=3)
_DOWN = Reach(up=False, hint="down_provider", anchors=3, anchors_up=0)


class Country:
    """A watchman, all schools, and a clock."""

    def __init__(self, directory: Path) -> None:
        self.now_ms = 1_800_000_000_000
        self.schools = [
            School(id=f"kz-{n}", operator=f"op{n % _OPERATORS}", region=f"r{n % _REGIONS}")
            for n in range(SCHOOLS)
        ]
        registry = Registry.of(self.schools, [Placement(device=s.id, school=s.id) for s in self.schools])
        options = AlertOptions(directory=str(directory))
        self.watchman = Watchman(options, {}, registry, clock_ms=lambda: self.now_ms)
        self.told = 0
        self.longest_look_ms = 0.0
        self._batches = 0

    def minutes(self, down: Collection[str] = (), count: int = MINUTES) -> float:
        """CPU seconds a minute of the fleet."""
        spent_s = 0.0
        for _ in range(count):
            self.now_ms += _MINUTE_MS
            batches = self._minute(down)
            began_s = time.process_time()
            asyncio.run(self._tell(batches))
            spent_s += time.process_time() - began_s
        return spent_s / count

    async def _tell(self, batches: list[list[Measurement]]) -> None:
        every = max(1, len(batches) // _LOOKS)
        for number, batch in enumerate(batches):
            self._batches += 1
            await self.watchman.write_at(batch, f"000001:{self._batches}")
            if number % every == 0:
                began_s = time.perf_counter()
                self.told += len(self.watchman.tick())
                self.longest_look_ms = max(self.longest_look_ms, 1000 * (time.perf_counter() - began_s))

    def silence(self, count: int = 20) -> float:
        """CPU milliseconds of the last look of so many minutes in which nobody says anything."""
        spent_s = 0.0
        for _ in range(count):
            self.now_ms += _MINUTE_MS
            began_s = time.process_time()
            self.watchman.tick()
            spent_s = time.process_time() - began_s
        return 1000 * spent_s

    def _minute(self, down: Collection[str]) -> list[list[Measurement]]:
        clock = ClockState(wall_ms=self.now_ms, mono_ms=1, boot="0badcafe", age_s=5)
        records = {
            is_down: Record(seq=1, kind="reach", clock=clock, duration_ms=1, fields=_DOWN if is_down else _UP)
            for is_down in (False, True)
        }
        found = [
            Measurement(
                school=school,
                device=school.id,
                session="00000000000000aa",
                record=records[school.operator in down],
                at_ms=self.now_ms,
                received_ms=self.now_ms,
                backlog=False,
            )
            for school in self.schools
        ]
        return [found[at : at + _BATCH] for at in range(0, len(found), _BATCH)]


def measure() -> list[Figure]:
    """All well, a large outage, and its end."""
    Path("build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=Path("build").resolve()) as folder:
        country = Country(Path(folder))
        with contextlib.closing(country.watchman.outbox):
            country.minutes(count=1)
            well_s = country.minutes()
            look_ms, country.longest_look_ms = country.longest_look_ms, 0.0
            down_s = country.minutes({"op0"}, count=10)
            over_s = country.minutes(count=10)
            told = country.told
            silent_ms = country.silence()
    figures = (
        ("all well: share of a core", 100 * well_s / 60, "%", 5.0),
        ("a fifth goes down: share of a core", 100 * down_s / 60, "%", None),
        ("and comes back: share of a core", 100 * over_s / 60, "%", None),
        ("longest look, all well", look_ms, "ms", None),
        ("longest look, a fifth down", country.longest_look_ms, "ms", None),
        ("a look, all silent", silent_ms, "ms", None),
        ("events told of the fifth", float(told), "", None),
    )
    note = f"{SCHOOLS} schools, one record a minute"
    return [Figure(name=n, value=v, unit=u, goal=g, note=note) for n, v, u, g in figures]
