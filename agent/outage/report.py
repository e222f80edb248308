# SPDX-License-Identifier: Apache-2.0
"""How does an outage become records: one when it opens, one when it is seen otherwise, one when it closes?"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from agent.contract.kinds import Outage as Fields
from agent.contract.record import ClockState
from agent.outage.cause import hint_of
from agent.outage.outage import Outage


@dataclass(frozen=True, slots=True)
class Report:
    """A record in the making."""

    clock: ClockState
    duration_ms: int
    fields: Fields


class Reporter:
    """Gives each outage its id and counts its revisions."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._id = ""
        self._revision = 0
        self._last: Outage | None = None

    def report(self, outage: Outage, clock: ClockState, now_s: float) -> Report:
        """What is told of it now.

        Args:
            outage: as the watch has it.
            clock: the device's clocks now.
            now_s: the same moment on the clock of the watch.
        """
        opened = at(outage.opened.at_s, clock, now_s)
        if outage.number != self._number:
            self._number, self._id, self._revision = outage.number, f"{clock.boot}-{opened.mono_ms}", 0
        else:
            self._revision += 1
        self._last = outage
        closed = None if outage.closed is None else at(outage.closed.at_s, clock, now_s)
        lasted_s = outage.lasted_s
        fields = Fields(
            scope=outage.scope,
            outage=self._id,
            revision=self._revision,
            ongoing=closed is None,
            cause=outage.cause,
            evidence=outage.evidence or None,
            hint=hint_of(outage.cause),
            opened_wall_ms=opened.wall_ms,
            opened_mono_ms=opened.mono_ms,
            opened_resolution_s=_rounded(outage.opened.resolution_s),
            closed_wall_ms=None if closed is None else closed.wall_ms,
            closed_mono_ms=None if closed is None else closed.mono_ms,
            closed_resolution_s=None if outage.closed is None else _rounded(outage.closed.resolution_s),
            lasted_s=_rounded(lasted_s),
            lost=outage.lost,
        )
        return Report(opened, round((lasted_s or 0) * 1000), fields)

    def unfinished(self, clock: ClockState, now_s: float) -> Report | None:
        """What is to be told of an outage when the watch ends before it does."""
        if self._last is None or self._last.closed is not None:
            return None
        report = self.report(self._last, clock, now_s)
        return dataclasses.replace(report, fields=dataclasses.replace(report.fields, ongoing=None))


def at(moment_s: float, clock: ClockState, now_s: float) -> ClockState:
    """What the device's clocks showed, or would have shown, at a moment of the watch's clock."""
    ago_ms = round((now_s - moment_s) * 1000)
    age_s = None if clock.age_s is None else max(0, clock.age_s - ago_ms // 1000)
    return ClockState(
        wall_ms=clock.wall_ms - ago_ms, mono_ms=max(0, clock.mono_ms - ago_ms), boot=clock.boot, age_s=age_s
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
