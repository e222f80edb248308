# SPDX-License-Identifier: Apache-2.0
"""Does everything in the spool reach a collector over a real broker, whatever the two do meanwhile?"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from agent.config import MqttOptions
from agent.contract import topics
from agent.contract.codec import decode_batch, encode_ack
from agent.contract.kinds import Reach
from agent.contract.ranges import RangeSet
from agent.contract.record import Ack, Batch, ClockState
from agent.publisher.link import Link
from agent.publisher.publisher import Publisher
from agent.spool.spool import Spool
from tests.parts.mosquitto import Mosquitto, hang_up

CLOCK = ClockState(wall_ms=1_790_000_000_000, mono_ms=1000, boot="0badcafe")


class StandInCollector:
    """Keeps identities and acknowledges what it was asked to, unless told to be deaf."""

    def __init__(self, port: int) -> None:
        self.batches: list[Batch] = []
        self.stored: list[tuple[str, int]] = []
        self.has: dict[str, RangeSet] = {}
        self.is_deaf = False
        self.pause_s: int | None = None
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self.client.on_connect = lambda client, *_: client.subscribe(topics.UP_FILTER)
        self.client.on_message = self._message
        self.client.connect_async("127.0.0.1", port)
        self.client.reconnect_delay_set(1, 1)
        self.client.loop_start()

    def stop(self) -> None:
        hang_up(self.client)

    def _message(self, client: mqtt.Client, _user: Any, message: mqtt.MQTTMessage) -> None:
        if self.is_deaf:
            return
        batch = decode_batch(bytes(message.payload)).batch
        self.batches.append(batch)
        ranges = self.has.setdefault(batch.session, RangeSet())
        self.stored += [(batch.session, r.seq) for r in batch.records if r.seq not in ranges]
        ranges.add(batch.first_seq, batch.last_seq)
        if batch.want_ack:
            up_to = next((high for low, high in ranges if low == 1), 0)
            rest = tuple(r for r in ranges if r[0] > 1)
            ack = Ack(
                session=batch.session,
                up_to_seq=up_to,
                wall_ms=1_795_000_000_000,
                ranges=rest,
                pause_s=self.pause_s,
            )
            client.publish(topics.ack(batch.device), encode_ack(ack))


@contextlib.asynccontextmanager
async def publishing(spool: Spool, port: int, **options: Any) -> AsyncIterator[Publisher]:
    """A publisher at work."""
    mqtt_options = MqttOptions(
        **{
            "host": "127.0.0.1",
            "port": port,
            "report_every_s": 1,
            "ack_every_s": 2,
            "ack_timeout_s": 2,
            **options,
        }
    )
    link = Link("kz-1", spool.session, mqtt_options)
    publisher = Publisher("kz-1", spool, link, mqtt_options, lambda: CLOCK)
    task = asyncio.create_task(publisher.run())
    try:
        yield publisher
    finally:
        task.cancel()
        await asyncio.wait([task])


async def until(condition: Any, within_s: float = 25) -> None:
    """Wait for a condition, and fail when it does not come."""
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, "it did not happen"
        await asyncio.sleep(0.05)


def fill(spool: Spool, n: int) -> None:
    for _ in range(n):
        spool.append(kind="reach", clock=CLOCK, duration_ms=1, fields=Reach(up=True))


def is_complete(collector: StandInCollector, spool: Spool, n: int) -> bool:
    return len(collector.stored) == n and spool.state().records == 0


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_live_records_arrive_once_and_are_forgotten(tmp_path: Path, protocol: str) -> None:
    spool = Spool(tmp_path / "spool", lambda: CLOCK)
    with Mosquitto(tmp_path) as broker, contextlib.closing(spool):
        collector = StandInCollector(broker.port)
        async with publishing(spool, broker.port, protocol=protocol):
            for _ in range(4):
                fill(spool, 5)
                await asyncio.sleep(0.5)
            await until(lambda: is_complete(collector, spool, 20))
        collector.stop()

    assert sorted(collector.stored) == [(spool.session, n) for n in range(1, 21)]


async def test_nothing_is_sent_into_silence_and_all_follows_when_the_collector_comes(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", lambda: CLOCK)
    with Mosquitto(tmp_path) as broker, contextlib.closing(spool):
        async with publishing(spool, broker.port):
            fill(spool, 30)
            await asyncio.sleep(4)
            assert spool.state().records == 30
            collector = StandInCollector(broker.port)
            await until(lambda: is_complete(collector, spool, 30))
        collector.stop()


async def test_an_old_session_is_drained_behind_live_records(tmp_path: Path) -> None:
    old = Spool(tmp_path / "spool", lambda: CLOCK, segment_bytes=8192)
    fill(old, 500)
    old.close()
    spool = Spool(tmp_path / "spool", lambda: CLOCK)
    with Mosquitto(tmp_path) as broker, contextlib.closing(spool):
        collector = StandInCollector(broker.port)
        async with publishing(spool, broker.port, backlog_bps=200_000) as publisher:
            fill(spool, 3)
            publisher.hurry()
            await until(lambda: is_complete(collector, spool, 503))
        collector.stop()

    data = [b for b in collector.batches if b.records]
    assert {b.backlog for b in data if b.session == old.session} == {True}
    assert {b.backlog for b in data if b.session == spool.session} == {False}
    first_live = next(i for i, b in enumerate(data) if not b.backlog)
    assert first_live < len(data) - 1


async def test_a_broker_killed_and_restarted_loses_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", lambda: CLOCK)
    with Mosquitto(tmp_path) as broker, contextlib.closing(spool):
        collector = StandInCollector(broker.port)
        async with publishing(spool, broker.port):
            fill(spool, 10)
            await until(lambda: len(collector.stored) > 0)
            broker.kill9()
            fill(spool, 10)
            await asyncio.sleep(1)
            broker.start()
            fill(spool, 10)
            await until(lambda: is_complete(collector, spool, 30))
        collector.stop()

    assert len(set(collector.stored)) == 30


async def test_batches_swallowed_by_a_deaf_collector_are_sent_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", lambda: CLOCK)
    with Mosquitto(tmp_path) as broker, contextlib.closing(spool):
        collector = StandInCollector(broker.port)
        async with publishing(spool, broker.port):
            fill(spool, 5)
            await until(lambda: len(collector.stored) == 5)
            collector.is_deaf = True
            fill(spool, 5)
            await asyncio.sleep(3)
            collector.is_deaf = False
            fill(spool, 5)
            await until(lambda: is_complete(collector, spool, 15))
        collector.stop()


async def test_batches_are_cut_to_what_the_broker_takes(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", lambda: CLOCK)
    with Mosquitto(tmp_path, extra="max_packet_size 2000") as broker, contextlib.closing(spool):
        collector = StandInCollector(broker.port)
        async with publishing(spool, broker.port, payload="json", backlog_bps=10_000_000):
            fill(spool, 60)
            await until(lambda: is_complete(collector, spool, 60))
        collector.stop()

    assert max(len(b.records) for b in collector.batches) < 12
    assert "oversize" not in broker.log


async def test_two_agents_of_one_name_back_off(tmp_path: Path) -> None:
    spools = [Spool(tmp_path / name, lambda: CLOCK) for name in "ab"]
    with Mosquitto(tmp_path) as broker:
        async with publishing(spools[0], broker.port), publishing(spools[1], broker.port):
            await asyncio.sleep(12)

    assert 3 <= broker.log.count("already connected") <= 12


@pytest.mark.parametrize("session", ["its own", "another"])
async def test_an_acknowledgement_of_what_was_never_made_is_not_believed(
    tmp_path: Path, session: str
) -> None:
    """Believed, the agent would soon say that numbers are gone which it has yet to use."""
    spool = Spool(tmp_path / "spool", lambda: CLOCK)
    liar = spool.session if session == "its own" else "f" * 16
    lie = Ack(session=liar, up_to_seq=100_000, wall_ms=1_795_000_000_000)
    with Mosquitto(tmp_path) as broker, contextlib.closing(spool):
        collector = StandInCollector(broker.port)
        async with publishing(spool, broker.port):
            await until(lambda: collector.batches)
            for _ in range(30):
                collector.client.publish(topics.ack("kz-1"), encode_ack(lie))
                fill(spool, 1)
                await asyncio.sleep(0.2)
            await until(lambda: is_complete(collector, spool, 30))
        collector.stop()

    assert sorted(collector.stored) == [(spool.session, n) for n in range(1, 31)]
    assert all(batch.last_seq <= 30 for batch in collector.batches)


async def test_no_broker_at_start_stops_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", lambda: CLOCK)
    broker = Mosquitto(tmp_path)
    async with publishing(spool, broker.port):
        fill(spool, 5)
        await asyncio.sleep(1.5)
        with broker:
            collector = StandInCollector(broker.port)
            await until(lambda: is_complete(collector, spool, 5))
            collector.stop()


async def test_a_host_that_cannot_be_resolved_stops_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", lambda: CLOCK)
    async with publishing(spool, 1883, host="broker.invalid"):
        fill(spool, 5)
        await asyncio.sleep(2)

    assert spool.state().records == 5


async def test_a_collector_that_asks_for_a_pause_is_left_alone_but_for_what_is_urgent(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", lambda: CLOCK)
    with Mosquitto(tmp_path) as broker, contextlib.closing(spool):
        collector = StandInCollector(broker.port)
        collector.pause_s = 3600
        async with publishing(spool, broker.port) as publisher:
            await until(lambda: collector.batches)
            await until(lambda: publisher._hold_s() > 0)
            fill(spool, 3)
            await asyncio.sleep(3)
            assert collector.stored == []
            publisher.hurry()
            await until(lambda: len(collector.stored) == 3)

            collector.pause_s = None
            fill(spool, 3)
            publisher.hurry()
            await until(lambda: is_complete(collector, spool, 6))
            assert publisher._hold_s() == 0
        collector.stop()


async def test_an_answer_to_what_was_just_sent_tells_the_time(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", lambda: CLOCK)
    learnt: list[tuple[int, int, int]] = []
    with Mosquitto(tmp_path) as broker, contextlib.closing(spool):
        collector = StandInCollector(broker.port)
        async with publishing(spool, broker.port) as publisher:
            publisher._learn = lambda *answer: learnt.append(answer)
            fill(spool, 1)
            publisher.hurry()
            await until(lambda: bool(learnt))
        collector.stop()

    assert learnt[0] == (1_795_000_000_000, CLOCK.mono_ms, CLOCK.mono_ms)
