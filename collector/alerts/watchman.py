# SPDX-License-Identifier: Apache-2.0
"""How does what is heard become what is told? A consumer of the journal with a look at the clock.

It begins at the journal's end: what happened before it was there raises no alert, nor does what a device
sends of its past, nor what the collector itself comes to late. Alarms, what is to be told of them and the
place in the journal up to where they are true are stored together, so whenever it is killed, it goes on from
there: nothing is told twice, and nothing is forgotten.

`feed` takes signs that no record holds, from any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from collector.alerts.dispatch import Dispatch, sound_outbox
from collector.alerts.engine import Engine
from collector.alerts.event import AlertEvent
from collector.alerts.firing import Firing
from collector.alerts.fleet import Fleet
from collector.alerts.hours import read_hours
from collector.alerts.memory import Memory
from collector.alerts.options import AlertOptions, HookOptions
from collector.alerts.own import OwnFigures, all_rules
from collector.alerts.sign import Promised, Sign, signs
from collector.alerts.word import Words
from collector.contracts.book import NO_CONTRACTS, Contracts
from collector.errors import CollectorError
from collector.registry import Registry, School
from collector.sinks.base import Gap, Measurement, SinkUnavailable

log = logging.getLogger("collector.alerts.watchman")

LIVE_MS = 600_000
"""What was measured longer ago is the past."""
_WELL_S = 120.0
_STORED_EVERY_MS = 5_000
_HOUR_S, _DAY_S, _DAY_MS = 3600.0, 86_400.0, 86_400_000
_HEARD = "heard"
OURSELVES = "collector"
"""The device as which the collector keeps its diary: it is always heard, and stands at no school."""
_CURSOR, _ALIVE = "cursor", "alive_ms"

Hourly = Callable[[int], Iterable[Sign]]


def now_ms() -> int:
    """Wall clock."""
    return int(time.time() * 1000)


class Watchman:
    """A sink of the journal; `run` decides and carries.

    Args:
        options: the table `[alerts]`.
        hooks: options of the hooks, by name.
        registry: who is where.
        contracts: what schools are promised.
        clock_ms: wall clock.
        hourly: who knows signs that no record holds; each is asked once an hour, with the time.
    """

    name = "alerts"
    moves = True
    begins_at_end = True

    def __init__(
        self,
        options: AlertOptions,
        hooks: Mapping[str, HookOptions],
        registry: Registry,
        *,
        contracts: Contracts = NO_CONTRACTS,
        clock_ms: Callable[[], int] = now_ms,
        hourly: Sequence[Hourly] = (),
    ) -> None:
        self._options, self._registry = options, registry
        self._clock_ms, self._hourly = clock_ms, hourly
        self._rules = all_rules(options.rules)
        self._own = OwnFigures(self._rules)
        self._promised = Promised(contracts=contracts, plans_gb=options.data_plan_gb)
        self.outbox = sound_outbox(Path(options.directory))
        self.memory, self.words = Memory(self.outbox), Words(self.outbox)
        self.dispatch = Dispatch(self.outbox, hooks, is_well=self._is_well)
        self._lock = threading.Lock()
        self._untold: list[AlertEvent] = []
        self._place = self.memory.noted(_CURSOR)
        self._stored_ms = 0
        self._ticked_s = time.monotonic()
        self.engine = self._woken_engine()
        self.firing: tuple[Firing, ...] = self.engine.firing(clock_ms())
        """What fires, as of the last look; any thread may read it."""

    def _woken_engine(self) -> Engine:
        at_ms, alive = self._clock_ms(), self.memory.noted(_ALIVE)
        return Engine(
            self._rules,
            hours=read_hours(self._options.service_hours, self._options.time_zone),
            alarms=self.memory.alarms(),
            now_ms=at_ms,
            asleep_ms=max(0, at_ms - int(alive)) if alive is not None else 0,
            group_wait_ms=1000 * self._options.group_wait_s,
        )

    async def cursor(self) -> str | None:
        """Where to go on."""
        return self._place

    async def write(self, batch: Sequence[Measurement]) -> None:
        """Keep up; nothing is told here."""
        await self.write_at(batch, self._place or "")

    async def write_at(self, batch: Sequence[Measurement], cursor: str, gaps: Sequence[Gap] = ()) -> None:
        """Keep up, up to that place in the journal.

        Raises:
            SinkUnavailable: it could not be stored.
        """
        del gaps
        await asyncio.to_thread(self._take, batch, cursor)

    def feed(self, found: Iterable[Sign]) -> None:
        """Signs of now that no record holds; any thread may call.

        Raises:
            sqlite3.Error: they are taken, but not stored yet.
        """
        with self._lock:
            self.engine.take(found, self._clock_ms())
            self._store()

    async def close(self) -> None:
        """Store what changed since the last look."""
        await asyncio.to_thread(self._close)

    async def run(self) -> None:
        """Look every few seconds, and have the hooks carry, until cancelled."""
        hourly_s, daily_s = 0.0, time.monotonic()
        with self.dispatch.running():
            while True:
                if time.monotonic() - hourly_s >= _HOUR_S:
                    hourly_s = time.monotonic()
                    await asyncio.to_thread(self.ask)
                await asyncio.to_thread(self.look)
                if time.monotonic() - daily_s >= _DAY_S:
                    daily_s = time.monotonic()
                    await asyncio.to_thread(self._forget)
                await asyncio.sleep(self._options.look_every_s)

    def look(self) -> None:
        """Decide; whatever goes wrong is tried again at the next look."""
        with self._noting("alerts"):
            self.tick()
            self._ticked_s = time.monotonic()

    def ask(self) -> None:
        """What others know."""
        for source in self._hourly:
            with self._noting("hourly signs"):
                try:
                    # All of it before anything is held up by it.
                    found = list(source(self._clock_ms()))
                except (SinkUnavailable, CollectorError) as e:
                    log.warning("alerts.unasked problem=%s", e)
                    continue
                self.feed(found)

    def tick(self) -> list[AlertEvent]:
        """Decide, and put what is to be told into the outbox.

        Raises:
            sqlite3.Error: it could not be stored; it is kept for the next time.
        """
        with self._lock:
            at_ms = self._clock_ms()
            fleet = self._fleet(at_ms)
            before = len(self._untold)
            # One by one: what was decided before something failed is decided.
            for event in self.engine.tick(at_ms, fleet):
                self._untold.append(event)
            for said in self.words.acknowledgements(at_ms):
                self._untold += self.engine.acknowledge(said.alert, said.owner, said.until_ms, at_ms, fleet)
            events = self._untold[before:]
            if self._untold or self.engine.alarms.changed or at_ms - self._stored_ms >= _STORED_EVERY_MS:
                self._store()
            self._escalate(at_ms, fleet)
            self.firing = self.engine.firing(at_ms)
        return events

    def _fleet(self, at_ms: int) -> Fleet:
        mutes = [mute for mute in self.words.mutes(at_ms) if mute.from_ms <= at_ms]

        def is_muted(school: School) -> bool:
            return any(mute.holds(school, at_ms) for mute in mutes)

        return Fleet.of(self._registry, at_ms, is_muted)

    def _take(self, batch: Sequence[Measurement], cursor: str) -> None:
        with self._lock:
            at_ms = self._clock_ms()
            for measurement in batch:
                self.engine.take(self._signs(measurement, at_ms), measurement.received_ms)
            self._place = cursor
            # What only moves the pulse of healthy schools is cheaper to hear again than to store.
            if self.engine.alarms.changed or at_ms - self._stored_ms >= _STORED_EVERY_MS:
                try:
                    self._store()
                except sqlite3.Error as e:
                    raise SinkUnavailable(f"alerts: {e}") from e

    def _signs(self, measurement: Measurement, at_ms: int) -> Iterator[Sign]:
        if measurement.device == OURSELVES:
            return iter(())
        found = itertools.chain(signs(measurement, self._promised), self._own.signs(measurement))
        came_ms = max(at_ms, measurement.received_ms)
        is_live = came_ms - measurement.at_ms <= LIVE_MS and not measurement.backlog
        return (sign for sign in found if is_live or sign.figure == _HEARD)

    def _store(self) -> None:
        """Everything that is new, or nothing; what fails is still new."""
        changed, untold, at_ms = self.engine.alarms.changed, self._untold, self._clock_ms()
        with self.outbox.transaction():
            self.memory.keep(changed.values())
            for event in untold:
                self.dispatch.put(event)
            self.memory.note(_ALIVE, str(at_ms))
            if self._place:
                self.memory.note(_CURSOR, self._place)
        for event in untold:
            log.info("alert.%s rule=%s alert=%s %s", event.state, event.rule, event.alert, event.summary)
        self.engine.alarms.changed, self._untold, self._stored_ms = {}, [], at_ms

    def _escalate(self, at_ms: int, fleet: Fleet) -> None:
        for alarm in self.engine.alarms.told():
            is_held = alarm.is_owned(at_ms) or alarm.parent is not None
            is_muted = bool(alarm.school) and fleet.is_quiet(alarm)
            if alarm.alert is not None and not is_held and not is_muted:
                self.dispatch.escalate(alarm.alert, at_ms)

    def _forget(self) -> None:
        with self._noting("old events"):
            before_ms = self._clock_ms() - self._options.keep_days * _DAY_MS
            self.outbox.forget(before_ms, hooks=self.dispatch.hooks)

    def _is_well(self) -> bool:
        """Whether somebody still decides; no hook says that all is well otherwise."""
        return time.monotonic() - self._ticked_s < _WELL_S

    def _close(self) -> None:
        with self._lock:
            with self._noting("the last look"):
                self._store()
            self.outbox.close()

    @contextlib.contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        """Alerts that fail are told in the log and hold up nobody else."""
        try:
            yield
        except Exception:
            log.exception("alerts.failed what=%s", what)
