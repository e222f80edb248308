# SPDX-License-Identifier: Apache-2.0
"""How does the session of a revoked device end, when the broker keeps it?

mosquitto 2.0 looks at its revocation list when a session begins, and only at the list it read at its last
SIGHUP. So the authority connects once in the device's name, with a certificate that it makes for this and
that holds for minutes: the client id is the certificate's name, hence the broker hangs up on the session
there was (MQTT 5 §3.1.4). The device's own certificate no longer lets it in, once the broker has read the
list; until then it is evicted again as soon as it says that it is there.
"""

from __future__ import annotations

import logging
import ssl
import tempfile
import threading
import time
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from collector.authority.authority import Authority
from collector.authority.errors import Refused
from collector.broker import Broker

log = logging.getLogger("collector.authority")

_CONNECT_S = 15.0


def evict(authority: Authority, broker: Broker, device: str) -> bool:
    """Take the device's session over and end it; False when the broker could not be reached.

    Raises:
        Refused: the device is not revoked.
    """
    if broker.options.ca_file is None:
        return False
    certificate, key = authority.stand_in(device)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=device, reconnect_on_failure=False)
    client.tls_set_context(_context(broker.options.ca_file, certificate, key))
    is_in = threading.Event()
    client.on_connect = lambda _c, _u, _f, reason, _p: None if reason.is_failure else is_in.set()
    client.connect_timeout = _CONNECT_S
    try:
        client.connect(broker.options.host, broker.port, 60)
        client.loop_start()
        is_evicted = is_in.wait(_CONNECT_S)
        client.disconnect()
        client.loop_stop()
    except OSError as e:
        log.warning("device.not_evicted device=%s problem=%s", device, e)
        return False
    if is_evicted:
        log.info("device.evicted device=%s", device)
    return is_evicted


class Evictor:
    """Evicts from a thread of its own, each device at most every few seconds."""

    def __init__(self, authority: Authority, broker: Broker, *, pause_s: float = 5.0) -> None:
        self._authority, self._broker, self._pause_s = authority, broker, pause_s
        self._wanted: dict[str, float] = {}
        self._next_s: dict[str, float] = {}
        self._lock = threading.Lock()

    def want(self, device: str) -> None:
        """Evict soon; from any thread."""
        with self._lock:
            self._wanted[device] = time.monotonic()

    def work(self) -> int:
        """Evict whom it is time to evict; how many that were."""
        now_s = time.monotonic()
        with self._lock:
            due = [d for d in self._wanted if now_s >= self._next_s.get(d, 0)]
            for device in due:
                del self._wanted[device]
                self._next_s[device] = now_s + self._pause_s
        for device in due:
            self._evict(device)
        return len(due)

    def _evict(self, device: str) -> None:
        try:
            if not evict(self._authority, self._broker, device):
                self.want(device)
        except Refused as e:
            log.info("device.not_evicted device=%s problem=%s", device, e)


def _context(ca_file: str, certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file)
    with tempfile.TemporaryDirectory(prefix="schoolpulse-") as folder:
        file = Path(folder) / "stand-in.pem"
        file.touch(mode=0o600)
        file.write_text(key + certificate)
        context.load_cert_chain(file)
    return context
