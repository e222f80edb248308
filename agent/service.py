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
from importlib import metadata
from pathlib import Path

from agent.clock.clock import Clock
from agent.config import AgentConfig, AgentOptions
from agent.contract.kinds import Event, Fields, Host
from agent.echo.icmp import icmp_permission
from agent.identity.keeper import Keeper
from agent.plan.counters import HostCounters
from agent.plan.ledger import Ledger
from agent.plan.turns import Turns
from agent.probes.base import CostsData
from agent.publisher.link import Link
from agent.publisher.publisher import Publisher
from agent.scheduler import Scheduler
from agent.spool.spool import Spool

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
        self._clock = Clock(directory / "clock")
        self._marker = directory / _MARKER
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
        self._link = Link(options.device, self._spool.session, options.mqtt, config.password, config.tls)
        self._publisher = Publisher(
            options.device,
            self._spool,
            self._link,
            options.mqtt,
            self._clock.now,
            learn=self._clock.learn,
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
                group.create_task(self._count(), name="plan"),
            ]
            await stop.wait()
            for task in workers:
                task.cancel()
            await asyncio.wait(workers)
            self._note_clock()
            self._clock.save(at_once=True)
            self._ledger.look()
            self._ledger.save()
            self._spool.close()
            publisher.cancel()
        with contextlib.suppress(OSError):
            self._marker.unlink()
        log.info("agent.stopped pending=%d", self._spool.state().records)

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

    def _record_start(self) -> None:
        """Say that the agent started, and whether it had been stopped properly before."""
        boot = self._clock.now().boot
        before = self._read_marker()
        if before is not None:
            subject = "agent killed" if before == boot else "power cut or reset"
            self._event(Event(event="unclean_shutdown", subject=subject))
        damaged_bytes = self._spool.state().damaged_bytes
        if damaged_bytes:
            self._event(Event(event="spool_damaged", count=damaged_bytes, subject="bytes"))
        self._event(Event(event="agent_started", subject=metadata.version("schoolpulse")))
        try:
            self._marker.write_text(boot)
        except OSError as e:
            log.warning("agent.no_marker problem=%s", e)
        self._spool.commit()
        self._publisher.hurry()

    def _event(self, event: Event) -> None:
        self._spool.append(kind=Event.kind, clock=self._clock.now(), duration_ms=0, fields=event)

    def _read_marker(self) -> str | None:
        try:
            return self._marker.read_text()
        except OSError:
            return None

    def _complete(self, fields: Fields) -> Fields:
        """Add what only the agent knows about itself."""
        if not isinstance(fields, Host):
            return fields
        state, now = self._spool.state(), self._clock.now()
        oldest_s = None
        if state.oldest and state.oldest.boot == now.boot:
            oldest_s = float((now.mono_ms - state.oldest.mono_ms) // 1000)
        return dataclasses.replace(
            fields,
            spool_records=state.records,
            spool_bytes=state.bytes,
            spool_oldest_s=oldest_s,
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
