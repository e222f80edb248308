# SPDX-License-Identifier: Apache-2.0
"""How was the collector itself, at any time that is past? It measures itself, as any device is measured.

Where the registry places a device called `collector`, records of kind `collector` enter its own journal once
a minute, one for the journal and one for each sink, and reach every sink from there.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from agent.contract import topics
from agent.contract.codec import encode
from agent.contract.kinds import Collector
from agent.contract.record import Batch, ClockState, Record
from collector.health import Health
from collector.message import Message
from collector.registry import Registry

DEVICE = "collector"
JOURNAL = "journal"
EVERY_S = 60.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Diary:
    """What the collector writes of itself.

    Attributes:
        offer: puts a message among those that wait to be stored.
    """

    def __init__(self, health: Health, registry: Registry, offer: Callable[[Message], bool]) -> None:
        self._health = health
        self._registry = registry
        self._offer = offer
        self._session = secrets.token_hex(8)
        self._next_seq = 1

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await asyncio.sleep(EVERY_S)
            self.write(_clock())

    def write(self, clock: ClockState) -> bool:
        """Write one page; false where no such device is registered, or too much is waiting already."""
        if not self._registry.knows(DEVICE):
            return False
        records = tuple(
            Record(seq=self._next_seq + i, kind=Collector.kind, clock=clock, duration_ms=0, fields=fields)
            for i, fields in enumerate(self._pages())
        )
        batch = Batch(
            device=DEVICE,
            session=self._session,
            first_seq=self._next_seq,
            clock=clock,
            records=records,
            want_ack=False,
        )
        if not self._offer(Message(topics.up(DEVICE), encode(batch), clock.wall_ms)):
            return False
        self._next_seq += len(records)
        return True

    def _pages(self) -> Iterator[Collector]:
        health = self._health
        yield Collector(
            part=JOURNAL,
            available=health.journal_problem is None,
            entries=health.journal_entries,
            bytes=health.journal_bytes,
            free_bytes=health.journal_free_bytes,
            damaged=health.journal_damaged,
            waiting=health.inbox_messages,
            dead_letters=health.dead_letters,
            dead_letters_dropped=health.dead_letters_dropped,
            messages_refused=sum(health.messages_refused.values()),
            queue_drops=health.queue_drops,
            unproven=health.records_unproven,
            written=health.records_accepted,
            lost=health.records_dropped_by_agents,
            devices_heard=len(health.heard_ms),
        )
        for name, sink in sorted(health.sinks.items()):
            yield Collector(
                part=name,
                available=sink.available,
                lag_entries=sink.lag_entries,
                lag_s=sink.lag_s,
                written=sink.written,
                rejected=sink.rejected,
            )


def _clock() -> ClockState:
    """The collector's clock counts as good: it must have a time service (decision 0013)."""
    try:
        boot = _BOOT_ID.read_text().replace("-", "")[:8]
    except OSError:
        boot = "00000000"
    mono_ms = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    return ClockState(wall_ms=int(time.time() * 1000), mono_ms=mono_ms, boot=boot, age_s=0)
