# SPDX-License-Identifier: Apache-2.0
"""What does the page need to know, and from whom?

The page only reads: the registry, the store, the collector's own health. Nothing here can write.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from agent.contract.histogram import Histogram
from agent.contract.kinds import Fields
from agent.contract.record import ClockState
from collector.registry import Placement, School


class LastSeen(Protocol):
    """The newest record of one school."""

    @property
    def at_ms(self) -> int: ...
    @property
    def received_ms(self) -> int: ...
    @property
    def device(self) -> str: ...


class Stored(Protocol):
    """One record as the store keeps it."""

    @property
    def device(self) -> str: ...
    @property
    def session(self) -> str: ...
    @property
    def seq(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def at_ms(self) -> int: ...
    @property
    def duration_ms(self) -> int: ...
    @property
    def reason(self) -> str | None: ...
    @property
    def detail(self) -> str | None: ...
    @property
    def fields(self) -> Fields | None: ...
    @property
    def clock(self) -> ClockState: ...
    @property
    def received_ms(self) -> int: ...
    @property
    def backlog(self) -> bool: ...


class RollUp(Protocol):
    """One hour of latency to one target."""

    @property
    def hour_ms(self) -> int: ...
    @property
    def target(self) -> str: ...
    @property
    def loaded(self) -> bool: ...
    @property
    def sent(self) -> int: ...
    @property
    def received(self) -> int: ...
    @property
    def late(self) -> int: ...
    @property
    def histogram(self) -> Histogram: ...


class Reader(Protocol):
    """The embedded store, read only; asked on a thread beside the event loop.

    Every method raises `SinkUnavailable` when the store cannot be read.
    """

    def count(self) -> int:
        """Records stored."""
        ...

    def last_seen(self) -> Mapping[str, LastSeen]:
        """By school id; schools that never reported are absent."""
        ...

    def records(self, school_id: str, kind: str, *, start_ms: int, end_ms: int) -> Sequence[Stored]:
        """Ascending by `at_ms`, start included, end excluded."""
        ...

    def records_since(
        self, starts: Mapping[str, int], kind: str, *, end_ms: int
    ) -> Mapping[str, Sequence[Stored]]:
        """The same for many schools, each from a start of its own."""
        ...

    def rtt_rollups(self, school_id: str, *, start_ms: int, end_ms: int) -> Sequence[RollUp]:
        """Hours that begin in the window."""
        ...


class Schools(Protocol):
    """The registry, as far as the page is concerned."""

    def schools(self) -> Iterable[School]: ...
    def devices_of(self, school_id: str, /) -> Iterable[Placement]: ...


class SinkHealth(Protocol):
    """How one sink keeps up with the journal."""

    @property
    def lag_entries(self) -> int: ...
    @property
    def lag_s(self) -> float | None: ...
    @property
    def written(self) -> int: ...
    @property
    def rejected(self) -> int: ...
    @property
    def available(self) -> bool | None: ...
    @property
    def problem(self) -> str | None: ...


class Health(Protocol):
    """The collector's own counters since it started."""

    @property
    def mqtt_connected(self) -> bool: ...
    @property
    def mqtt_problem(self) -> str | None: ...
    @property
    def messages_received(self) -> int: ...
    @property
    def messages_refused(self) -> Mapping[str, int]: ...
    @property
    def records_accepted(self) -> int: ...
    @property
    def records_duplicate(self) -> int: ...
    @property
    def records_refused(self) -> int: ...
    @property
    def records_dropped_by_agents(self) -> int: ...
    @property
    def queue_drops(self) -> int: ...
    @property
    def acks_sent(self) -> int: ...
    @property
    def journal_bytes(self) -> int: ...
    @property
    def journal_entries(self) -> int: ...
    @property
    def journal_damaged(self) -> int: ...
    @property
    def journal_problem(self) -> str | None: ...
    @property
    def crl_until_s(self) -> float | None: ...
    @property
    def dead_letters(self) -> int: ...
    @property
    def dead_letters_dropped(self) -> int: ...
    @property
    def sinks(self) -> Mapping[str, SinkHealth]: ...


@dataclass(frozen=True, kw_only=True)
class View:
    """Everything the page may look at."""

    registry: Schools
    reader: Reader
    health: Health
    now: Callable[[], float] = time.time

    def now_ms(self) -> int:
        """Unix time in milliseconds."""
        return int(self.now() * 1000)
