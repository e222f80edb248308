# SPDX-License-Identifier: Apache-2.0
"""What is there to say about each school now?

One field, one name: the overview's columns and the keys of `/api/schools.json` are these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from collector.registry import School
from collector.web.board import Board
from collector.web.day import Day, Rtt
from collector.web.options import WebOptions
from collector.web.slots import Window, cells
from collector.web.state import Run, State, current
from collector.web.view import LastSeen, View

FRESH_MS = 30_000
"""Age of the board's last look up to which a school it did not see is said never to have reported."""


def _said(doc: str) -> Any:
    return field(metadata={"doc": doc})


@dataclass(frozen=True, slots=True, kw_only=True)
class SchoolNow:
    """One school in the live view."""

    id: str = _said("id of the school in the registry")
    name: str = _said("its name, as registered")
    country: str = _said("label of the registry, empty when not known; so are the next four")
    region: str = _said("region")
    operator: str = _said("operator of the link")
    technology: str = _said("kind of link")
    contract: str = _said("contract the link is under")
    state: State = field(
        metadata={"doc": "up, degraded, down, unknown (no evidence either way) or pending (never reported)"}
    )
    cause: str | None = _said("down_provider or down_other while down, else null")
    since_ms: int | None = _said("Unix time since which the state holds; null when no record of it is known")
    since_is_earliest: bool = _said("the state may have begun before since_ms: older data was not looked at")
    last_at_ms: int | None = _said(
        "Unix time of the newest record of any kind; null when none was ever received"
    )
    data_age_s: float | None = _said("seconds since then")
    rtt_median_ms: float | None = _said(
        "median round-trip time to the internet over the last 24 h; null when none"
    )
    rtt_p95_ms: float | None = _said("95th percentile of the same, from merged histograms")
    loss_ratio: float | None = _said("share of requests to the internet not answered over the last 24 h")


class Fleet:
    """Registry, board and clock looked at together, at one moment."""

    def __init__(self, view: View, board: Board, options: WebOptions) -> None:
        self.now_ms = view.now_ms()
        self.window = Window.of(self.now_ms)
        self._board = board
        self._stale_ms = int(options.stale_after_s * 1000)
        self._registered = {s.id: s for s in view.registry.schools()}

    def schools(self) -> list[SchoolNow]:
        """Every school: the registered ones, and those that report without being registered."""
        unregistered = (School(id=i) for i in self._board.last_seen if i not in self._registered)
        return [self._now(s) for s in (*self._registered.values(), *unregistered)]

    def school(self, school_id: str) -> SchoolNow | None:
        """One school; None when neither the registry nor the store knows it."""
        known = self._registered.get(school_id)
        if known is None and school_id in self._board.last_seen:
            known = School(id=school_id)
        return self._now(known) if known else None

    def strip(self, school_id: str) -> tuple[State | None, ...]:
        """State of each slot of the last 24 hours."""
        day = self._day(school_id)
        stale_ms = self.stale_for(day.every_ms)
        return cells(day.runs, self.window, stale_ms=stale_ms, read_from_ms=day.from_ms)

    def rtt(self, school_id: str) -> Rtt:
        """Latency and loss of the last 24 hours."""
        return self._day(school_id).rtt

    def stale_for(self, every_ms: int) -> int:
        """Silence after which a state is no longer believed; longer for a school that measures seldom."""
        return max(self._stale_ms, 3 * every_ms)

    @property
    def view_age_s(self) -> float | None:
        """Seconds since everything that was in the store is shown; None before the first pass is over."""
        looked_ms, read_ms = self._board.looked_ms, self._board.read_ms
        if looked_ms is None or read_ms is None:
            return None
        return max(0.0, (self.now_ms - min(looked_ms, read_ms)) / 1000)

    @property
    def _is_fresh(self) -> bool:
        looked_ms = self._board.looked_ms
        return looked_ms is not None and self.now_ms - looked_ms <= FRESH_MS

    def _day(self, school_id: str) -> Day:
        return self._board.days.get(school_id, Day())

    def _now(self, school: School) -> SchoolNow:
        day, seen = self._day(school.id), self._board.last_seen.get(school.id)
        run = self._state(day, seen)
        last_at_ms = newest_ms(seen)
        return SchoolNow(
            id=school.id,
            name=school.name,
            country=school.country,
            region=school.region,
            operator=school.operator,
            technology=school.technology,
            contract=school.contract,
            state=run.state,
            cause=run.cause,
            since_ms=None if seen is None else run.start_ms,
            since_is_earliest=bool(day.runs) and run.start_ms <= day.from_ms + 3 * day.every_ms,
            last_at_ms=last_at_ms,
            data_age_s=None if last_at_ms is None else max(0.0, (self.now_ms - last_at_ms) / 1000),
            rtt_median_ms=day.rtt.median_ms,
            rtt_p95_ms=day.rtt.p95_ms,
            loss_ratio=day.rtt.loss_ratio,
        )

    def _state(self, day: Day, seen: LastSeen | None) -> Run:
        if seen is None and not self._is_fresh:
            return Run(State.UNKNOWN, self.now_ms, self.now_ms)
        if seen is None:
            return Run(State.PENDING, self.now_ms, self.now_ms)
        if not day.runs:
            return Run(State.UNKNOWN, newest_ms(seen) or 0, self.now_ms)
        stale_ms = self.stale_for(day.every_ms)
        return current(day.runs, now_ms=self.now_ms, received_ms=seen.received_ms, stale_ms=stale_ms)


def newest_ms(seen: LastSeen | None) -> int | None:
    """Time of the newest record; a device whose clock runs ahead cannot be newer than its message."""
    return None if seen is None else min(seen.at_ms, seen.received_ms)


def counts(schools: Iterable[SchoolNow]) -> dict[State, int]:
    """Schools per state, every state present."""
    found = Counter(s.state for s in schools)
    return {state: found[state] for state in State}
