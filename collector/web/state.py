# SPDX-License-Identifier: Apache-2.0
"""Is a school up, degraded, down or unknown: now, and minute by minute over a window?

This is the *live view*: what the latest `reach` records say, for people who watch a screen. It is not a
contract's verdict, which the SLA judge gives from slots, calendars and late evidence. Pure functions:
no clock, no store.
"""

from __future__ import annotations

import bisect
import enum
import itertools
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from agent.contract.kinds import Reach
from collector.web.view import Stored

CONFIRMATIONS = 3
"""Records in a row that must contradict a state before it changes; the SLA's n and m."""

USUAL_INTERVAL_MS = 60_000
"""Time between two `reach` records when too few are there to tell."""

LONGEST_INTERVAL_MS = 3_600_000


class State(enum.StrEnum):
    """What the page says about a school."""

    UP = "up"
    DEGRADED = "degraded"
    DOWN = "down"
    UNKNOWN = "unknown"
    PENDING = "pending"


_CLAIM = {State.UNKNOWN: 0, State.UP: 1, State.DEGRADED: 2, State.DOWN: 3}
_UP_HINTS = {"up": State.UP, "degraded": State.DEGRADED}
_DOWN_HINTS = ("down_provider", "down_other")


@dataclass(frozen=True, slots=True)
class Sample:
    """What one `reach` record says of its minute; `cause` only where it says down."""

    at_ms: int
    state: State
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of time in one state."""

    state: State
    start_ms: int
    end_ms: int
    cause: str | None = None


def sample(stored: Stored) -> Sample:
    """Class of one stored `reach` record."""
    fields = stored.fields
    if not isinstance(fields, Reach):
        return Sample(stored.at_ms, State.UNKNOWN)
    state, cause = classify(fields)
    return Sample(stored.at_ms, state, cause)


def classify(reach: Reach) -> tuple[State, str | None]:
    """State and cause; an answered anchor outweighs a hint that says otherwise.

    Without internet and without a hint whose fault it is, the cause is None: nobody is blamed by default.
    """
    if reach.up:
        return _UP_HINTS.get(reach.hint or "", State.UP), None
    if reach.hint in _DOWN_HINTS:
        return State.DOWN, reach.hint
    if reach.up is None:
        return State.UNKNOWN, None
    return State.DOWN, None if reach.hint else _by_gateway(reach)


def _by_gateway(reach: Reach) -> str | None:
    """Whose fault it is by the gateway alone; None when it was not asked."""
    if not reach.gateway_asked and not reach.gateway_answered:
        return None
    return "down_provider" if reach.gateway_answered else "down_other"


def interval_ms(samples: Sequence[Sample]) -> int:
    """Usual time between two samples, as the samples themselves tell."""
    steps = [b.at_ms - a.at_ms for a, b in itertools.pairwise(samples) if b.at_ms > a.at_ms]
    if not steps:
        return USUAL_INTERVAL_MS
    return min(round(statistics.median(steps)), LONGEST_INTERVAL_MS)


def settle(samples: Iterable[Sample], *, every_ms: int, before: Run | None = None) -> tuple[Run, ...]:
    """Runs of believed states, with every silence an `unknown` run of its own.

    A state changes when three samples in a row all contradict it: it becomes what the least claiming of them
    says, dated back to the first. Out of `unknown` a good sample is believed at once, a bad one after three.

    Args:
        samples: ascending by time.
        every_ms: usual time between two samples; a gap of more than three of these is a silence.
        before: the last run of an earlier stretch, to be carried on.
    """
    timeline = _Timeline(every_ms, before)
    for each in samples:
        timeline.add(each)
    return tuple(timeline.runs)


class _Timeline:
    """The runs so far, and the samples that contradict the last of them."""

    def __init__(self, every_ms: int, before: Run | None) -> None:
        self.runs: list[Run] = [before] if before else []
        self._every_ms = every_ms
        self._gap_ms = 3 * every_ms
        self._against: list[Sample] = []

    def add(self, new: Sample) -> None:
        if not self.runs or new.at_ms - self.runs[-1].end_ms > self._gap_ms - self._every_ms:
            self._resume(new.at_ms)
        self._weigh(new)
        self._extend(new)

    def _resume(self, at_ms: int) -> None:
        """Begin after nothing or after a silence."""
        self._against.clear()
        start_ms = at_ms
        if self.runs:
            start_ms = self.runs[-1].end_ms
        if self.runs and self.runs[-1].state is State.UNKNOWN:
            start_ms = self.runs.pop().start_ms
        self.runs.append(Run(State.UNKNOWN, start_ms, at_ms))

    def _weigh(self, new: Sample) -> None:
        state = self.runs[-1].state
        if new.state is state:
            self._against.clear()
            return
        self._against.append(new)
        if state is State.UNKNOWN and new.state is not State.DOWN:
            self._against = [new]
            self._turn()
        elif len(self._against) == CONFIRMATIONS:
            self._turn()

    def _turn(self) -> None:
        believed = min(self._against, key=lambda s: _CLAIM[s.state])
        start_ms = self._against[0].at_ms
        last = self.runs.pop()
        if last.start_ms < start_ms:
            self.runs.append(replace(last, end_ms=start_ms))
        self.runs.append(Run(believed.state, start_ms, start_ms, believed.cause))
        self._against.clear()

    def _extend(self, new: Sample) -> None:
        last = self.runs[-1]
        cause = new.cause if new.state is State.DOWN is last.state else last.cause
        end_ms = max(last.end_ms, new.at_ms + self._every_ms)
        self.runs[-1] = replace(last, end_ms=end_ms, cause=cause)


def until(runs: tuple[Run, ...], end_ms: int) -> tuple[Run, ...]:
    """The runs before a time, the one that crosses it cut there."""
    kept = runs[: bisect.bisect_left(runs, end_ms, key=lambda r: r.start_ms)]
    if not kept or kept[-1].end_ms <= end_ms:
        return kept
    return (*kept[:-1], replace(kept[-1], end_ms=end_ms))


def told(stored: Sequence[Stored], *, every_ms: int, before: Run | None = None) -> tuple[Run, ...]:
    """The runs that stored `reach` records tell, as far as their arrival vouches for them.

    A device's clock may run ahead, the collector's own does not: nothing is known of the time later than an
    interval after the last arrival, whatever the records say.
    """
    runs = settle(map(sample, stored), every_ms=every_ms, before=before)
    received_ms = max((s.received_ms for s in stored), default=None)
    return runs if received_ms is None else until(runs, received_ms + every_ms)


def current(runs: Sequence[Run], *, now_ms: int, received_ms: int, stale_ms: int) -> Run:
    """The state to show now: the last run, or `unknown` since its end if that or the last arrival is old."""
    if not runs:
        return Run(State.UNKNOWN, now_ms, now_ms)
    last = runs[-1]
    if now_ms - min(last.end_ms, received_ms) <= stale_ms:
        return last
    if last.state is State.UNKNOWN:
        return replace(last, end_ms=now_ms)
    return Run(State.UNKNOWN, last.end_ms, now_ms)
