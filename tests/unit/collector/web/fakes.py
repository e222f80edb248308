# SPDX-License-Identifier: Apache-2.0
"""What the page reads, in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agent.contract.histogram import Histogram
from agent.contract.kinds import Fields
from agent.contract.record import ClockState
from collector.health import Health
from collector.registry import Placement, School
from collector.sinks.base import Gap, SinkUnavailable
from collector.web.view import View

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
NOW_MS = 1_795_000_020_000
"""2026-11-18T11:07:00Z: not on a slot border."""

CLOCK = ClockState(wall_ms=NOW_MS, mono_ms=1, boot="0123abcd", age_s=12)


@dataclass(frozen=True, kw_only=True)
class Stored:
    at_ms: int
    fields: Fields | None
    kind: str = "reach"
    device: str = "pi-1"
    session: str = "0123456789abcdef"
    seq: int = 1
    duration_ms: int = 20
    reason: str | None = None
    detail: str | None = None
    clock: ClockState = CLOCK
    received_ms: int = NOW_MS
    backlog: bool = False
    time_basis: str = "device"


@dataclass(frozen=True, kw_only=True)
class Seen:
    at_ms: int
    received_ms: int
    device: str = "pi-1"


@dataclass(frozen=True, kw_only=True)
class RollUp:
    hour_ms: int
    target: str = "1.1.1.1"
    loaded: bool = False
    sent: int = 10
    received: int = 10
    late: int = 0
    histogram: Histogram = ((100, 10),)


@dataclass
class Reader:
    """A store of lists; `problem` makes it unreadable, `damaged` its records."""

    stored: dict[str, list[Stored]] = field(default_factory=dict)
    rollups: dict[str, list[RollUp]] = field(default_factory=dict)
    seen: dict[str, Seen] = field(default_factory=dict)
    lost_ranges: list[Gap] = field(default_factory=list)
    problem: str | None = None
    damaged: str | None = None
    asked: list[tuple[str, str, int]] = field(default_factory=list)

    def count(self) -> int:
        self._check()
        return sum(map(len, self.stored.values()))

    def last_seen(self) -> dict[str, Seen]:
        self._check()
        return dict(self.seen)

    def records(self, school_id: str, kind: str, *, start_ms: int, end_ms: int) -> Sequence[Stored]:
        self._check()
        if self.damaged:
            raise SinkUnavailable(self.damaged)
        self.asked.append((school_id, kind, start_ms))
        found = self.stored.get(school_id, [])
        return [s for s in found if s.kind == kind and start_ms <= s.at_ms < end_ms]

    def records_since(self, starts: Mapping[str, int], kind: str, *, end_ms: int) -> dict[str, list[Stored]]:
        return {i: list(self.records(i, kind, start_ms=a, end_ms=end_ms)) for i, a in starts.items()}

    def gaps(self, device: str) -> list[Gap]:
        self._check()
        return [gap for gap in self.lost_ranges if gap.device == device]

    def lost(self) -> dict[str, int]:
        self._check()
        return {gap.device: gap.last_seq - gap.first_seq + 1 for gap in self.lost_ranges}

    def rtt_rollups(self, school_id: str, *, start_ms: int, end_ms: int) -> Sequence[RollUp]:
        self._check()
        return [r for r in self.rollups.get(school_id, []) if start_ms <= r.hour_ms < end_ms]

    def _check(self) -> None:
        if self.problem:
            raise SinkUnavailable(self.problem)


@dataclass
class Registry:
    known: tuple[School, ...] = ()

    def schools(self) -> Iterable[School]:
        return self.known

    def devices_of(self, school_id: str) -> Iterable[Placement]:
        gone = Placement(device="pi-gone", school=school_id, to_ms=NOW_MS - 1)
        return (gone, Placement(device=f"pi-{school_id}", school=school_id))


def view(
    reader: Reader | None = None, *schools: School, now_ms: int = NOW_MS, health: Health | None = None
) -> View:
    """A view of these, at a fixed time."""
    working = health or Health(mqtt_connected=True)
    return View(
        registry=Registry(schools), reader=reader or Reader(), health=working, now=lambda: now_ms / 1000
    )
