# SPDX-License-Identifier: Apache-2.0
"""Does a device become known, renew and fall silent, with the real programs and one file?"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agent.config import MqttOptions
from agent.contract.broker import make_tls
from agent.contract.envelope import is_sealed
from agent.identity import folder
from agent.publisher.link import checking_time
from collector.authority import authority, certificates, duty
from collector.authority.certificates import Life
from collector.playback import Playback
from tests.parts.centre import Centre, Device, SecureMosquitto, school_agent, school_collector
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
[outage]
enabled = false
[probes]
reach = {{enabled = false}}
latency = {{enabled = false}}
dns = {{enabled = false}}
http = {{enabled = false}}
portal = {{enabled = false}}
ipv6 = {{enabled = false}}
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


def test_a_device_enrols_by_files_alone_and_a_token_serves_once(tmp_path: Path) -> None:
    centre = Scene(tmp_path)
    file, request, answer = (tmp_path / name for name in ("kz-1.toml", "request", "answer"))
    centre.file("kz-1", file)
    assert b"PRIVATE" not in file.read_bytes()
    one, two = ("--directory", tmp_path / "one"), ("--directory", tmp_path / "two")

    assert school_agent("enrol", file, "--request", request, *one).returncode == 0
    centre.collector.enrol("sign", request, "--out", answer)
    told = school_agent("enrol", file, "--answer", answer, *one)
    assert "enrolled, certificate until" in told.stdout
    assert school_agent("enrol", file, *one).returncode == 1

    assert school_agent("enrol", file, "--request", request, *two).returncode == 0
    config = "--config", centre.collector.config
    refused = school_collector("enrol", "sign", request, "--out", answer, *config)
    assert refused.returncode == 1
    assert "used already" in refused.stderr
    told = school_agent("enrol", file, "--answer", answer, *two)
    assert (told.returncode, "used already" in told.stderr) == (1, True)


def test_the_endpoint_says_no_to_whatever_is_no_request(tmp_path: Path) -> None:
    with scene(tmp_path) as centre:
        context = ssl.create_default_context(cafile=str(tmp_path / "authority/ca.crt"))
        url = f"https://127.0.0.1:{centre.collector.enrol_port}/enrol"
        answers = []
        for body in (b"", b"{}", b"[" * 5000, bytes(9000), *([b"x"] * 40)):
            try:
                urllib.request.urlopen(url, body, timeout=5, context=context)
            except urllib.error.HTTPError as e:
                answers.append(e.code)
                e.close()
        assert answers[:4] == [403, 403, 403, 413]
        assert set(answers[4:]) == {403, 429}
        assert len(answers) == 44


def test_a_broker_whose_certificate_is_not_valid_yet_is_reached_without_a_clock_only(tmp_path: Path) -> None:
    with Centre(tmp_path) as centre:
        device = centre.enrol("kz-1")
        issuer = authority.load_issuer(centre.folder)
        key = certificates.new_key()
        life = Life(not_before_s=int(time.time()) + 86400, not_after_s=int(time.time()) + 2 * 86400)
        future = certificates.issue_server(issuer, "broker", key.public_key(), life, ["127.0.0.1"])
        (centre.folder / "broker.crt").write_text(certificates.pem(future))
        (centre.folder / "broker.key").write_text(certificates.key_pem(key))
        centre.broker.restart()
        options = MqttOptions(
            host="127.0.0.1",
            ca_file=str(device.ca_file),
            cert_file=str(device.cert_file),
            key_file=str(device.key_file),
        )
        tls = make_tls(options)
        assert tls is not None
        for check_time in (True, False):
            with socket.create_connection(("127.0.0.1", centre.broker.port)) as plain:
                context = checking_time(tls, is_wanted=check_time)
                if check_time:
                    with pytest.raises(ssl.SSLCertVerificationError, match="not yet valid"):
                        context.wrap_socket(plain, server_hostname="127.0.0.1")
                else:
                    context.wrap_socket(plain, server_hostname="127.0.0.1").close()
        with socket.create_connection(("127.0.0.1", centre.broker.port)) as plain:
            context = checking_time(tls, is_wanted=False)
            with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
                context.wrap_socket(plain, server_hostname="localhost")


def test_a_list_past_its_date_locks_every_device_out_and_a_new_one_lets_them_in(tmp_path: Path) -> None:
    with Centre(tmp_path) as centre:
        device = centre.enrol("kz-1")
        issuer = authority.load_issuer(centre.folder)
        crl = certificates.revocation_list(issuer, [], time.time() - 91 * 86400, 1)
        (centre.folder / "crl.pem").write_text(certificates.pem(crl))
        centre.broker.restart()
        with centre.client(device) as client:
            assert not client.is_in
        assert duty.care_for_list(centre.authority) > time.time() + 89 * 86400
        centre.broker.signal(1)
        until(lambda: _is_let_in(centre, device))


def _is_let_in(centre: Centre, device: Device) -> bool:
    with centre.client(device) as client:
        return client.is_in


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
