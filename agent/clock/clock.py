# SPDX-License-Identifier: Apache-2.0
"""What time is it here, and how far can that be trusted?

A Raspberry Pi has no battery-backed clock. Best first: the kernel says a time service disciplines its clock;
it, or the collector's acknowledgement, said so earlier in this boot, and the monotonic clock leads on from
there, whatever the wall clock did since; the wall clock as it is, but never before what was saved before the
boot. Only the last of these counts as not known (`age_s` is None).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agent.clock import system
from agent.clock.offset import PLAUSIBLE_MS, Offset, better, from_answer
from agent.clock.saved import Saved, SavedClock
from agent.contract.kinds import Event
from agent.contract.record import ClockState

log = logging.getLogger("agent.clock")

SAVE_EVERY_MS = 30 * 60_000
SAVE_NEWS_EVERY_MS = 10 * 60_000
_STEP_MS = 500
_STEPS_TOLD = 5
"""Of more than these at once only the sum is told."""

_KERNEL_ERROR_MS = 10


@dataclass(frozen=True, slots=True)
class _Before:
    """The last look at the wall clock: by how much it was ahead of the monotonic clock."""

    shift_ms: int


class Clock:
    """Both clocks, the boot they belong to and how long ago true time was last known."""

    def __init__(self, path: Path | None = None, read: Callable[[], system.Shown] | None = None) -> None:
        self._read = read or system.read
        self._boot = system.read_boot()
        self._offset: Offset | None = None
        self._floor_ms: int | None = None
        self._before: _Before | None = None
        self._steps_ms: list[int] = []
        self._set_by: list[tuple[str, int]] = []
        self._file = None if path is None else SavedClock(path)
        self._saved_at_ms: int | None = None
        self._has_news = False
        self._problem: str | None = None
        self._recall()

    def now(self) -> ClockState:
        """Both clocks at this instant."""
        shown = self._look()
        known = self._offset
        if known is None:
            wall_ms = self._believed_ms(shown)
            return ClockState(wall_ms=wall_ms, mono_ms=shown.mono_ms, boot=self._boot)
        age_s = max(0, shown.mono_ms - known.good_ms) // 1000
        wall_ms = shown.mono_ms + known.ms
        return ClockState(wall_ms=wall_ms, mono_ms=shown.mono_ms, boot=self._boot, age_s=age_s)

    def learn(self, wall_ms: int, asked_ms: int, answered_ms: int) -> None:
        """Learn from an answer the collector gave at its `wall_ms`, asked for and heard at these mono_ms."""
        shown = self._look()
        answer = from_answer(wall_ms, asked_ms, answered_ms)
        if answer is not None and not _is_sure(shown):
            self._know(better(self._offset, answer), shown)

    def take_events(self) -> list[Event]:
        """What happened to the clock since the last call; to be called every few seconds."""
        self._look()
        steps_ms, self._steps_ms = self._steps_ms, []
        set_by, self._set_by = self._set_by, []
        events = [Event(event="clock_set", subject=source, step_ms=step) for source, step in set_by]
        first, rest = steps_ms[:_STEPS_TOLD], steps_ms[_STEPS_TOLD:]
        events += [Event(event="clock_step", count=1, step_ms=step) for step in first]
        if rest:
            events.append(Event(event="clock_step", count=len(rest), step_ms=sum(rest)))
        return events

    def save(self, *, at_once: bool = False) -> None:
        """Keep what is known over a power cut; does nothing when that was done not long ago."""
        shown = self._look()
        if self._file is None:
            return
        every_ms = SAVE_NEWS_EVERY_MS if self._has_news else SAVE_EVERY_MS
        recently = self._saved_at_ms is not None and shown.mono_ms - self._saved_at_ms < every_ms
        wall_ms = self._surely_after_ms(shown)
        if wall_ms is None or (recently and not at_once):
            return
        self._saved_at_ms, self._has_news = shown.mono_ms, False
        try:
            self._file.save(Saved(self._boot, shown.mono_ms, wall_ms, self._offset))
        except OSError as e:
            self._note_problem(str(e))
        else:
            self._note_problem(None)

    def _look(self) -> system.Shown:
        """Look at the clocks, notice a step, and believe a kernel that is sure."""
        shown = self._read()
        shift_ms = shown.wall_ms - shown.mono_ms
        step_ms = 0 if self._before is None else shift_ms - self._before.shift_ms
        if self._before is None or abs(step_ms) >= _STEP_MS:
            self._before = _Before(shift_ms)
        if abs(step_ms) >= _STEP_MS:
            log.warning("clock.stepped step_ms=%d", step_ms)
            self._steps_ms.append(step_ms)
        if _is_sure(shown):
            self._know(Offset(shift_ms, shown.mono_ms, _KERNEL_ERROR_MS, "kernel"), shown)
        return shown

    def _know(self, offset: Offset, shown: system.Shown) -> None:
        known = self._offset
        believed_ms = self._believed_ms(shown) if known is None else shown.mono_ms + known.ms
        self._offset = offset
        correction_ms = shown.mono_ms + offset.ms - believed_ms
        if known is None or abs(correction_ms) >= _STEP_MS:
            log.info("clock.set source=%s correction_ms=%d", offset.source, correction_ms)
            self._set_by.append((offset.source, correction_ms))
            self._has_news = True

    def _believed_ms(self, shown: system.Shown) -> int:
        """The wall clock as it is, but not before what is sure to be past."""
        return shown.wall_ms if self._floor_ms is None else max(shown.wall_ms, self._floor_ms + shown.mono_ms)

    def _surely_after_ms(self, shown: system.Shown) -> int | None:
        """A time that is sure to be past; an unchecked wall clock says nothing."""
        if self._offset is not None:
            return shown.mono_ms + self._offset.ms
        return None if self._floor_ms is None else self._floor_ms + shown.mono_ms

    def _recall(self) -> None:
        """Take up what was known: all of it in the same boot; of an earlier one, only that it is past."""
        saved = None if self._file is None else self._file.load()
        if saved is None:
            return
        if saved.boot == self._boot:
            self._offset = saved.offset
            self._floor_ms = saved.wall_ms - saved.mono_ms
            self._saved_at_ms = saved.mono_ms
        else:
            self._floor_ms = saved.wall_ms

    def _note_problem(self, problem: str | None) -> None:
        if problem is not None and self._problem is None:
            log.warning("clock.not_saved problem=%s", problem)
        self._problem = problem


def _is_sure(shown: system.Shown) -> bool:
    """Whether the kernel vouches for a time that can be."""
    return shown.is_synchronised and shown.wall_ms in PLAUSIBLE_MS
