# SPDX-License-Identifier: Apache-2.0
"""Is each record in the journal once, and in the store, however often the collector is killed?"""

from __future__ import annotations

import random
import threading
from collections import Counter
from pathlib import Path

import pytest

from agent.contract.codec import decode_batch
from agent.contract.ranges import RangeSet
from collector.sinks.reader import StoreReader
from tests.parts.collector import Collector, StandInAgent, eventually
from tests.parts.mosquitto import Mosquitto
from tests.unit.collector.samples import batch

KILLS = 12
PER_BATCH = 5

pytestmark = [pytest.mark.parts("mosquitto"), pytest.mark.timeout(180)]


class Load(threading.Thread):
    """Delivers batch after batch until told to stop, each several times and some again later."""

    def __init__(self, broker_port: int, device: str, chance: random.Random) -> None:
        super().__init__(name=f"load-{device}")
        self.broker_port = broker_port
        self.device = device
        self.chance = chance
        self.stopping = threading.Event()
        self.delivered = 0
        self.problem: Exception | None = None

    def run(self) -> None:
        try:
            with StandInAgent(self.broker_port, self.device) as agent:
                while not self.stopping.is_set():
                    self._deliver_next(agent)
        except Exception as e:  # noqa: BLE001  # told by the test, in its own thread
            self.problem = e

    def _deliver_next(self, agent: StandInAgent) -> None:
        first = self.delivered * PER_BATCH + 1
        made = batch(range(first, first + PER_BATCH), device=self.device)
        for _ in range(self.chance.randint(0, 3)):
            agent.send(made)
        if first > PER_BATCH:
            agent.send(batch(range(first - PER_BATCH, first + 2), device=self.device))
        agent.deliver(made, within_s=60)
        self.delivered += 1


def journalled(collector: Collector) -> Counter[tuple[str, int]]:
    """How often each record is new in the journal."""
    return Counter(
        (entry.device, record.seq)
        for entry in collector.entries()
        for record in decode_batch(entry.payload).batch.records
        if record.seq in RangeSet(entry.new)
    )


def test_every_acknowledged_record_is_kept_once_over_kills(tmp_path: Path) -> None:
    chance = random.Random(2)
    with Mosquitto(tmp_path) as broker:
        loads = [Load(broker.port, device, chance) for device in ("kz-1", "kz-2")]
        with Collector(tmp_path, broker.port, extra="") as collector:
            for load in loads:
                load.start()
            for _ in range(KILLS):
                target = sum(load.delivered for load in loads) + chance.randint(0, 6)
                eventually(lambda target=target: sum(load.delivered for load in loads) >= target)  # type: ignore[misc]
                threading.Event().wait(chance.random() * 0.05)
                collector.kill9()
                collector.start()
            for load in loads:
                load.stopping.set()
            for load in loads:
                load.join(60)
            assert [load.problem for load in loads] == [None, None]

            kept = journalled(collector)
            sent = {(x.device, seq) for x in loads for seq in range(1, x.delivered * PER_BATCH + 1)}
            assert set(kept) == sent
            assert set(kept.values()) == {1}
            store = StoreReader(collector.directory / "store.db")
            eventually(lambda: store.count() == len(sent))
