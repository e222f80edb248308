# SPDX-License-Identifier: Apache-2.0
"""What do the last 24 hours of one school come to?

Kept small: a school costs a few dozen numbers, so that a country fits in memory.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from agent.contract.histogram import merge, quantile_ms
from collector.web import state
from collector.web.slots import DAY_MS
from collector.web.state import Run
from collector.web.view import LastSeen, Reader, RollUp, Stored

GATEWAY = "gateway"
"""The one target that is not the internet."""

HOUR_MS = 3_600_000
TAIL_MS = HOUR_MS
"""How far back a tail read goes at most."""

OVERLAP_MS = 600_000
"""How much of what is already known it looks at again, for records that came a little late."""


@dataclass(frozen=True, slots=True)
class Rtt:
    """Latency and loss to the internet over a window; None where nothing was measured."""

    median_ms: float | None = None
    p95_ms: float | None = None
    loss_ratio: float | None = None
    hourly: tuple[tuple[int, float], ...] = ()
    """Start of the hour and median; hours without an answer are absent."""


@dataclass(frozen=True, slots=True)
class Day:
    """What the page remembers of one school.

    Attributes:
        runs: states since `from_ms`.
        from_ms: how far back the store has been read.
        every_ms: usual time between two `reach` records.
        read_ms: when the whole day was last read; 0 for not yet.
        received_ms: what the store held when it was read.
    """

    runs: tuple[Run, ...] = ()
    from_ms: int = 0
    every_ms: int = state.USUAL_INTERVAL_MS
    rtt: Rtt = Rtt()
    read_ms: int = 0
    received_ms: int = 0


def read_day(reader: Reader, school_id: str, *, now_ms: int, received_ms: int) -> Day:
    """Everything of the last day."""
    from_ms = now_ms - DAY_MS - HOUR_MS
    found = reader.records(school_id, "reach", start_ms=from_ms, end_ms=now_ms + 1)
    every_ms = state.interval_ms([state.sample(s) for s in found])
    rollups = reader.rtt_rollups(school_id, start_ms=_hour(now_ms - DAY_MS), end_ms=now_ms + 1)
    runs = state.told(found, every_ms=every_ms)
    return Day(runs, from_ms, every_ms, summarise(rollups), now_ms, received_ms)


def read_tails(
    reader: Reader, days: Mapping[str, Day | None], seen: Mapping[str, LastSeen], *, now_ms: int
) -> dict[str, Day]:
    """What is new of each school within the last hour, joined to what is already known."""
    starts = {i: _tail_from(day, now_ms) for i, day in days.items()}
    found = reader.records_since(starts, "reach", end_ms=now_ms + 1)
    return {
        i: _joined(day, found[i], from_ms=starts[i], received_ms=seen[i].received_ms)
        for i, day in days.items()
    }


def _tail_from(day: Day | None, now_ms: int) -> int:
    from_ms = now_ms - TAIL_MS
    if day is None or not day.runs:
        return from_ms
    overlap_ms = max(OVERLAP_MS, state.CONFIRMATIONS * day.every_ms)
    return max(from_ms, day.runs[-1].end_ms - overlap_ms)


def _joined(day: Day | None, found: Sequence[Stored], *, from_ms: int, received_ms: int) -> Day:
    if day is None:
        every_ms = state.interval_ms([state.sample(s) for s in found])
        return Day(state.told(found, every_ms=every_ms), from_ms, every_ms, received_ms=received_ms)
    earlier = state.until(day.runs, from_ms)
    before = earlier[-1] if earlier else None
    joined = earlier[:-1] + state.told(found, every_ms=day.every_ms, before=before)
    return replace(day, runs=joined, received_ms=received_ms)


def summarise(rollups: Iterable[RollUp]) -> Rtt:
    """The idle line's percentiles, from merged histograms, never from percentiles."""
    by_hour: dict[int, list[RollUp]] = defaultdict(list)
    for each in rollups:
        if each.target != GATEWAY and not each.loaded:
            by_hour[each.hour_ms].append(each)
    hourly = {hour_ms: merge(r.histogram for r in found) for hour_ms, found in sorted(by_hour.items())}
    whole = merge(hourly.values())
    medians = ((hour_ms, quantile_ms(h, 0.5)) for hour_ms, h in hourly.items())
    return Rtt(
        median_ms=quantile_ms(whole, 0.5),
        p95_ms=quantile_ms(whole, 0.95),
        loss_ratio=_loss([r for found in by_hour.values() for r in found]),
        hourly=tuple((hour_ms, m) for hour_ms, m in medians if m is not None),
    )


def _loss(rollups: Sequence[RollUp]) -> float | None:
    sent = sum(r.sent for r in rollups)
    answered = sum(r.received + r.late for r in rollups)
    return max(0.0, 1 - answered / sent) if sent else None


def _hour(at_ms: int) -> int:
    return at_ms // HOUR_MS * HOUR_MS
