# SPDX-License-Identifier: Apache-2.0
"""What stands on the page of one school?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from agent.contract.kinds import KINDS, Host
from collector.web import state
from collector.web.chart.axis import day_axis
from collector.web.chart.latency import latency_chart
from collector.web.chart.sparkline import sparkline
from collector.web.chart.strip import strip
from collector.web.day import HOUR_MS
from collector.web.eyes import Seen, is_by_connection
from collector.web.eyes import newest as newest_seen
from collector.web.fleet import Fleet, SchoolNow
from collector.web.latency import TargetDay, by_target
from collector.web.outages import OutageTold
from collector.web.outages import outages as told_outages
from collector.web.rates import InterfaceDay, by_interface
from collector.web.slots import DAY_MS, Window, cells, stretches
from collector.web.state import Run, State
from collector.web.view import Gap, LastSeen, Reader, Stored
from collector.web.wording import ABSENT, Times, duration

NEWEST_SHOWN = 40
FAILURES_SHOWN = 20
GAPS_SHOWN = 20
OUTAGES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Found:
    """A school's records of the day, by kind, ascending, and what its devices ever lost, as they told it."""

    by_kind: dict[str, Sequence[Stored]]
    gaps: Sequence[Gap] = ()

    @classmethod
    def read(cls, reader: Reader, school_id: str, now_ms: int, devices: Iterable[str] = ()) -> Found:
        """Ask the store; runs on the reading thread."""
        start_ms, end_ms = now_ms - DAY_MS - HOUR_MS, now_ms + 1
        by_kind = {k: reader.records(school_id, k, start_ms=start_ms, end_ms=end_ms) for k in KINDS}
        return cls(by_kind, [gap for device in devices for gap in reader.gaps(device)])

    def newest(self, how_many: int) -> list[Stored]:
        """The last records of all kinds, newest first."""
        return _newest((s for found in self.by_kind.values() for s in found[-how_many:]), how_many)

    def failures(self, how_many: int) -> list[Stored]:
        """The last records that carry a reason, newest first."""
        return _newest(
            (s for found in self.by_kind.values() for s in found if s.reason is not None), how_many
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolPage:
    """Everything the template prints."""

    school: SchoolNow
    devices: tuple[str, ...]
    delay_s: float | None
    clock: str
    strip: Markup
    axis: Markup
    outages: tuple[Run, ...]
    dated: tuple[OutageTold, ...]
    latencies: tuple[tuple[TargetDay, Markup], ...]
    seen: tuple[Seen, ...]
    is_by_connection: bool
    interfaces: tuple[tuple[InterfaceDay, Markup], ...]
    host: Host | None
    host_at_ms: int | None
    newest: list[Stored]
    failures: list[Stored]
    gaps: tuple[Gap, ...]
    lost: int


def make(
    fleet: Fleet,
    school: SchoolNow,
    found: Found,
    times: Times,
    *,
    devices: Iterable[str],
    seen: LastSeen | None,
) -> SchoolPage:
    """Look at one school."""
    window = fleet.window
    reach = found.by_kind["reach"]
    every_ms = state.interval_ms([state.sample(s) for s in reach])
    runs = state.told(reach, every_ms=every_ms)
    told = stretches(cells(runs, window, stale_ms=fleet.stale_for(every_ms)), window)
    at_ms, host = _last_host(found.by_kind["host"])
    return SchoolPage(
        school=school,
        devices=tuple(devices),
        delay_s=None if seen is None else max(0.0, (seen.received_ms - seen.at_ms) / 1000),
        clock=clock_quality(found.newest(1), host),
        strip=strip(told, window, times),
        axis=day_axis(window, times),
        outages=tuple(r for r in reversed(runs) if r.state is State.DOWN),
        dated=told_outages(found.by_kind["outage"], reach, found.by_kind["event"])[:OUTAGES_SHOWN],
        latencies=_latencies(found.by_kind["latency"], window, times, every_ms),
        seen=newest_seen(found.by_kind),
        is_by_connection=is_by_connection(reach),
        interfaces=_interfaces(found.by_kind["interface"], window),
        host=host,
        host_at_ms=at_ms,
        newest=found.newest(NEWEST_SHOWN),
        failures=found.failures(FAILURES_SHOWN),
        gaps=tuple(reversed(found.gaps))[:GAPS_SHOWN],
        lost=sum(gap.last_seq - gap.first_seq + 1 for gap in found.gaps),
    )


def _latencies(
    found: Sequence[Stored], window: Window, times: Times, every_ms: int
) -> tuple[tuple[TargetDay, Markup], ...]:
    days = by_target(found, window, every_ms=every_ms)
    return tuple((day, latency_chart(day, window, times)) for day in days)


def _interfaces(found: Sequence[Stored], window: Window) -> tuple[tuple[InterfaceDay, Markup], ...]:
    return tuple((each, _traffic(each, window)) for each in by_interface(found))


def _traffic(day: InterfaceDay, window: Window) -> Markup:
    """Received rate over the day, one point per ten minutes (the mean of its steps)."""
    by_slot: dict[int, list[float]] = {}
    for at_ms, rate in day.rx_rates:
        if window.start_ms <= at_ms < window.end_ms:
            by_slot.setdefault(at_ms // 600_000, []).append(rate)
    points = [(window.place(s * 600_000 + 300_000), sum(r) / len(r)) for s, r in sorted(by_slot.items())]
    return sparkline(points, step=1 / 144, title=f"bytes received per second on {day.interface} over 24 h")


def _last_host(found: Sequence[Stored]) -> tuple[int | None, Host | None]:
    told = ((s.at_ms, s.fields) for s in reversed(found) if isinstance(s.fields, Host))
    return next(told, (None, None))


def _newest(found: Iterable[Stored], how_many: int) -> list[Stored]:
    return sorted(found, key=lambda s: (s.at_ms, s.seq), reverse=True)[:how_many]


def clock_quality(newest: Sequence[Stored], host: Host | None) -> str:
    """What is known of the device's clock."""
    age_s = newest[0].clock.age_s if newest else None
    if age_s is not None:
        return f"last set {duration(age_s)} before its newest record"
    if host is not None and host.clock_synchronised is not None:
        return "synchronised" if host.clock_synchronised else "not synchronised"
    return "not known to be right" if newest else ABSENT


def said(stored: Stored) -> str:
    """A record's figures in a line: `rtt_median_ms=612 loss_ratio=0.02`; histograms are left out."""
    if stored.fields is None:
        return ""
    shown = (f.name for f in dataclasses.fields(stored.fields) if "histogram" not in f.metadata)
    told = ((name, getattr(stored.fields, name)) for name in shown)
    return " ".join(f"{name}={_short(value)}" for name, value in told if value is not None)


def _short(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
