# SPDX-License-Identifier: Apache-2.0
"""When does each probe measure, and how does what it found become a record?

Each probe has a grid of start times: a phase from a stable hash of device and probe, then every `every_s`, on
the monotonic clock. A round is never started while the last one runs; a start that was missed is left out,
not made up for. The first round of a probe comes a few seconds after the agent's start.

What loads the line (`CostsData`) has no grid: `agent/plan/turns.py` says when it may run, and how much it may
move.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

from agent.contract.kinds import Fields, Latency, keys_of
from agent.contract.reason import Reason
from agent.contract.record import ClockState
from agent.plan.turns import Turn, Turns
from agent.probes.base import CostsData, Finding, Probe
from agent.round import Failed, Outcome, Round

log = logging.getLogger("agent.scheduler")

_FIRST_WITHIN_S = 3.0
_MAX_DETAIL = 200

Complete = Callable[[Fields], Fields]
"""Adds to a finding what only the agent knows (the spool's depth in `host`)."""


class Keeper(Protocol):
    """Where records go: the spool."""

    def append(self, **record: Any) -> Any:
        """Number and keep one record."""
        ...


class Scheduler:
    """Runs the probes for ever."""

    def __init__(
        self,
        device: str,
        probes: Sequence[Probe],
        keeper: Keeper,
        now: Callable[[], ClockState],
        complete: Complete = lambda fields: fields,
        *,
        turns: Turns | None = None,
    ) -> None:
        self._device = device
        self._probes = probes
        self._keeper = keeper
        self._now = now
        self._complete = complete
        self._turns = turns

    async def run(self) -> None:
        """Measure until cancelled; a round under way is then given up and leaves no record."""
        async with asyncio.TaskGroup() as group:
            for probe in self._probes:
                if self._turns is not None and isinstance(probe, CostsData):
                    rounds = self._take_turns(probe, self._turns)
                else:
                    rounds = self._repeat(probe)
                group.create_task(rounds, name=f"probe-{probe.table}")

    async def _take_turns(self, probe: CostsData, turns: Turns) -> None:
        while True:
            await turns.start(probe)
            async with turns.turn(probe) as turn:
                await self.measure(probe, turn)

    async def _repeat(self, probe: Probe) -> None:
        phase = phase_ratio(self._device, probe.table)
        await asyncio.sleep(phase * min(_FIRST_WITHIN_S, probe.every_s))
        while True:
            await self.measure(probe)
            await asyncio.sleep(next_start_s(time.monotonic(), probe.every_s, phase) - time.monotonic())

    async def measure(self, probe: Probe, turn: Turn | None = None) -> None:
        """One round, and its records."""
        clock, started_s = self._now(), time.monotonic()
        if turn is not None and turn.refused is not None:
            self.keep(probe, clock, 0, turn.refused)
            return
        this = Round(probe if turn is None else turn.probe)
        outcome = await this.outcome()
        outcome = self._with_load(outcome, started_s) if turn is None else turn.settle(outcome)
        self.keep(probe, clock, round((time.monotonic() - started_s) * 1000), outcome)
        while not this.has_ended():
            log.warning("scheduler.hanging probe=%s", probe.table)
            await asyncio.sleep(probe.every_s)
            if this.has_ended():
                return
            self.keep(probe, self._now(), 0, Failed(Reason.OVERRAN, "an earlier round still hangs"))

    def _with_load(self, outcome: Outcome | None, since_s: float) -> Outcome | None:
        """Round trips, with whether a test of ours was on the line meanwhile."""
        if self._turns is None or outcome is None or isinstance(outcome, Failed):
            return outcome
        loaded = self._turns.has_loaded_since(since_s)
        return tuple(_with_load(finding, loaded=loaded) for finding in outcome)

    def keep(self, probe: Probe, clock: ClockState, duration_ms: int, outcome: Outcome | None) -> None:
        """Make records of what a round gave."""
        if isinstance(outcome, Failed):
            named = outcome.detail if probe.table == probe.kind else f"{probe.table}: {outcome.detail}"
            detail = named[:_MAX_DETAIL]
            self._keeper.append(
                kind=probe.kind, clock=clock, duration_ms=duration_ms, reason=outcome.reason, detail=detail
            )
            return
        for finding in sorted(outcome or (), key=lambda f: tuple(keys_of(f.fields).values())):
            self._keeper.append(
                kind=finding.fields.kind,
                clock=clock,
                duration_ms=duration_ms,
                reason=finding.reason,
                detail=finding.detail and finding.detail[:_MAX_DETAIL],
                fields=self._complete(finding.fields),
            )


def _with_load(finding: Finding, *, loaded: bool) -> Finding:
    if not isinstance(finding.fields, Latency):
        return finding
    return replace(finding, fields=replace(finding.fields, loaded=loaded))


def phase_ratio(device: str, purpose: str) -> float:
    """Where in its interval a device does something: 0 ≤ ratio < 1, the same after every start."""
    return zlib.crc32(f"{device}/{purpose}".encode()) / 2**32


def next_start_s(now_s: float, every_s: float, phase: float) -> float:
    """First point of the grid behind `now_s`: phase · every_s, then every `every_s`."""
    offset_s = phase * every_s
    return offset_s + (math.floor((now_s - offset_s) / every_s) + 1) * every_s
