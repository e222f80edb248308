# SPDX-License-Identifier: Apache-2.0
"""The page to read first: what happens to a message from the broker to the page?

    receiver → inbox → intake ──→ journal ──┬→ consumer → sink (embedded store) → page
                 (admission,  (fsync)  │    ├→ consumer → sink (InfluxDB)
                 dead letters)         │    └→ consumer → watchman (alerts) → outbox → hooks
    receiver ←─ acknowledgement ───────┘

One task per box, none of which ends by itself. A sink that is down holds up neither the others nor the
acknowledgements; a journal that cannot be written holds up both, since what is not kept is not acknowledged.

The end, in this order: take nothing more in, store and acknowledge what is in, disconnect, stop feeding the
sinks, close the journal, close the sinks. Any other end is as good: all goes on from what is on the disk.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from collector.alerts.watchman import Watchman
from collector.authority import duty
from collector.authority.desk import Desk
from collector.backoff import Backoff
from collector.config import Config, read_registry, registry_files
from collector.consumer import Consumer
from collector.cursor import cursor_of
from collector.deadletters import DeadLetters
from collector.diary import Diary
from collector.errors import JournalUnavailable
from collector.growth import Growth
from collector.health import Health
from collector.inbox import Inbox
from collector.intake import Intake
from collector.journal import Journal
from collector.playback import Playback
from collector.receiver import Receiver
from collector.retention import Retention
from collector.roll import Roll
from collector.segment import Damage
from collector.settling import Settling
from collector.sinks.base import Sink
from collector.sinks.reader import StoreReader
from collector.upkeep import Upkeep
from collector.web.server import PageUnavailable, serve
from collector.web.view import View

log = logging.getLogger("collector.pipeline")

_GROUP_MESSAGES = 500
_GROUP_CPU_S = 0.1
"""What a group may cost before it is committed and acknowledged: everybody else waits for that."""
_TIDY_EVERY_S = 3600
_STORE_S = 10


async def run(config: Config, stop: asyncio.Event) -> None:
    """Collect until told to stop.

    Raises:
        JournalLocked: another collector has the journal.
        JournalUnavailable: the journal cannot be opened at all.
        ConfigError: a sink or the authority cannot be used; nothing was made then.
    """
    health = Health.of([*config.sinks, *(["alerts"] if config.watches else [])])
    # The journal last: what is refused is refused before there is a trace of it.
    async with _sinks(config) as sinks, _desk(config) as desk:
        with contextlib.closing(await _journal(config)) as journal:
            await _Pipeline(config=config, health=health, journal=journal, sinks=sinks, desk=desk).run(stop)


async def _journal(config: Config) -> Journal:
    options = config.options.journal
    return await asyncio.to_thread(
        Journal.open,
        Path(options.directory),
        archive=options.archive,
        segment_bytes=options.segment_bytes,
    )


@dataclass(kw_only=True)
class _Pipeline:
    config: Config
    health: Health
    journal: Journal
    sinks: Sequence[Sink]
    desk: Desk

    async def run(self, stop: asyncio.Event) -> None:
        letters = DeadLetters(
            Path(self.config.options.dead_letters.directory),
            self.health,
            max_bytes_per_day=self.config.options.dead_letters.max_bytes_per_day,
            kept_days=self.config.options.dead_letters.kept_days,
        )
        self.inbox = Inbox()
        intake = Intake(
            journal=self.journal,
            registry=self.config.registry,
            dead_letters=letters,
            health=self.health,
            max_message_bytes=self.config.options.journal.max_message_bytes,
            desk=self.desk,
            min_free_bytes=self.config.options.journal.min_free_bytes,
            charge=self.inbox.charge,
        )
        self.receiver = Receiver(self.config.broker, self.inbox, self.health)
        self.growth = Growth(self.journal.committed)
        self.damages: set[Damage] = set(self.journal.damages)
        self.consumers = [self._consumer(sink, letters) for sink in self.sinks]
        async with asyncio.TaskGroup() as tasks:
            receiving = tasks.create_task(self.receiver.run(), name="receiver")
            entering = tasks.create_task(self._enter(intake, stop), name="intake")
            others = [
                *(tasks.create_task(c.run(self.growth), name=f"sink.{c.sink.name}") for c in self.consumers),
                *(tasks.create_task(_tidy(sink), name=f"tidy.{sink.name}") for sink in self.sinks),
                tasks.create_task(self._show(), name="page"),
                tasks.create_task(self._do_duty(), name="authority"),
                tasks.create_task(self._upkeep().run(), name="upkeep"),
                tasks.create_task(self._roll().run(), name="registry"),
                tasks.create_task(
                    Diary(self.health, self.config.registry, self.inbox.offer).run(), name="diary"
                ),
                *(tasks.create_task(s.run(), name="alerts") for s in self.sinks if isinstance(s, Watchman)),
            ]
            await stop.wait()
            log.info("collector.stopping")
            self.inbox.close()
            await entering
            for task in (receiving, *others):
                task.cancel()

    async def _enter(self, intake: Intake, stop: asyncio.Event) -> None:
        """Store and acknowledge, group by group, until the inbox is closed and empty."""
        backoff = Backoff(first_s=1, most_s=30)
        intake.note_journal()
        while group := await self.inbox.take(_GROUP_MESSAGES, _GROUP_CPU_S):
            self.health.inbox_messages = len(self.inbox)
            before = self.journal.entries
            try:
                answers = await asyncio.to_thread(intake.take, group)
            except JournalUnavailable as e:
                self._note_journal_problem(str(e))
                self.health.messages_unstored += group.count
                await _wait(stop, backoff.next_s())
                continue
            backoff.reset()
            if self.journal.entries > before:  # a group with nothing new says nothing of the disk
                self._note_journal_problem(None)
            self.health.acks_sent += sum(self.receiver.publish(answer) for answer in answers)
            self.growth.announce(self.journal.committed)
            self._note_progress()

    def _consumer(self, sink: Sink, letters: DeadLetters) -> Consumer:
        clocks = self.journal.directory / "cursors" / f"{sink.name}.clocks"
        holds = not getattr(sink, "moves", False)
        return Consumer(
            settling=Settling(
                clocks,
                self.journal.directory,
                self.config.registry,
                archive=self.journal.shelf.archive,
                holds=holds,
            ),
            sink=sink,
            cursor=cursor_of(sink, self.journal.directory / "cursors"),
            playback=Playback(self.journal.directory, archive=self.journal.shelf.archive),
            registry=self.config.registry,
            dead_letters=letters,
            health=self.health.sinks[sink.name],
            damages=self.damages,
            on_progress=self._note_progress,
        )

    def _upkeep(self) -> Upkeep:
        options = self.config.options.journal
        return Upkeep(
            journal=self.journal,
            key_file=options.checkpoint_key,
            retention=Retention(keep_days=options.keep_days, keep_bytes=options.keep_bytes),
            passed=lambda: min((c.passed for c in self.consumers), default=self.journal.committed),
            health=self.health,
            offer=self.receiver.publish,
        )

    def _roll(self) -> Roll:
        options = self.config.options.registry
        return Roll(
            registry=self.config.registry,
            files=registry_files(options),
            read=lambda: read_registry(options),
            health=self.health,
        )

    def _note_progress(self) -> None:
        self.health.journal_damaged = len(self.damages)
        for consumer in self.consumers:
            consumer.note_lag(self.journal.entries, self.health.last_received_ms)

    def _note_journal_problem(self, problem: str | None) -> None:
        if problem is not None and self.health.journal_problem is None:
            log.error("journal.unavailable problem=%s", problem)
        if problem is None and self.health.journal_problem is not None:
            log.info("journal.available")
        self.health.journal_problem = problem

    async def _do_duty(self) -> None:
        await duty.run(self.desk, self.config.options.authority, self.config.broker, self.health)

    async def _show(self) -> None:
        """Keep the page up; evidence is collected whether anybody can look at it or not."""
        store = self.config.sinks.get("store")
        if store is None:
            return
        watchmen = [sink for sink in self.sinks if isinstance(sink, Watchman)]
        view = View(
            registry=self.config.registry,
            reader=StoreReader(Path(store.path)),
            health=self.health,
            firing=lambda: next((w.firing for w in watchmen), None),
        )
        await self._store_is_there()
        backoff = Backoff(first_s=5, most_s=300)
        while self.config.options.web.enabled:
            try:
                await serve(self.config.options.web, view)
            except PageUnavailable as e:
                log.warning("page.unavailable problem=%s", e)
            except Exception:
                log.exception("page.failed")
            await asyncio.sleep(backoff.next_s())

    async def _store_is_there(self) -> None:
        """The store is made when its consumer starts; the page comes anyhow, to say that there is none."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STORE_S):
                for consumer in self.consumers:
                    if consumer.sink.name == "store":
                        await consumer.started.wait()


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    """Sleep, but not when the end has come."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


@contextlib.asynccontextmanager
async def _sinks(config: Config) -> AsyncIterator[list[Sink]]:
    """Every enabled sink, closed at the end."""
    async with contextlib.AsyncExitStack() as stack:
        sinks: list[Sink] = []
        for kind in config.sinks:
            sinks.append(config.make_sink(kind))
            stack.push_async_callback(sinks[-1].close)
        if config.watches:
            sinks.append(await asyncio.to_thread(config.make_watchman))
            stack.push_async_callback(sinks[-1].close)
        yield sinks


@contextlib.asynccontextmanager
async def _desk(config: Config) -> AsyncIterator[Desk]:
    """Who is who, where an authority says so."""
    authority = config.open_authority()
    try:
        yield Desk(authority)
    finally:
        if authority is not None:
            authority.close()


async def _tidy(sink: Sink) -> None:
    """Let a sink that wants to put its past in order do so once an hour."""
    tidy = getattr(sink, "tidy", None)
    while tidy is not None:
        try:
            await tidy(int(time.time() * 1000))
        except Exception as e:  # noqa: BLE001  # a sink called; it tries again in an hour
            log.warning("sink.not_tidied sink=%s problem=%s", sink.name, e)
        await asyncio.sleep(_TIDY_EVERY_S)
