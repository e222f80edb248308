# SPDX-License-Identifier: Apache-2.0
"""Does the real broker, with the files of deploy/, let every device do its own business and no other's?"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from tests.parts.mosquitto import hang_up
from tests.parts.program import Program, find

pytestmark = pytest.mark.parts("mosquitto")

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
NOT_AUTHORISED = 135
WAIT_S = 10


class Broker(Program):
    """mosquitto with deploy/mosquitto, only port and folders changed."""

    name = "mosquitto"

    def command(self) -> list[str]:
        secrets = self.directory / "secrets"
        devices = ["--device", "pi-0001", "--device", "pi-0002"]
        script = [sys.executable, str(DEPLOY / "credentials.py"), "--directory", str(secrets), *devices]
        subprocess.run(script, check=True, stdout=subprocess.DEVNULL)
        text = (DEPLOY / "mosquitto/mosquitto.conf").read_text()
        for path, here in (
            ("/mosquitto/config/passwd", secrets / "mosquitto.passwd"),
            ("/mosquitto/config/acl", DEPLOY / "mosquitto/acl"),
            ("/mosquitto/data", self.directory),
            ("listener 1883", f"user root\nlistener {self.port} 127.0.0.1"),
        ):
            assert path in text
            text = text.replace(path, str(here))
        config = self.directory / "mosquitto.conf"
        config.write_text(text)
        return [find("mosquitto"), "-c", str(config)]

    def password(self, user: str) -> str:
        """A user's password."""
        name = "mqtt-collector-password" if user == "collector" else f"devices/{user}"
        return (self.directory / "secrets" / name).read_text()


class Client:
    """A client that keeps what it receives and what the broker said to each message."""

    def __init__(self, broker: Broker, user: str, password: str | None = None, client_id: str = "") -> None:
        self.received: list[tuple[str, bytes]] = []
        self.verdicts: dict[int, int] = {}
        self.connected_with = -1
        self._news = threading.Condition()
        self._mqtt = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=mqtt.MQTTv5)
        self._mqtt.username_pw_set(user, broker.password(user) if password is None else password)
        self._mqtt.on_connect = lambda _c, _u, _f, reason, _p: self._note("connected_with", reason.value)
        self._mqtt.on_message = lambda _c, _u, message: self._keep(message.topic, bytes(message.payload))
        self._mqtt.on_publish = lambda _c, _u, mid, reason, _p: self._judge(mid, reason.value)
        self._mqtt.on_subscribe = lambda *_: self._note("is_subscribed", True)
        self.is_subscribed = False
        self._mqtt.connect("127.0.0.1", broker.port)
        self._mqtt.loop_start()
        self.wait(lambda: self.connected_with >= 0)

    def publish(self, topic: str, payload: bytes = b"x") -> int:
        """The broker's verdict on one message."""
        mid = self._mqtt.publish(topic, payload, qos=1).mid
        self.wait(lambda: mid in self.verdicts)
        return self.verdicts[mid]

    def subscribe(self, topic: str) -> None:
        """Subscribe, and wait until the broker has said so."""
        self.is_subscribed = False
        self._mqtt.subscribe(topic, qos=1)
        self.wait(lambda: self.is_subscribed)

    def wait(self, is_so: object) -> None:
        """Wait until it is so."""
        assert callable(is_so)
        with self._news:
            assert self._news.wait_for(is_so, WAIT_S)

    def close(self) -> None:
        """Leave."""
        hang_up(self._mqtt)

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


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    with Broker(tmp_path_factory.mktemp("broker")) as server:
        yield server


@pytest.fixture
def clients(broker: Broker) -> Iterator[dict[str, Client]]:
    made = {user: Client(broker, user) for user in ("pi-0001", "pi-0002", "collector")}
    yield made
    for client in made.values():
        client.close()


@pytest.mark.parametrize("leaf", ["up", "status"])
def test_device_writes_its_own_topics_and_the_collector_reads_them(
    clients: dict[str, Client], leaf: str
) -> None:
    collector, device = clients["collector"], clients["pi-0001"]
    collector.subscribe(f"sp/1/+/+/{leaf}")
    assert device.publish(f"sp/1/17/pi-0001/{leaf}", b"record") == 0
    collector.wait(lambda: collector.received == [(f"sp/1/17/pi-0001/{leaf}", b"record")])


@pytest.mark.parametrize(
    "topic",
    ["sp/1/17/pi-0002/up", "sp/1/17/pi-0001/ack", "sp/1/17/pi-0001/config", "sp/1/17/collector/up", "other"],
)
def test_device_is_refused_when_it_writes_anything_else(clients: dict[str, Client], topic: str) -> None:
    assert clients["pi-0001"].publish(topic) == NOT_AUTHORISED


@pytest.mark.parametrize("leaf", ["ack", "config", "cmd"])
def test_device_reads_only_what_is_meant_for_it(clients: dict[str, Client], leaf: str) -> None:
    device, collector = clients["pi-0001"], clients["collector"]
    device.subscribe("#")
    assert collector.publish(f"sp/1/3/pi-0002/{leaf}", b"not yours") == 0
    assert clients["pi-0002"].publish("sp/1/3/pi-0002/up", b"not yours either") in (0, 16)
    assert collector.publish(f"sp/1/3/pi-0001/{leaf}", b"yours") == 0
    device.wait(lambda: device.received)
    assert device.received == [(f"sp/1/3/pi-0001/{leaf}", b"yours")]


@pytest.mark.parametrize(("user", "password"), [("pi-0001", "wrong"), ("nobody", "x"), ("", "")])
def test_stranger_is_turned_away(broker: Broker, user: str, password: str) -> None:
    stranger = Client(broker, user, password)
    stranger.close()
    assert stranger.connected_with == NOT_AUTHORISED


def test_client_id_of_another_takes_nothing_over(broker: Broker, clients: dict[str, Client]) -> None:
    thief = Client(broker, "pi-0002", client_id="pi-0001")
    assert clients["pi-0001"].publish("sp/1/17/pi-0001/up") in (0, 16)
    assert thief.publish("sp/1/17/pi-0001/up") == NOT_AUTHORISED
    thief.close()


def test_password_file_stays_as_it_is_when_nothing_is_new(broker: Broker) -> None:
    file = broker.directory / "secrets" / "mosquitto.passwd"
    before = file.read_text()
    command = [sys.executable, str(DEPLOY / "credentials.py"), "--directory", str(file.parent)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert (told, file.read_text()) == ("nothing was missing\n", before)
    assert len(before.splitlines()) == 3
