# SPDX-License-Identifier: Apache-2.0
"""Does each probe measure on its grid, and does what goes wrong in one cost only itself?"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.kinds import Event, Host, Reach
from agent.contract.reason import Reason
from agent.contract.record import ClockState, Record
from agent.probes.base import Finding, Probe, ProbeFailed, ProbeOptions, Reading
from agent.scheduler import Scheduler, next_start_s, phase_ratio

CLOCK = ClockState(wall_ms=1, mono_ms=1, boot="0badcafe")
FOUND = (Finding(Reach(up=True)),)


@dataclass(frozen=True, kw_only=True)
class ScriptedProbe(ProbeOptions):
    """A probe that does as it is told."""

    kind: ClassVar[str] = "reach"
    act: Callable[[], Awaitable[Reading]]
    deadline_s: float = 5

    async def measure(self) -> Reading:
        """Do it."""
        return await self.act()


class List:
    """Keeps records."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def append(self, **record: Any) -> None:
        """Number and keep one."""
        self.records.append(Record(seq=len(self.records) + 1, **record))


async def _found() -> Reading:
    return FOUND


async def _measure(act: Callable[[], Awaitable[Reading]], **options: Any) -> Record:
    kept = List()
    probe = ScriptedProbe(act=act, **options)
    async with asyncio.timeout(10):
        await Scheduler("kz-1", [probe], kept, lambda: CLOCK).measure(probe)
    (record,) = kept.records
    return record


async def test_a_finding_becomes_a_record() -> None:
    record = await _measure(_found)

    assert (record.kind, record.fields, record.reason) == ("reach", Reach(up=True), None)


async def test_a_failed_probe_becomes_a_record_with_its_reason() -> None:
    async def fail() -> Reading:
        raise ProbeFailed(Reason.NO_GATEWAY, "no default route")

    record = await _measure(fail)

    assert (record.reason, record.detail, record.fields) == (Reason.NO_GATEWAY, "no default route", None)


async def test_a_bug_in_a_probe_becomes_a_record() -> None:
    async def crash() -> Reading:
        raise ZeroDivisionError("oops")

    assert (await _measure(crash)).reason == Reason.INTERNAL


async def test_a_round_that_takes_too_long_is_stopped() -> None:
    async def sleep() -> Reading:
        await asyncio.sleep(60)
        return FOUND

    record = await _measure(sleep, deadline_s=0.2)

    assert record.reason == Reason.OVERRAN
    assert record.duration_ms >= 200


async def test_a_figure_out_of_range_becomes_a_failure_that_keeps_its_keys() -> None:
    async def nonsense() -> Reading:
        return (Finding(Event(event="x", count=-3)),)

    record = await _measure(nonsense)

    assert record.reason == Reason.INTERNAL
    assert record.fields == Event(event="x")
    assert "count" in (record.detail or "")


async def _run_for(probes: Sequence[Probe], seconds: float) -> list[Record]:
    kept = List()
    task = asyncio.create_task(Scheduler("kz-1", probes, kept, lambda: CLOCK).run())
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.wait([task])
    return kept.records


async def test_a_probe_that_blocks_its_thread_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.round._GRACE_S", 0.1)

    async def block() -> Reading:
        time.sleep(4)  # noqa: ASYNC251 -- the fault under test
        return FOUND

    async def host() -> Reading:
        return (Finding(Host(uptime_s=1)),)

    probes = [ScriptedProbe(act=block, every_s=1, deadline_s=0.5), ScriptedProbe(act=host, every_s=1)]
    records = await _run_for(probes, 3.6)

    assert sum(r.kind == "host" for r in records) >= 3
    blocked = [r for r in records if r.kind == "reach"]
    assert len(blocked) >= 2
    assert {r.reason for r in blocked} == {Reason.OVERRAN}


async def test_stopping_leaves_no_record_of_the_round_under_way() -> None:
    async def sleep() -> Reading:
        await asyncio.sleep(4)
        return FOUND

    assert await _run_for([ScriptedProbe(act=sleep, every_s=5)], 1) == []


@given(st.floats(0, 1e7), st.floats(1, 86400), st.floats(0, 1, exclude_max=True))
def test_starts_lie_on_the_grid_and_ahead(now_s: float, every_s: float, phase: float) -> None:
    start_s = next_start_s(now_s, every_s, phase)

    assert now_s - 1e-6 <= start_s <= now_s + every_s * (1 + 1e-6) + 1e-6
    turns = (start_s - phase * every_s) / every_s
    assert turns == pytest.approx(round(turns), abs=1e-3)


def test_phases_spread_a_fleet_evenly() -> None:
    phases = [phase_ratio(f"kz-{i:04d}", "latency") for i in range(7378)]
    tenths = [sum(i / 10 <= p < (i + 1) / 10 for p in phases) for i in range(10)]

    assert min(tenths) > 0.8 * 737
    assert max(tenths) < 1.2 * 738
