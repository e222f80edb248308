# SPDX-License-Identifier: Apache-2.0
"""How does a test deliver MQTT messages late, twice and out of order?"""

from __future__ import annotations

import heapq
import itertools
import random
import threading
import time
from collections import Counter
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

_UP, _ACK = "sp/1/+/+/up", "sp/1/+/+/ack"
_TICK_S = 0.02


class Relay:
    """Carries batches from the school's broker to the centre's, and acknowledgements back.

    Attributes:
        up_s: a batch is delivered up to so many seconds late, each copy on its own.
        ack_s: the same for acknowledgements.
        copies: how often each is delivered, at most.
        counts: what was done.
    """

    def __init__(self, school_port: int, centre_port: int, seed: int) -> None:
        self.up_s, self.ack_s, self.copies = 0.0, 0.0, 1
        self.counts: Counter[str] = Counter()
        self._random = random.Random(seed)
        self._due: list[tuple[float, int, mqtt.Client, str, bytes]] = []
        self._numbers = itertools.count()
        self._newest: dict[str, int] = {}
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._centre = self._client(centre_port, _ACK)
        self._school = self._client(school_port, _UP)
        self._thread = threading.Thread(target=self._deliver, name="relay", daemon=True)

    def __enter__(self) -> Self:
        for client in (self._centre, self._school):
            client.loop_start()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()
        for client in (self._centre, self._school):
            client.disconnect()
            client.loop_stop()

    def _client(self, port: int, topic: str) -> mqtt.Client:
        client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        client.on_connect = lambda c, *_: c.subscribe(topic)
        client.on_message = self._take
        client.reconnect_delay_set(1, 1)
        client.connect_async("127.0.0.1", port)
        return client

    def _take(self, client: mqtt.Client, _user: Any, message: mqtt.MQTTMessage) -> None:
        is_up = client is self._school
        target, late_s = (self._centre, self.up_s) if is_up else (self._school, self.ack_s)
        copies = self._random.randint(1, self.copies)
        with self._lock:
            for _ in range(copies):
                due_s = time.monotonic() + self._random.uniform(0, late_s)
                number = next(self._numbers)
                heapq.heappush(self._due, (due_s, number, target, message.topic, bytes(message.payload)))
        self.counts["batches" if is_up else "acknowledgements"] += 1
        self.counts["copies"] += copies - 1

    def _deliver(self) -> None:
        while not self._stopped.wait(_TICK_S):
            with self._lock:
                while self._due and self._due[0][0] <= time.monotonic():
                    _, number, target, topic, payload = heapq.heappop(self._due)
                    if number < self._newest.get(topic, -1):
                        self.counts["out of order"] += 1
                    self._newest[topic] = max(number, self._newest.get(topic, -1))
                    target.publish(topic, payload)
