# SPDX-License-Identifier: Apache-2.0
"""Does a device become known, renew and fall silent, with the real programs and one file?"""

from __future__ import annotations

import contextlib
import json
import re
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.contract.envelope import is_sealed
from agent.identity import folder
from collector.playback import Playback
from tests.parts.centre import SecureMosquitto, school_collector
from tests.parts.program import Program, free_port

pytestmark = [pytest.mark.parts("mosquitto"), pytest.mark.timeout(120)]

COLLECTOR = """\
[mqtt]
host = "127.0.0.1"
port = {broker_port}
ca_file = "{root}/authority/ca.crt"
cert_file = "{root}/authority/collector.crt"
key_file = "{root}/authority/collector.key"
[authority]
directory = "{root}/authority"
enrol_host = "127.0.0.1"
enrol_port = {enrol_port}
device_days = {device_days}
[journal]
directory = "{root}/journal"
[dead_letters]
directory = "{root}/dead"
[registry]
file = "{root}/registry.toml"
[sinks.store]
path = "{root}/store.db"
[web]
port = {port}
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
AGENT = """\
device = "{device}"
[mqtt]
report_every_s = 1
ack_every_s = 1
[spool]
directory = "{directory}/spool"
commit_every_s = 1
[identity]
directory = "{directory}/identity"
enrolment_file = "{directory}/enrolment.toml"
[probes]
reach = {{enabled = false}}
latency = {{enabled = false}}
dns = {{enabled = false}}
interface = {{enabled = false}}
host = {{every_s = 5, deadline_s = 4}}
"""


class Collector(Program):
    """The real collector with an authority of its own."""

    name = "collector"

    def __init__(self, root: Path, broker_port: int, device_days: float) -> None:
        super().__init__(root)
        self.root, self.enrol_port = root, free_port()
        self.config = root / "collector.toml"
        (root / "registry.toml").write_text(REGISTRY)
        self.config.write_text(
            COLLECTOR.format(
                root=root,
                broker_port=broker_port,
                enrol_port=self.enrol_port,
                port=self.port,
                device_days=device_days,
            )
        )

    def command(self) -> list[str]:
        return [sys.executable, "-m", "collector", "run", "--config", str(self.config)]

    def enrol(self, *words: str | Path) -> Any:
        """`school-collector enrol …`."""
        told = school_collector("enrol", *words, "--config", self.config, "--json")
        assert told.returncode == 0, told.stderr
        return [json.loads(line) for line in told.stdout.splitlines()]

    def payloads(self) -> list[bytes]:
        """What its journal holds."""
        return [e.payload for e in Playback(self.root / "journal").read(at_most=10**6).entries]

    def refusals(self) -> dict[str, float]:
        """Messages refused, by reason."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=5) as answer:
            text = answer.read().decode()
        found = re.findall(r'schoolpulse_messages_refused_total\{reason="(\w+)"\} (\S+)', text)
        return {reason: float(count) for reason, count in found}


class Agent(Program):
    """The real agent."""

    name = "agent"

    def __init__(self, root: Path, device: str) -> None:
        super().__init__(root)
        self.file = self.directory / "enrolment.toml"
        self.identity = self.directory / "identity"
        self.config = self.directory / "agent.toml"
        self.config.write_text(AGENT.format(device=device, directory=self.directory))

    def command(self) -> list[str]:
        return [sys.executable, "-m", "agent", "run", "--config", str(self.config)]

    def is_ready(self) -> bool:
        return "agent.started" in self.log


class Scene:
    """Authority, broker and collector; the broker reads its list again when it has changed."""

    def __init__(self, root: Path, device_days: float = 365) -> None:
        self.root = root
        broker_port = free_port()
        self.collector = Collector(root, broker_port, device_days)
        self.collector.enrol("init", "--host", "127.0.0.1")
        self.broker = SecureMosquitto(root, root / "authority", port=broker_port)

    def file(self, device: str, to: Path) -> None:
        """What the technician gets."""
        ports = "--port", str(self.broker.port), "--enrol-port", str(self.collector.enrol_port)
        self.collector.enrol("device", device, "--host", "127.0.0.1", *ports, "--out", to)


@contextlib.contextmanager
def scene(root: Path, device_days: float = 365) -> Iterator[Scene]:
    made = Scene(root, device_days)
    with made.broker, made.collector:
        yield made


def until(condition: Any, within_s: float = 40) -> None:
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, "it did not happen"
        time.sleep(0.1)


def test_a_device_enrols_from_a_file_signs_is_revoked_and_falls_silent(tmp_path: Path) -> None:
    with scene(tmp_path) as centre, Agent(tmp_path, "kz-1") as agent:
        centre.file("kz-1", agent.file)
        agent.restart()
        until(lambda: len(centre.collector.payloads()) >= 2)
        assert all(is_sealed(payload) for payload in centre.collector.payloads())
        assert centre.collector.enrol("list")[0]["state"] == "enrolled"

        (told,) = centre.collector.enrol("revoke", "kz-1")
        assert told == {"device": "kz-1", "certificates": 1, "session_ended": True}
        stored = len(centre.collector.payloads())
        centre.broker.signal(1)
        until(lambda: agent.log.count("link.disconnected") >= 1)
        time.sleep(3)
        assert len(centre.collector.payloads()) == stored
        assert centre.collector.enrol("list")[0]["state"] == "revoked"
        print(f"{stored} signed batches stored, none after the revocation")


def test_a_certificate_is_renewed_over_the_connection_with_a_new_key(tmp_path: Path) -> None:
    with scene(tmp_path, device_days=12 / 86400) as centre:
        agent = Agent(tmp_path, "kz-1")
        centre.file("kz-1", agent.file)
        with agent:
            until(lambda: folder.certificate(agent.identity) is not None)
            first = folder.certificate(agent.identity)
            assert first is not None
            first_key = first.key_file.read_bytes()
            until(lambda: agent.log.count("certificate.in_use") >= 2)
            after = len(centre.collector.payloads())
            until(lambda: len(centre.collector.payloads()) > after)
        second = folder.certificate(agent.identity)
        assert second is not None
        assert second.key_file.read_bytes() != first_key
        assert second.not_after_s > first.not_after_s
        assert len(list(agent.identity.glob("tls-*"))) <= 2
