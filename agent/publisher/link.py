# SPDX-License-Identifier: Apache-2.0
"""How does one get bytes to the broker and acknowledgements back? The only file that knows the MQTT library.

The library has a thread of its own, which connects again for ever; this class brings its callbacks into the
event loop. MQTT 5 is tried first, 3.1.1 when the broker refuses it or hangs up. With MQTT 5 the topic travels
once per connection (an alias, MQTT 5 §3.3.2.3.4); batches go with QoS 0, since only the collector's own
acknowledgement counts.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import ssl
import sys
import time
from collections.abc import Callable
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.config import MqttOptions
from agent.contract import topics
from agent.contract.broker import make_tls
from agent.contract.codec import decode_ack
from agent.contract.decoder import DecodeError
from agent.contract.record import Ack
from agent.contract.tls import distrust

log = logging.getLogger("agent.link")

_UNSUPPORTED_VERSION = "Unsupported protocol version"
_ALIAS = 1
_FIRST_RECONNECT_S = 1
_MAX_RECONNECT_S = 120
_SHORT_LIFE_S = 60
_LARGEST_PAYLOAD = 60_000
_ROOM_FOR_HEADERS = 256
_FALLBACK_PAUSE_S = (0.2, 2.0)
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME


class Link:
    """One connection to the broker, made again whenever it breaks."""

    def __init__(
        self,
        device: str,
        session: str,
        options: MqttOptions,
        password: str | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.connected = asyncio.Event()
        self.on_connection: Callable[[bool], None] = lambda _is_up: None
        self.on_ack: Callable[[Ack], None] = lambda _ack: None
        self.connections = 0
        self.wire_bytes = 0
        self._device = device
        self._options = options
        self._password = password
        self._tls = tls
        self._status = {"session": session}
        self._loop = asyncio.get_running_loop()
        self._is_v5 = options.protocol != "3.1.1"
        self._alias_maximum = 0
        self._packet_maximum = _LARGEST_PAYLOAD + _ROOM_FOR_HEADERS
        self._reconnect_s = 1
        self._connected_at_s = 0.0
        self._has_alias = False
        self._refusal = ""
        self._is_distrusted = False
        self._refused = asyncio.Event()
        self._client: mqtt.Client | None = None
        self._is_renewed = False
        self.on_certificate: Callable[[bytes], None] = lambda _answer: None
        self.has_clock: Callable[[], bool] = lambda: True

    async def run(self) -> None:
        """Stay connected until cancelled, then say goodbye."""
        while True:
            client = self._make_client()
            self._client = client
            client.connect_async(self._options.host, self._options.port, self._keepalive_s())
            client.loop_start()
            try:
                await self._refused.wait()
            finally:
                await asyncio.to_thread(self._stop, client)
            self._refused.clear()
            if self._is_renewed:
                self._is_renewed = False
                continue
            self._is_v5 = not self._is_v5
            log.info("link.protocol version=%s", "5" if self._is_v5 else "3.1.1")
            await asyncio.sleep(random.uniform(*_FALLBACK_PAUSE_S))  # noqa: S311 -- spreads a fleet, guards nothing

    @property
    def largest_payload(self) -> int:
        """Bytes that one message may carry: the broker may allow less than collectors take."""
        return min(_LARGEST_PAYLOAD, self._packet_maximum - _ROOM_FOR_HEADERS)

    def publish(self, payload: bytes) -> bool:
        """Hand one batch to the connection; False when there is none."""
        client = self._client
        if client is None or not self.connected.is_set():
            return False
        topic, properties = topics.up(self._device), None
        if self._alias_maximum >= _ALIAS:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.TopicAlias = _ALIAS
            topic = "" if self._has_alias else topic
            self._has_alias = True
        info = client.publish(topic, payload, qos=0, properties=properties)
        self.wire_bytes += len(payload)
        return info.rc == mqtt.MQTT_ERR_SUCCESS

    def use(self, options: MqttOptions) -> None:
        """Connect anew, with these."""
        self._options = options
        self._tls = make_tls(options)
        self._is_renewed = True
        self._refused.set()

    def ask_certificate(self, request: bytes) -> bool:
        """Send a request for the next certificate; False when there is no connection."""
        client = self._client
        if client is None or not self.connected.is_set():
            return False
        self.wire_bytes += len(request)
        return client.publish(topics.csr(self._device), request, qos=1).rc == mqtt.MQTT_ERR_SUCCESS

    def _make_client(self) -> mqtt.Client:
        protocol = mqtt.MQTTv5 if self._is_v5 else mqtt.MQTTv311
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=self._device, protocol=protocol)
        if self._options.username:
            client.username_pw_set(self._options.username, self._password)
        if self._tls is not None:
            client.tls_set_context(checking_time(self._tls, is_wanted=self.has_clock()))
        client.will_set(topics.status(self._device), self._status_payload(online=False), qos=1, retain=True)
        client.reconnect_delay_set(min_delay=_FIRST_RECONNECT_S, max_delay=_MAX_RECONNECT_S)
        client.on_connect = self._connected
        client.on_connect_fail = self._failed
        client.on_disconnect = self._disconnected
        client.on_message = self._message
        return client

    def _stop(self, client: mqtt.Client) -> None:
        if self.connected.is_set():
            goodbye = client.publish(
                topics.status(self._device), self._status_payload(online=False), qos=1, retain=True
            )
            try:
                goodbye.wait_for_publish(2)
            except (RuntimeError, ValueError) as e:
                log.debug("link.no_goodbye problem=%s", e)
        client.disconnect()
        client.loop_stop()

    def _connected(self, client: mqtt.Client, _u: Any, _f: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            self._loop.call_soon_threadsafe(self._on_refused, str(reason))
            return
        self._connected_at_s = time.monotonic()
        client.subscribe([(topics.ack(self._device), 0), (topics.crt(self._device), 0)])
        client.publish(topics.status(self._device), self._status_payload(online=True), qos=1, retain=True)
        self._alias_maximum = getattr(properties, "TopicAliasMaximum", 0)
        self._packet_maximum = getattr(properties, "MaximumPacketSize", _LARGEST_PAYLOAD + _ROOM_FOR_HEADERS)
        self._loop.call_soon_threadsafe(self._on_connected)

    def _failed(self, _c: mqtt.Client, _u: Any) -> None:
        """No connection came about; the library calls this while it handles the error."""
        self._loop.call_soon_threadsafe(self._on_failed, distrust(sys.exc_info()[1]))

    def _disconnected(self, client: mqtt.Client, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        lived_s = time.monotonic() - self._connected_at_s
        self._reconnect_s = 1 if lived_s > _SHORT_LIFE_S else min(self._reconnect_s * 2, _MAX_RECONNECT_S)
        client.reconnect_delay_set(self._reconnect_s, _MAX_RECONNECT_S)
        self._loop.call_soon_threadsafe(self._on_disconnected, str(reason))

    def _message(self, _c: mqtt.Client, _u: Any, message: mqtt.MQTTMessage) -> None:
        if message.topic == topics.crt(self._device):
            self._loop.call_soon_threadsafe(self.on_certificate, bytes(message.payload))
            return
        try:
            ack = decode_ack(bytes(message.payload))
        except DecodeError as e:
            log.warning("link.bad_ack topic=%s problem=%s", message.topic, e)
            return
        self._loop.call_soon_threadsafe(self.on_ack, ack)

    def _on_connected(self) -> None:
        log.info("link.connected host=%s port=%d", self._options.host, self._options.port)
        self._refusal = ""
        self._is_distrusted = False
        self._has_alias = False
        self.connections += 1
        self.connected.set()
        self.on_connection(True)

    def _on_disconnected(self, reason: str) -> None:
        if self.connected.is_set():
            log.warning("link.disconnected reason=%s", reason)
        elif not self._refusal:
            self._try_other_version()
        self.connected.clear()
        self.on_connection(False)

    def _on_failed(self, distrusted: str | None) -> None:
        """Said once; that there is no link at all is what the records are about."""
        if distrusted and not self._is_distrusted:
            self._is_distrusted = True
            log.error(
                "link.untrusted host=%s port=%d problem=%s",
                self._options.host,
                self._options.port,
                distrusted,
            )

    def _on_refused(self, reason: str) -> None:
        if reason != self._refusal:
            log.warning(
                "link.refused host=%s port=%d reason=%s", self._options.host, self._options.port, reason
            )
        self._refusal = reason
        if reason == _UNSUPPORTED_VERSION:
            self._try_other_version()

    def _try_other_version(self) -> None:
        """The broker said it does not know this version, or hung up without a word, as some do."""
        if self._options.protocol == "auto":
            self._refused.set()

    def _status_payload(self, *, online: bool) -> bytes:
        return json.dumps({**self._status, "online": online}, separators=(",", ":")).encode()

    def _keepalive_s(self) -> int:
        """A little more than the reporting interval, so that reports themselves keep the connection alive."""
        return self._options.keepalive_s or min(65535, max(60, int(self._options.report_every_s * 1.5)))


def checking_time(context: ssl.SSLContext, *, is_wanted: bool) -> ssl.SSLContext:
    """Whoever has no clock cannot say what has expired, and gets the time from whom it connects to."""
    flags = context.verify_flags & ~_NO_CHECK_TIME
    context.verify_flags = ssl.VerifyFlags(flags if is_wanted else flags | _NO_CHECK_TIME)
    return context
