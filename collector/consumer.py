# SPDX-License-Identifier: Apache-2.0
"""How does one sink get everything that is in the journal, however often it fails?

Each sink has a consumer of its own with its own place in the journal; none waits for another. What a sink
cannot take now it is offered again and again; what it will never take goes to the dead letters.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from collector.backoff import Backoff
from collector.cursor import Cursor
from collector.deadletters import DeadLetters
from collector.entry import Entry
from collector.growth import Growth
from collector.health import SinkHealth
from collector.measuring import gaps
from collector.playback import START, Page, Playback
from collector.registry import Registry
from collector.segment import Damage, Position
from collector.settling import Settling
from collector.sinks.base import Gap, Measurement, Sink, SinkRejected, SinkUnavailable

log = logging.getLogger("collector.consumer")

_ENTRIES_PER_WRITE = 100
T = TypeVar("T")


@dataclass(kw_only=True)
class _Found:
    """What some entries hold."""

    measurements: list[Measurement] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)


@dataclass(kw_only=True)
class Consumer:
    """Feeds one sink.

    Attributes:
        damages: what could not be read of the journal, by any consumer that shares the set.
        started: set once it knows where to go on.
        passed: everything before it is handed over and need not be read again.
        on_progress: called after each hand-over.
        patience: after so many tries in vain give up; None never does.
        settling: what it knows of the devices' clocks; kept in memory where none is given.
    """

    sink: Sink
    cursor: Cursor
    playback: Playback
    registry: Registry
    dead_letters: DeadLetters
    health: SinkHealth
    damages: set[Damage] = field(default_factory=set)
    patience: int | None = None
    settling: Settling | None = None
    on_progress: Callable[[], None] = lambda: None
    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=1, most_s=120))
    started: asyncio.Event = field(default_factory=asyncio.Event)
    passed: Position = START
    _number: int | None = None
    _received_ms: int | None = None

    def __post_init__(self) -> None:
        holds = not getattr(self.sink, "moves", False)
        shelf = self.playback.shelf
        self.clocks = self.settling or Settling(
            None, shelf.directory, self.registry, archive=shelf.archive, holds=holds
        )

    async def run(self, growth: Growth) -> None:
        """Go on where it stopped, then follow the journal until cancelled."""
        await self.start(growth.committed)
        while True:
            grown = growth.next()
            if not await self.feed(until=growth.committed):
                await grown.wait()

    async def start(self, committed: Position) -> None:
        """Find the place where to go on."""
        begins = committed if getattr(self.sink, "begins_at_end", False) else START
        known = await self._until_it_works(self.cursor.load)
        at = begins if known is None or known > committed else known
        if known is not None and known > committed:
            log.warning("cursor.beyond_journal sink=%s at=%s end=%s", self.sink.name, known, committed)
        if at != (known or START):
            # At once: the journal may have outgrown this place before the sink takes anything.
            await self._until_it_works(lambda: self.cursor.write((), at))
            await self.cursor.keep(at)
        await self.catch_up(at)
        self.started.set()
        log.info("sink.started sink=%s at=%s", self.sink.name, at)

    async def catch_up(self, at: Position) -> None:
        """Go on from a place, knowing what the journal says of clocks before it."""
        await self._until_it_works(lambda: asyncio.to_thread(self.clocks.catch_up, at))
        self.playback.at = self.passed = at

    async def feed(self, *, until: Position | None = None) -> bool:
        """Hand over the next few entries; False when there are none."""
        before = self.playback.at
        page = await self._until_it_works(lambda: asyncio.to_thread(self._read, until))
        if page.after == before:
            return False
        if page.entries and self._number is None:
            self._number = page.entries[0].number - 1
        found = await self._until_it_works(lambda: asyncio.to_thread(self._measure, page.entries))
        await self._deliver(found, page.after)
        await self._until_it_works(lambda: asyncio.to_thread(self.clocks.keep, page.after))
        if page.entries:
            self._number, self._received_ms = page.entries[-1].number, page.entries[-1].received_ms
        self.on_progress()
        return True

    def note_lag(self, newest_number: int, newest_received_ms: int | None) -> None:
        """Say how far behind the sink is, now that this is the newest entry."""
        if self._number is None:
            return
        self.health.lag_entries = max(0, newest_number - self._number)
        if self.health.lag_entries == 0:
            self.health.lag_s = 0.0
        elif self._received_ms is not None and newest_received_ms is not None:
            self.health.lag_s = max(0.0, (newest_received_ms - self._received_ms) / 1000)

    def _read(self, until: Position | None) -> Page:
        page = self.playback.read(until=until, at_most=_ENTRIES_PER_WRITE)
        for damage in set(page.damages) - self.damages:
            log.error("journal.damaged at=%s end=%d problem=%s", damage.at, damage.end, damage.problem)
        self.damages.update(page.damages)
        return page

    def _measure(self, entries: Sequence[Entry]) -> _Found:
        found = _Found()
        self.clocks.begin()
        for entry in entries:
            try:
                found.measurements += self.clocks.take(entry)
                found.gaps += gaps(entry)
            except OSError:
                raise
            except Exception:  # it was decoded once; whatever this is, the next entry is not to wait for it
                log.exception("entry.unreadable sink=%s at=%s", self.sink.name, entry.at)
                self.health.unreadable += 1
        return found

    async def _deliver(self, found: _Found, after: Position) -> None:
        batch, refused = found.measurements, 0
        try:
            await self._until_it_works(lambda: self.cursor.write(batch, after, found.gaps))
        except SinkRejected as e:
            refused = len(e.rejections)
            await asyncio.to_thread(self._bury, batch, e)
        await self.cursor.keep(after)
        self.passed = after
        self.health.available = True
        self.health.rejected += refused
        self.health.written += len(batch) - refused

    def _bury(self, batch: Sequence[Measurement], rejected: SinkRejected) -> None:
        log.warning("sink.rejected sink=%s problem=%s", self.sink.name, rejected)
        for rejection in rejected.rejections:
            self.dead_letters.add_rejection(batch[rejection.index], self.sink.name, rejection.reason)
        self.dead_letters.commit()

    async def _until_it_works(self, work: Callable[[], Awaitable[T]]) -> T:
        """Try until it succeeds, or patience ends.

        Raises:
            SinkRejected: it succeeded but for some measurements.
            SinkUnavailable: patience ended.
        """
        tried = 0
        while True:
            tried += 1
            try:
                result = await work()
            except SinkRejected:
                self._note_problem(None)
                raise
            except Exception as e:
                if self.patience is not None and tried >= self.patience:
                    raise
                self._note_problem(e)
                await asyncio.sleep(self.backoff.next_s(at_least_s=getattr(e, "retry_after_s", None)))
            else:
                self._note_problem(None)
                return result

    def _note_problem(self, problem: Exception | None) -> None:
        """A fault is logged when it begins and when it ends, with its traceback where nobody foresaw it."""
        if problem is None:
            if self.health.problem is not None:
                log.info("sink.available sink=%s", self.sink.name)
                self.health.available = True
            self.health.problem = None
            self.backoff.reset()
            return
        if self.health.problem is None:
            traceback = None if isinstance(problem, SinkUnavailable | OSError) else problem
            log.warning("sink.unavailable sink=%s problem=%s", self.sink.name, problem, exc_info=traceback)
        self.health.available, self.health.problem = False, str(problem) or type(problem).__name__
