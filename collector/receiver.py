# SPDX-License-Identifier: Apache-2.0
"""How do messages come from the broker, whatever happens to it? Nobody else here knows the MQTT library.

The library's thread only puts messages into the inbox. Each connection has a client of its own; when it
ends, for whatever reason, the next one is made after a while, for ever. Nothing is kept at the broker for
us: what we miss was not acknowledged and comes again. MQTT 5 is tried first; a broker that refuses it, or
hangs up on it, is asked with 3.1.1 next.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from agent.contract.tls import distrust
from agent.contract.topics import CSR_FILTER, STATUS_FILTER, UP_FILTER
from collector.acknowledgement import Answer
from collector.backoff import Backoff
from collector.broker import Broker
from collector.health import Health
from collector.inbox import Inbox
from collector.message import Message

log = logging.getLogger("collector.receiver")

_HANDSHAKE_S = 15.0
_UNSUPPORTED_VERSION = "Unsupported protocol version"
_FALLBACK = {
    MQTTProtocolVersion.MQTTv5: MQTTProtocolVersion.MQTTv311,
    MQTTProtocolVersion.MQTTv311: MQTTProtocolVersion.MQTTv5,
}
_FIRST = {
    "auto": MQTTProtocolVersion.MQTTv5,
    "5": MQTTProtocolVersion.MQTTv5,
    "3.1.1": MQTTProtocolVersion.MQTTv311,
}


class _Ended(Exception):
    """A connection is over, or never was; says why."""


class _VersionRefused(_Ended):
    """Perhaps the broker does not speak this version of MQTT."""


@dataclass(frozen=True, slots=True)
class _End:
    """How a connection ended; an exception kept in its place would keep the connection's sockets alive."""

    kind: type[_Ended]
    problem: str


@dataclass(kw_only=True)
class _Conversation:
    """One connection; its callbacks run in the library's thread and hand over to the loop."""

    loop: asyncio.AbstractEventLoop
    ready: asyncio.Future[None] = field(init=False)
    over: asyncio.Future[_End] = field(init=False)
    is_welcome: bool = False

    def __post_init__(self) -> None:
        self.ready = self.loop.create_future()
        self.over = self.loop.create_future()

    def connected(self, client: mqtt.Client, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        if reason.is_failure:
            kind = _VersionRefused if str(reason) == _UNSUPPORTED_VERSION else _Ended
            self._end(kind, f"refused: {reason}")
        else:
            self.is_welcome = True
            client.subscribe([(UP_FILTER, 0), (STATUS_FILTER, 0), (CSR_FILTER, 0)])

    def subscribed(self, _c: mqtt.Client, _u: Any, _m: int, reasons: list[Any], _p: Any) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            self._end(_Ended, f"subscription refused: {refused[0]}")
        else:
            self.loop.call_soon_threadsafe(_resolve, self.ready, None)

    def disconnected(self, _c: mqtt.Client, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        kind = _Ended if self.is_welcome else _VersionRefused
        self._end(kind, f"connection lost: {reason}")

    def _end(self, kind: type[_Ended], problem: str) -> None:
        self.loop.call_soon_threadsafe(_resolve, self.over, _End(kind, problem))


class Receiver:
    """The collector's connection to the broker."""

    def __init__(self, broker: Broker, inbox: Inbox, health: Health) -> None:
        self._broker = broker
        self._inbox = inbox
        self._health = health
        self._version = _FIRST[broker.options.protocol]
        self._client: mqtt.Client | None = None
        self._client_id = broker.options.client_id or f"school-collector-{secrets.token_hex(4)}"
        self._backoff = Backoff(first_s=1, most_s=60)

    async def run(self) -> None:
        """Stay connected until cancelled."""
        while True:
            try:
                await self._converse()
            except _VersionRefused as e:
                self._note_problem(str(e))
                if self._broker.options.protocol == "auto":
                    self._version = _FALLBACK[self._version]
            except (_Ended, OSError, ValueError) as e:  # ValueError: a name that cannot be a host's
                self._note_problem(distrust(e) or str(e) or type(e).__name__)
            await asyncio.sleep(self._backoff.next_s())

    def publish(self, answer: Answer) -> bool:
        """Hand an answer to the connection; False when there is none, and the agent will ask again."""
        client = self._client
        if client is None:
            return False
        return (
            client.publish(answer.topic, answer.payload, qos=0, retain=answer.is_kept).rc
            == mqtt.MQTT_ERR_SUCCESS
        )

    async def _converse(self) -> None:
        """One connection from beginning to end."""
        conversation = _Conversation(loop=asyncio.get_running_loop())
        client = self._make_client(conversation)
        options = self._broker.options
        await asyncio.to_thread(client.connect, options.host, self._broker.port, options.keepalive_s)
        client.loop_start()
        try:
            await _handshake(conversation)
            self._note_connected(client)
            end = await conversation.over
            raise end.kind(end.problem)
        finally:
            self._client = None
            self._health.mqtt_connected = False
            client.disconnect()
            await asyncio.to_thread(client.loop_stop)

    def _make_client(self, conversation: _Conversation) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self._client_id,
            protocol=self._version,
            reconnect_on_failure=False,
        )
        if self._broker.options.username:
            client.username_pw_set(self._broker.options.username, self._broker.password)
        if self._broker.tls is not None:
            client.tls_set_context(self._broker.tls)
        client.on_connect = conversation.connected
        client.on_subscribe = conversation.subscribed
        client.on_disconnect = conversation.disconnected
        client.on_message = self._received
        return client

    def _received(self, _c: mqtt.Client, _u: Any, message: mqtt.MQTTMessage) -> None:
        self._health.messages_received += 1
        try:
            self._offer(message.topic, message.payload)
        except Exception:  # an error here would end the library's thread
            log.exception("message.failed")

    def _offer(self, topic: str, payload: bytes | bytearray) -> None:
        """A flood is turned away before anything is made of it."""
        if self._inbox.has_room(topic, len(payload)) and self._inbox.offer(
            Message(topic, bytes(payload), received_ms=int(time.time() * 1000))
        ):
            return
        self._health.queue_drops += 1
        device = topic.rsplit("/", 2)[-2] if topic.count("/") > 1 else ""
        if device in self._health.heard_ms:
            self._health.device_drops[device] += 1

    def _note_connected(self, client: mqtt.Client) -> None:
        options = self._broker.options
        log.info(
            "mqtt.connected host=%s port=%d version=%s", options.host, self._broker.port, self._version.name
        )
        self._client = client
        self._backoff.reset()
        self._health.mqtt_connected, self._health.mqtt_problem = True, None

    def _note_problem(self, problem: str) -> None:
        if problem != self._health.mqtt_problem:
            options = self._broker.options
            log.warning(
                "mqtt.unavailable host=%s port=%d version=%s problem=%s",
                options.host,
                self._broker.port,
                self._version.name,
                problem,
            )
        self._health.mqtt_problem = problem


async def _handshake(conversation: _Conversation) -> None:
    """Wait until the subscription stands."""
    waited: set[asyncio.Future[Any]] = {conversation.ready, conversation.over}
    await asyncio.wait(waited, timeout=_HANDSHAKE_S, return_when=asyncio.FIRST_COMPLETED)
    if conversation.over.done():
        end = conversation.over.result()
        raise end.kind(end.problem)
    if not conversation.ready.done():
        raise _Ended(f"no answer within {_HANDSHAKE_S:g} s")


def _resolve(future: asyncio.Future[Any], value: object) -> None:
    if not future.done():
        future.set_result(value)
