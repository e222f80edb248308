# SPDX-License-Identifier: Apache-2.0
"""How do clock, probes, spool and publisher run together, and in which order do they stop?

Stopping: no new rounds and those under way given up, the spool committed, then the connection closed. What
was not acknowledged is sent after the next start.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import logging
import signal
import time
from importlib import metadata
from pathlib import Path

from agent.clock.clock import Clock
from agent.config import AgentConfig, AgentOptions
from agent.contract.kinds import Event, Fields, Host
from agent.echo.icmp import icmp_permission
from agent.echo.way import FAR, Way
from agent.identity.keeper import Keeper
from agent.marker import BEAT_EVERY_S, SUBJECTS, Away, MarkFile, away, mark, next_mark
from agent.outage.board import AsksDevices
from agent.outage.outage import Outage
from agent.outage.report import Report, Reporter
from agent.outage.watcher import WatcherThread
from agent.plan.counters import HostCounters
from agent.plan.ledger import Ledger
from agent.plan.turns import Turns
from agent.probes.base import CostsData
from agent.probes.host import undervoltage
from agent.publisher.link import Link
from agent.publisher.past import Past
from agent.publisher.publisher import Publisher
from agent.scheduler import Scheduler
from agent.spool.alone import Alone
from agent.spool.sessions import Sessions
from agent.spool.spool import Spool
from agent.spool.value import age_days

log = logging.getLogger("agent.service")

_MARKER = "running"
_WATCH_CLOCK_S = 5.0
_LOOK_EVERY_S = 1.0
_COUNT_EVERY_S = 60.0
_LONGEST_GRACE_S = 900.0


class Service:
    """The resident program."""

    def __init__(self, config: AgentConfig) -> None:
        self._config = config
        options = config.options
        directory = Path(options.spool.directory)
        self._alone = Alone([directory, config.runtime_directory or directory])
        self._clock = Clock(directory / "clock")
        self._marker = MarkFile(directory / _MARKER)
        self._mark = self._marker.read()
        self._before = self._mark
        self._away: Away | None = None
        self._reporter = Reporter()
        self._spool = Spool(
            directory,
            self._clock.now,
            early=config.runtime_directory,
            max_bytes=options.spool.max_bytes,
            max_memory_bytes=options.spool.max_memory_bytes,
            max_age_days=options.spool.max_age_days,
            segment_bytes=options.spool.segment_bytes,
            commit_every_s=options.spool.commit_every_s,
            sent_grace_s=_sent_grace_s(options),
        )
        self._sessions = Sessions(directory, config.runtime_directory)
        self._link = Link(options.device, self._spool.session, options.mqtt, config.password, config.tls)
        self._publisher = Publisher(
            options.device,
            self._spool,
            self._link,
            options.mqtt,
            self._clock.now,
            learn=self._clock.learn,
            past=Past(self._spool.session, self._ended(), self._spool.is_pending),
        )
        self._keeper = Keeper(config.options, self._link, self._clock.now)
        self._publisher.seal = self._keeper.seal
        self._publisher.on_time = self._keeper.note_time
        counters = HostCounters(options.plan.interface)
        self._ledger = Ledger(directory / "plan", options.plan, counters, self._clock.now)
        tests = [probe for probe in config.probes if isinstance(probe, CostsData)]
        turns = Turns(
            options.device,
            options.plan,
            tests,
            ledger=self._ledger,
            counters=counters,
            now=self._clock.now,
            note=self._event,
        )
        self._scheduler = Scheduler(
            options.device, config.probes, self._spool, self._clock.now, self._complete, turns=turns
        )
        self._day: dt.date | None = None
        self._wire_bytes_before_today = 0

    async def run(self) -> None:
        """Measure and send until SIGTERM or SIGINT."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        self._record_start()
        if icmp_permission() == "denied":
            log.warning("icmp.not_permitted measuring=by-tcp remedy=net.ipv4.ping_group_range")
        log.info("agent.started device=%s session=%s", self._config.options.device, self._spool.session)
        async with asyncio.TaskGroup() as group:
            publisher = group.create_task(self._publish(), name="publisher")
            workers = [
                group.create_task(self._scheduler.run(), name="scheduler"),
                group.create_task(self._commit(), name="commit"),
                group.create_task(self._watch_clock(), name="clock"),
                group.create_task(self._beat(), name="marker"),
                group.create_task(self._count(), name="plan"),
            ]
            watcher = self._start_watching()
            await stop.wait()
            for task in workers:
                task.cancel()
            await asyncio.wait(workers)
            if watcher is not None:
                await asyncio.to_thread(watcher.stop)
                self._keep_outage(self._reporter.unfinished(self._clock.now(), time.monotonic()))
            self._note_clock()
            self._clock.save(at_once=True)
            self._note_session(at_once=True)
            self._ledger.look()
            self._ledger.save()
            self._spool.close()
            publisher.cancel()
        self._write_mark(has_stopped=True)
        self._alone.close()
        log.info("agent.stopped pending=%d", self._spool.state().records)

    def _start_watching(self) -> WatcherThread | None:
        """Watch for outages in a thread beside."""
        if not self._config.options.outage.enabled:
            return None
        loop = asyncio.get_running_loop()

        def tell(outage: Outage) -> None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._tell_outage, outage)

        def tell_way(way: Way) -> None:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._ask_by, way)

        boards = [probe.board for probe in self._config.probes if isinstance(probe, AsksDevices)]
        watcher = WatcherThread(self._config.options.outage, tell, tell_way, boards)
        watcher.start()
        return watcher

    def _ask_by(self, way: Way) -> None:
        """The watch found how hosts beyond the LAN answer: the probes ask them so, too."""
        FAR.now = way
        log.info("outage.anchors_by way=%s", way)
        self._event(Event(event=f"anchors_by_{way}"))

    def _tell_outage(self, outage: Outage) -> None:
        is_over = outage.closed is not None
        log.info("outage.told scope=%s cause=%s is_over=%s", outage.scope, outage.cause, is_over)
        self._keep_outage(self._reporter.report(outage, self._clock.now(), time.monotonic()))

    def _keep_outage(self, report: Report | None) -> None:
        if report is None:
            return
        self._spool.append(
            kind=report.fields.kind, clock=report.clock, duration_ms=report.duration_ms, fields=report.fields
        )
        self._publisher.hurry()

    async def _beat(self) -> None:
        """Note now and then that the agent runs, for when it does not any more."""
        while True:
            await asyncio.sleep(BEAT_EVERY_S)
            self._write_mark()

    def _write_mark(self, *, has_stopped: bool = False) -> None:
        short_boots = 0 if self._mark is None else self._mark.short_boots
        is_low = undervoltage() is True
        now = self._clock.now()
        self._mark = mark(now, short_boots=short_boots, is_low=is_low, has_stopped=has_stopped)
        try:
            self._marker.write(self._mark)
        except OSError as e:
            log.warning("agent.no_marker problem=%s", e)

    async def _publish(self) -> None:
        """Measure from the start on, send as soon as there is an identity to send with."""
        await self._keeper.enrol()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._publisher.run(), name="publishing")
            group.create_task(self._keeper.run(), name="identity")

    async def _commit(self) -> None:
        while True:
            await asyncio.sleep(min(_LOOK_EVERY_S, self._config.options.spool.commit_every_s))
            self._spool.commit_if_due()
            self._note_session()

    def _ended(self) -> dict[str, int]:
        """Sessions of earlier starts, and how far they went; none where more of them may come to light."""
        return {} if self._spool.is_unread else self._sessions.ended(self._clock.now().wall_ms)

    def _note_session(self, *, at_once: bool = False) -> None:
        now = self._clock.now()
        self._sessions.note(
            self._spool.session,
            self._spool.last_seq,
            wall_ms=now.wall_ms,
            mono_ms=now.mono_ms,
            at_once=at_once,
        )

    async def _count(self) -> None:
        while True:
            self._ledger.look()
            await asyncio.sleep(_COUNT_EVERY_S)

    async def _watch_clock(self) -> None:
        while True:
            self._note_clock()
            self._clock.save()
            await asyncio.sleep(_WATCH_CLOCK_S)

    def _note_clock(self) -> None:
        for event in self._clock.take_events():
            self._event(event)
        self._date_mark()
        self._tell_power_cut()

    def _date_mark(self) -> None:
        """Not leave it to the next beat to say when: boots that are cut short often end before."""
        is_undated = self._mark is not None and self._mark.wall_ms is None
        if is_undated and self._clock.now().age_s is not None:
            self._write_mark()

    def _record_start(self) -> None:
        """Say that the agent started, and whether it had been stopped properly before."""
        now = self._clock.now()
        gone = self._away = away(self._before, now)
        figures = {
            "lasted_s": gone.lasted_s,
            "last_seen_wall_ms": gone.last_seen_wall_ms,
            "resolution_s": gone.resolution_s,
        }
        if gone.end in SUBJECTS:
            self._event(Event(event="unclean_shutdown", subject=SUBJECTS[gone.end], **figures))  # type: ignore[arg-type]
        damaged_bytes = self._spool.state().damaged_bytes
        if damaged_bytes:
            self._event(Event(event="spool_damaged", count=damaged_bytes, subject="bytes"))
        version = metadata.version("schoolpulse")
        self._event(Event(event="agent_started", subject=version, **figures))  # type: ignore[arg-type]
        self._mark = next_mark(self._before, now)
        self._write_mark()
        self._spool.commit()
        self._note_session(at_once=True)
        self._publisher.hurry()

    def _event(self, event: Event) -> None:
        self._spool.append(kind=Event.kind, clock=self._clock.now(), duration_ms=0, fields=event)

    def _tell_power_cut(self) -> None:
        """Say how long the power was away as soon as the clock can tell."""
        if self._away is None or self._away.end not in {"power_cut", "brown_out"}:
            return
        known = away(self._before, self._clock.now())
        if known.lasted_s is None:
            return
        self._away = None
        self._event(
            Event(
                event="power_cut",
                subject=SUBJECTS[known.end],
                lasted_s=known.lasted_s,
                last_seen_wall_ms=known.last_seen_wall_ms,
                resolution_s=known.resolution_s,
            )
        )

    def _complete(self, fields: Fields) -> Fields:
        """Add what only the agent knows about itself."""
        if not isinstance(fields, Host):
            return fields
        state, now = self._spool.state(), self._clock.now()
        oldest_days = age_days(state.oldest, now) if state.oldest else None
        return dataclasses.replace(
            fields,
            spool_records=state.records,
            spool_bytes=state.bytes,
            spool_oldest_s=None if oldest_days is None else float(round(oldest_days * 86_400)),
            spool_writable=state.problem is None,
            spool_dropped=state.dropped,
            wire_bytes_today=self._wire_bytes_today(),
            test_bytes_month=self._ledger.usage.test_bytes,
            line_bytes_month=self._ledger.usage.line_bytes if self._ledger.usage.looks else None,
        )

    def _wire_bytes_today(self) -> int:
        """Payload bytes since UTC midnight, or since the agent's start where that was later."""
        today = dt.datetime.fromtimestamp(self._clock.now().wall_ms / 1000, dt.UTC).date()
        if today != self._day:
            self._day, self._wire_bytes_before_today = today, self._link.wire_bytes
        return self._link.wire_bytes - self._wire_bytes_before_today


def _sent_grace_s(options: AgentOptions) -> float:
    """How long what was sent may wait for its acknowledgement before it goes to the card after all."""
    if not options.spool.trust_connection:
        return options.spool.commit_every_s
    mqtt = options.mqtt
    grace_s = mqtt.asks_every_s + mqtt.report_every_s + mqtt.ack_timeout_s
    return max(options.spool.commit_every_s, min(_LONGEST_GRACE_S, grace_s))
