# SPDX-License-Identifier: Apache-2.0
"""How do tests get an authority, a broker with the files of deploy/ that trusts it, and devices?"""

from __future__ import annotations

import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from agent.contract import topics
from agent.contract.enrolment import EnrolmentFile, encode
from agent.identity import enrolment, folder
from agent.identity.signing import SigningKey
from collector.authority.authority import Authority, create
from collector.authority.options import AuthorityOptions
from tests.parts.mosquitto import hang_up
from tests.parts.program import Program, find

ACL = Path(__file__).resolve().parents[2] / "deploy/mosquitto/acl"
CONF = ACL.with_name("mosquitto-tls.conf")
WAIT_S = 10.0
NOT_AUTHORISED = 135


class SecureMosquitto(Program):
    """mosquitto with deploy/mosquitto/mosquitto-tls.conf, only port and folders changed."""

    name = "mosquitto"

    def __init__(self, directory: Path, authority: Path, *, port: int | None = None) -> None:
        super().__init__(directory, port=port)
        self.authority = authority

    def command(self) -> list[str]:
        """The foreground broker; as root it stays root, so that it can read the test's directory."""
        text = CONF.read_text()
        for path, here in (
            ("/etc/mosquitto/schoolpulse/acl", ACL),
            ("/etc/mosquitto/schoolpulse", self.authority),
            ("/var/lib/mosquitto/", f"{self.directory}/"),
            ("listener 8883", f"user root\nlistener {self.port} 127.0.0.1"),
        ):
            assert path in text
            text = text.replace(path, str(here))
        config = self.directory / "mosquitto.conf"
        config.write_text(text)
        return [find("mosquitto"), "-c", str(config)]


@dataclass(frozen=True)
class Credential:
    """What a client shows."""

    ca_file: Path
    cert_file: Path | None = None
    key_file: Path | None = None

    def context(self) -> ssl.SSLContext:
        """TLS with it."""
        made = ssl.create_default_context(cafile=str(self.ca_file))
        if self.cert_file is not None:
            made.load_cert_chain(self.cert_file, self.key_file)
        return made


@dataclass(frozen=True)
class Device(Credential):
    """An enrolled device."""

    id: str = ""
    directory: Path = Path()

    @property
    def key(self) -> SigningKey:
        """What it signs with."""
        return SigningKey.read(self.directory / folder.SIGNING_KEY)


class Centre:
    """An authority whose endpoint is called directly, and a broker that trusts it."""

    def __init__(self, directory: Path, options: AuthorityOptions | None = None, **clock: Any) -> None:
        self.folder = directory / "authority"
        self.root = directory
        if not self.folder.exists():
            create(self.folder, ["127.0.0.1", "localhost"], name="test", now_s=time.time())
        self.authority = Authority(self.folder, options or AuthorityOptions(), **clock)
        self.broker = SecureMosquitto(directory, self.folder)

    def __enter__(self) -> Self:
        self.broker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.broker.kill9()
        self.authority.close()

    def invitation(self, device: str, **changes: Any) -> EnrolmentFile:
        """An enrolment file."""
        token, _ = self.authority.invite(device)
        plain = {
            "device": device,
            "token": token,
            "enrol_url": "https://127.0.0.1:1/enrol",
            "broker_host": "127.0.0.1",
            "broker_port": self.broker.port,
            "expires_at": "soon",
            "ca": self.authority.ca,
        }
        return EnrolmentFile(**{**plain, **changes})

    def enrol(self, device: str) -> Device:
        """A device with keys of its own and a certificate."""
        given, place = self.invitation(device), self.root / "devices" / device
        enrolment.accept(given, place, encode(self.authority.enrol(enrolment.request(given, place))))
        return self.device(device)

    def enrol_revoked(self, device: str) -> Device:
        """A device that was revoked, and the list written; the broker has still to read it."""
        made = self.enrol(device)
        self.authority.revoke(device)
        self.broker.signal(signal.SIGHUP)
        return made

    def device(self, device: str) -> Device:
        """An enrolled device as it stands on its disk."""
        place = self.root / "devices" / device
        certificate = folder.certificate(place)
        assert certificate is not None
        return Device(place / folder.CA, certificate.cert_file, certificate.key_file, device, place)

    @property
    def collector(self) -> Credential:
        """The collector's own certificate."""
        return Credential(
            self.folder / "ca.crt", self.folder / "collector.crt", self.folder / "collector.key"
        )

    def client(self, credential: Credential, **options: Any) -> Client:
        """Somebody at the broker."""
        return Client(self.broker.port, credential, **options)


class Client:
    """A client that keeps what it receives and what the broker said to each message.

    `connected_with` is the broker's verdict, None while there is none; `problem` what TLS said.
    """

    def __init__(
        self, port: int, credential: Credential, client_id: str = "", *, reconnect: bool = False
    ) -> None:
        self.received: list[tuple[str, bytes]] = []
        self.verdicts: dict[int, int] = {}
        self.connected_with: int | None = None
        self.problem = ""
        self.is_gone = False
        self.is_subscribed = False
        self._news = threading.Condition()
        self._mqtt = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=mqtt.MQTTv5,
            reconnect_on_failure=reconnect,
        )
        self._mqtt.tls_set_context(credential.context())
        self._mqtt.on_connect = lambda _c, _u, _f, reason, _p: self._note("connected_with", reason.value)
        self._mqtt.on_disconnect = lambda *_: self._note("is_gone", True)
        self._mqtt.on_message = lambda _c, _u, message: self._keep(message.topic, bytes(message.payload))
        self._mqtt.on_publish = lambda _c, _u, mid, reason, _p: self._judge(mid, reason.value)
        self._mqtt.on_subscribe = lambda *_: self._note("is_subscribed", True)
        try:
            self._mqtt.connect("127.0.0.1", port)
        except OSError as e:
            self.problem = str(e)
            return
        self._mqtt.loop_start()
        self.wait(lambda: self.connected_with is not None or self.is_gone)

    @property
    def is_in(self) -> bool:
        """Whether the broker took it."""
        return self.connected_with == 0 and not self.is_gone

    def publish(self, topic: str, payload: bytes = b"x") -> int:
        """The broker's verdict on one message."""
        mid = self._mqtt.publish(topic, payload, qos=1).mid
        self.wait(lambda: mid in self.verdicts)
        return self.verdicts[mid]

    def send(self, topic: str, payload: bytes) -> None:
        """Publish without waiting for anything."""
        self._mqtt.publish(topic, payload, qos=0)

    def up(self, device: str, payload: bytes) -> int:
        """Publish a batch."""
        return self.publish(topics.up(device), payload)

    def subscribe(self, topic: str) -> None:
        """Subscribe, and wait until the broker has said so."""
        self.is_subscribed = False
        self._mqtt.subscribe(topic, qos=1)
        self.wait(lambda: self.is_subscribed)

    def wait(self, is_so: Callable[[], bool], within_s: float = WAIT_S) -> None:
        """Wait until it is so."""
        with self._news:
            assert self._news.wait_for(is_so, within_s), "it did not happen"

    def close(self) -> None:
        """Leave."""
        hang_up(self._mqtt)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _note(self, name: str, value: object) -> None:
        with self._news:
            setattr(self, name, value)
            self._news.notify_all()

    def _keep(self, topic: str, payload: bytes) -> None:
        with self._news:
            self.received.append((topic, payload))
            self._news.notify_all()

    def _judge(self, mid: int, verdict: int) -> None:
        with self._news:
            self.verdicts[mid] = verdict
            self._news.notify_all()


def school_agent(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The agent's program."""
    return subprocess.run(
        [sys.executable, "-m", "agent", *map(str, words)], capture_output=True, text=True, check=False
    )


def school_collector(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The collector's program."""
    return subprocess.run(
        [sys.executable, "-m", "collector", *map(str, words)], capture_output=True, text=True, check=False
    )
