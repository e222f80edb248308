# SPDX-License-Identifier: Apache-2.0
"""Does the receiver get every message from a real broker, and outlive whatever the broker does?"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt import publish, subscribe
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from agent.contract.decoder import decode
from collector.acknowledgement import Answer
from collector.backoff import Backoff
from collector.broker import Broker, MqttOptions, read_broker
from collector.health import Health
from collector.inbox import Inbox
from collector.receiver import Receiver
from tests.parts.amqtt import Amqtt
from tests.parts.mosquitto import Mosquitto
from tests.parts.program import free_port
from tests.unit.collector.test_inbox import next_group

pytestmark = pytest.mark.parts("mosquitto")


@dataclass
class Running:
    """A receiver at work."""

    receiver: Receiver
    inbox: Inbox
    health: Health

    async def until(self, condition: Callable[[Health], object], within_s: float = 25) -> None:
        async with asyncio.timeout(within_s):
            while not condition(self.health):  # noqa: ASYNC110  # counters, changed by another thread
                await asyncio.sleep(0.02)  # counters, changed by another thread


@contextlib.asynccontextmanager
async def receiving(
    options: MqttOptions | Broker, *, first_s: float = 0.1, most_s: float = 0.5, **limits: Any
) -> AsyncIterator[Running]:
    broker = options if isinstance(options, Broker) else Broker(options=options)
    inbox, health = Inbox(**limits), Health()
    receiver = Receiver(broker, inbox, health)
    receiver._backoff = Backoff(first_s=first_s, most_s=most_s)
    task = asyncio.create_task(receiver.run())
    try:
        yield Running(receiver, inbox, health)
    finally:
        task.cancel()
        await asyncio.wait([task])


def at(port: int, **options: Any) -> MqttOptions:
    return decode(MqttOptions, {"host": "127.0.0.1", "port": port, **options})


async def send(port: int, *payloads: bytes, topic: str = "sp/1/13/kz-1/up") -> None:
    messages: list[Any] = [(topic, payload, 1, False) for payload in payloads]
    await asyncio.to_thread(publish.multiple, messages, "127.0.0.1", port)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_messages_come_in_order_in_either_version(tmp_path: Path, protocol: str) -> None:
    with Mosquitto(tmp_path) as broker:
        async with receiving(at(broker.port, protocol=protocol)) as running:
            await running.until(lambda h: h.mqtt_connected)
            await send(broker.port, *(b"%d" % n for n in range(50)))
            await running.until(lambda h: h.messages_received == 50)

            taken = await next_group(running.inbox, 100)
    assert [m.payload for m in taken] == [b"%d" % n for n in range(50)]
    assert {m.topic for m in taken} == {"sp/1/13/kz-1/up"}


async def test_an_answer_reaches_who_waits_for_it(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        async with receiving(at(broker.port)) as running:
            assert not running.receiver.publish(Answer("sp/1/13/kz-1/ack", b"early"))
            await running.until(lambda h: h.mqtt_connected)
            heard = asyncio.create_task(asyncio.to_thread(hear, broker.port))
            while not heard.done():
                assert running.receiver.publish(Answer("sp/1/13/kz-1/ack", b"yes"))
                await asyncio.sleep(0.05)
            assert await heard == b"yes"


def hear(port: int) -> bytes:
    simple: Any = subscribe.simple
    return bytes(simple("sp/1/13/kz-1/ack", hostname="127.0.0.1", port=port).payload)


async def test_a_broker_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    broker = Mosquitto(tmp_path)
    async with receiving(at(broker.port)) as running:
        await running.until(lambda h: h.mqtt_problem is not None)
        assert "refused" in str(running.health.mqtt_problem)
        with broker:
            await running.until(lambda h: h.mqtt_connected)
            assert running.health.mqtt_problem is None


async def test_a_broker_that_dies_is_found_again(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        async with receiving(at(broker.port)) as running:
            for n in range(1, 4):
                await running.until(lambda h: h.mqtt_connected)
                await send(broker.port, b"x")
                await running.until(lambda h, n=n: h.messages_received == n)  # type: ignore[misc]
                await asyncio.to_thread(broker.kill9)
                await running.until(lambda h: not h.mqtt_connected)
                await asyncio.to_thread(broker.start)


async def test_a_name_that_does_not_resolve_is_tried_again() -> None:
    async with receiving(MqttOptions(host="broker.invalid")) as running:
        await running.until(lambda h: h.mqtt_problem is not None)
        assert "Name or service not known" in str(running.health.mqtt_problem)


async def test_a_broker_that_speaks_3_1_1_only_is_spoken_to_in_it(tmp_path: Path) -> None:
    with Amqtt(tmp_path) as broker:
        async with receiving(at(broker.port)) as running:
            await running.until(lambda h: h.mqtt_connected)
            await send(broker.port, b"hello")
            await running.until(lambda h: h.messages_received == 1)


async def test_a_broker_that_hangs_up_on_mqtt_5_is_asked_with_3_1_1() -> None:
    levels: list[int] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        levels.append((await reader.readexactly(9))[8])
        writer.close()

    async with (
        await asyncio.start_server(hang_up, "127.0.0.1") as server,
        receiving(at(server.sockets[0].getsockname()[1])) as running,
    ):
        await running.until(lambda _: len(levels) >= 3)
    assert levels[:3] == [5, 4, 5]


async def test_a_wrong_password_is_named_and_tried_again(tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("wrong")
    with Mosquitto(tmp_path, extra=f"allow_anonymous false\npassword_file {passwords(tmp_path)}") as broker:
        options = at(broker.port, username="collector", password_file=str(tmp_path / "wrong"))
        async with receiving(read_broker(options, {})) as running:
            await running.until(lambda h: h.mqtt_problem is not None)
            assert running.health.mqtt_problem == "refused: Not authorized"

        (tmp_path / "wrong").write_text("right\n")
        async with receiving(read_broker(options, {})) as running:
            await running.until(lambda h: h.mqtt_connected)


def passwords(folder: Path) -> Path:
    file = folder / "passwords"
    subprocess.run(["mosquitto_passwd", "-c", "-b", str(file), "collector", "right"], check=True)
    return file


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate authority, and a broker's and a collector's certificate by it."""
    folder = tmp_path_factory.mktemp("certificates")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(folder, "req", "-x509", *key, "-subj", "/CN=test ca", "-keyout", "ca.key", "-out", "ca.crt")
    for name in ("broker", "collector"):
        (folder / f"{name}.ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        openssl(folder, "req", *key, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        openssl(
            folder,
            *("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-extfile", f"{name}.ext", "-out", f"{name}.crt"),
        )
    return folder


def tls_broker(folder: Path, certificates: Path) -> Mosquitto:
    lines = (
        f"cafile {certificates}/ca.crt",
        f"certfile {certificates}/broker.crt",
        f"keyfile {certificates}/broker.key",
        "require_certificate true",
        "use_identity_as_username true",
    )
    return Mosquitto(folder, extra="\n".join(lines))


async def test_a_broker_that_asks_for_a_certificate_gets_it(tmp_path: Path, certificates: Path) -> None:
    names = {
        f"{n}_file": str(certificates / f)
        for n, f in (("ca", "ca.crt"), ("cert", "collector.crt"), ("key", "collector.key"))
    }
    with tls_broker(tmp_path, certificates) as broker:
        async with receiving(read_broker(at(broker.port, **names), {})) as running:
            await running.until(lambda h: h.mqtt_connected)
        assert "u'collector'" in broker.log


async def test_a_broker_nobody_vouches_for_is_not_spoken_to_and_named_once(
    tmp_path: Path, certificates: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=other")
    openssl(tmp_path, "req", "-x509", *other, "-keyout", "other.key", "-out", "other.crt")
    with tls_broker(tmp_path, certificates) as broker:
        options = at(broker.port, ca_file=str(tmp_path / "other.crt"))
        async with receiving(read_broker(options, {}), first_s=0.001, most_s=0.001) as running:
            await running.until(lambda _: broker.log.count("New connection") >= 20)
            before = open_files()
            await running.until(lambda _: broker.log.count("New connection") >= 1000)
            after = open_files()
    print(f"\nreceiver: {before} open files after 20 failed handshakes, {after} after 1,000")

    assert after < before + 10
    assert str(running.health.mqtt_problem).startswith("certificate verify failed: ")
    assert caplog.text.count("mqtt.unavailable") == 1


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_what_does_not_fit_into_the_inbox_is_counted(tmp_path: Path) -> None:
    with Mosquitto(tmp_path) as broker:
        async with receiving(at(broker.port), max_messages=5) as running:
            await running.until(lambda h: h.mqtt_connected)
            await send(broker.port, *[b"x"] * 8)
            await running.until(lambda h: h.messages_received == 8)

            assert running.health.queue_drops == 3
            assert len(await next_group(running.inbox, 100)) == 5


async def test_an_error_while_receiving_does_not_end_the_librarys_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Mosquitto(tmp_path) as broker:
        async with receiving(at(broker.port)) as running:
            await running.until(lambda h: h.mqtt_connected)
            monkeypatch.setattr(running.inbox, "offer", lambda _: 1 / 0)
            await send(broker.port, b"x")
            await running.until(lambda h: h.messages_received == 1)
            monkeypatch.undo()
            await send(broker.port, b"y")
            await running.until(lambda h: h.messages_received == 2)

            assert [m.payload for m in await next_group(running.inbox, 10)] == [b"y"]
    assert "message.failed" in caplog.text


async def test_a_refused_subscription_ends_the_connection(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refuse(client: Any, *_: Any) -> None:
        code = ReasonCode(PacketTypes.SUBACK, "Not authorized")
        client.on_subscribe(client, None, 1, [code], None)

    with Mosquitto(tmp_path) as broker:
        monkeypatch.setattr(mqtt.Client, "subscribe", refuse)
        async with receiving(at(broker.port)) as running:
            await running.until(lambda h: h.mqtt_problem is not None)
            assert running.health.mqtt_problem == "subscription refused: Not authorized"


async def test_a_broker_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.receiver._HANDSHAKE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        async with receiving(at(deaf.getsockname()[1])) as running:
            await running.until(lambda h: h.mqtt_problem is not None)
            assert running.health.mqtt_problem == "no answer within 0.2 s"


async def test_nobody_listening_is_no_reason_to_end() -> None:
    async with receiving(at(free_port())) as running:
        await running.until(lambda h: h.mqtt_problem is not None)
        assert not running.health.mqtt_connected
