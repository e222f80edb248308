# SPDX-License-Identifier: Apache-2.0
"""Which state fills each slot of a strip?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from collector.web.state import Run, State

SLOT_MS = 15 * 60_000
DAY_MS = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class Window:
    """A day that ends with the slot we are in."""

    start_ms: int
    end_ms: int
    now_ms: int

    @classmethod
    def of(cls, now_ms: int) -> Window:
        """The day around now, cut at slot borders."""
        end_ms = (now_ms // SLOT_MS + 1) * SLOT_MS
        return cls(end_ms - DAY_MS, end_ms, now_ms)

    def place(self, at_ms: float) -> float:
        """Where a time lies, 0 at the start and 1 at the end."""
        return min(1.0, max(0.0, (at_ms - self.start_ms) / (self.end_ms - self.start_ms)))


def cells(
    runs: Sequence[Run], window: Window, *, stale_ms: int, read_from_ms: int = 0
) -> tuple[State | None, ...]:
    """State of each slot; None for time whose data may still be on its way or was not read yet."""
    known_to_ms = runs[-1].end_ms if runs else window.start_ms
    is_fresh = window.now_ms - known_to_ms <= stale_ms
    until_ms = min(known_to_ms, window.now_ms) if is_fresh else window.now_ms
    starts = range(window.start_ms, window.end_ms, SLOT_MS)
    ends = (min(start_ms + SLOT_MS, until_ms) for start_ms in starts)
    return tuple(_cell(runs, max(a, read_from_ms), b) for a, b in zip(starts, ends, strict=True))


def _cell(runs: Sequence[Run], start_ms: int, end_ms: int) -> State | None:
    """Worst state with any settled time, but unknown where less than half of the slot is known."""
    if end_ms <= start_ms:
        return None
    spent = dict.fromkeys(State, 0)
    for run in runs:
        spent[run.state] += max(0, min(run.end_ms, end_ms) - max(run.start_ms, start_ms))
    known_ms = spent[State.UP] + spent[State.DEGRADED] + spent[State.DOWN]
    if spent[State.DOWN]:
        return State.DOWN
    if known_ms * 2 < end_ms - start_ms:
        return State.UNKNOWN
    return State.DEGRADED if spent[State.DEGRADED] else State.UP


def stretches(strip: Sequence[State | None], window: Window) -> tuple[Run, ...]:
    """Neighbouring slots of the same state joined; slots still awaited are left out."""
    joined: list[Run] = []
    for i, state in enumerate(strip):
        start_ms = window.start_ms + i * SLOT_MS
        if state is None:
            continue
        if joined and joined[-1].state is state and joined[-1].end_ms == start_ms:
            start_ms = joined.pop().start_ms
        joined.append(Run(state, start_ms, window.start_ms + (i + 1) * SLOT_MS))
    return tuple(joined)
