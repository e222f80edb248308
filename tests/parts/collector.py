# SPDX-License-Identifier: Apache-2.0
"""How do tests get a whole collector as a process of its own, and speak to it as an agent would?"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from agent.contract import topics
from agent.contract.codec import decode_ack, encode
from agent.contract.record import Ack, Batch
from collector.playback import Playback
from tests.parts.mosquitto import hang_up
from tests.parts.program import Program

CONFIG = """\
[mqtt]
host = "127.0.0.1"
port = {broker_port}
[journal]
directory = "{directory}/journal"
{journal}
[dead_letters]
directory = "{directory}/dead"
[registry]
file = "{directory}/registry.toml"
[sinks.store]
path = "{directory}/store.db"
[web]
port = {port}
{extra}
"""
REGISTRY = """\
[[school]]
id = "school-1"
[[device]]
id = "kz-1"
school = "school-1"
[[device]]
id = "kz-2"
school = "school-1"
"""


class Collector(Program):
    """`python -m collector run`, with one school and two devices; ready when its page answers."""

    name = "collector"

    def __init__(self, directory: Path, broker_port: int, *, extra: str = "", journal: str = "") -> None:
        super().__init__(directory)
        self.broker_port = broker_port
        self.extra = extra
        self.journal_options = journal

    def command(self) -> list[str]:
        """The program in the tree."""
        (self.directory / "registry.toml").write_text(REGISTRY)
        self.config.write_text(
            CONFIG.format(
                broker_port=self.broker_port,
                directory=self.directory,
                port=self.port,
                extra=self.extra,
                journal=self.journal_options,
            )
        )
        return [sys.executable, "-m", "collector", "run", "--config", str(self.config)]

    def __exit__(self, *_: object) -> None:
        """End it as systemd does."""
        self.stop()

    @property
    def config(self) -> Path:
        """Its collector.toml."""
        return self.directory / "collector.toml"

    @property
    def journal(self) -> Path:
        """Its journal's directory."""
        return self.directory / "journal"

    def healthz(self) -> dict[str, Any]:
        """What it says of itself, well or not."""
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as answer:
                found: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as e:
            with e:
                found = json.load(e)
        return found

    def metrics(self) -> dict[str, float]:
        """Its figures by name and labels."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
        return {name: float(value) for name, value in pairs}

    def entries(self) -> list[Any]:
        """Everything in its journal."""
        return Playback(self.journal).read(at_most=10**9).entries

    def letters(self) -> list[dict[str, Any]]:
        """Its dead letters."""
        files = sorted((self.directory / "dead").glob("*.jsonl"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]


class StandInAgent:
    """A device that sends what it is told, and hears acknowledgements."""

    def __init__(self, broker_port: int, device: str = "kz-1") -> None:
        self.device = device
        self.acks: queue.Queue[Ack] = queue.Queue()
        self._subscribed = threading.Event()
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv311)
        self.client.on_connect = lambda client, *_: client.subscribe(topics.ack(device))
        self.client.on_subscribe = lambda *_: self._subscribed.set()
        self.client.on_message = lambda _c, _u, message: self.acks.put(decode_ack(bytes(message.payload)))
        self.client.reconnect_delay_set(1, 1)
        self.client.connect_async("127.0.0.1", broker_port)

    def __enter__(self) -> Self:
        self.client.loop_start()
        assert self._subscribed.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        hang_up(self.client)

    def send(self, batch: Batch) -> None:
        """Publish a batch as it is."""
        self.publish(topics.up(self.device), encode(batch))

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish anything anywhere."""
        self.client.publish(topic, payload).wait_for_publish(10)

    def deliver(self, batch: Batch, within_s: float = 30) -> Ack:
        """Send it again and again until all of it is acknowledged."""
        end_s = time.monotonic() + within_s
        while time.monotonic() < end_s:
            self.send(batch)
            ack = self.heard(1.0)
            while ack is not None:
                if ack.session == batch.session and ack.up_to_seq >= batch.last_seq:
                    return ack
                ack = self.heard(0.05)
        raise AssertionError(f"seq {batch.last_seq} was not acknowledged")

    def heard(self, within_s: float) -> Ack | None:
        """The next acknowledgement, None when there is none."""
        try:
            return self.acks.get(timeout=within_s)
        except queue.Empty:
            return None


def eventually(condition: Callable[[], bool], within_s: float = 25) -> None:
    """Wait for something to become true."""
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.05)
