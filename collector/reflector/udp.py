# SPDX-License-Identifier: Apache-2.0
"""How does one thread receive, answer and pace all capacity tests? With a socket that never blocks."""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor

from agent.contract.capacity.datagram import Datagrams
from collector.reflector.capacity import Out, Sessions
from collector.reflector.gate import Gate
from collector.reflector.options import CapacityOptions
from collector.reflector.place import listened_on

log = logging.getLogger("collector.reflector.udp")

_MOST_AT_ONCE = 128
_IDLE_S = 0.5
_SWEEP_NS = 1_000_000_000


class CapacityServer:
    """Listens from its making on, serves from `start` until `stop`."""

    def __init__(self, options: CapacityOptions, gate: Gate) -> None:
        self._datagrams = Datagrams(_bound(options.host, options.port))
        self._sessions = Sessions(gate, max_mbps=options.max_mbps, now_s=time.monotonic)
        self._stopping = threading.Event()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="capacity")
        self._swept_ns = 0
        self.unsent = 0
        """Datagrams that the kernel had no room for."""

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._datagrams.sock.getsockname()[1])

    def start(self) -> Future[None]:
        """Serve, in a thread of its own; what it ended with."""
        return self._thread.submit(self._serve)

    def stop(self) -> None:
        """Serve no more."""
        self._stopping.set()
        self._thread.shutdown()
        self._datagrams.close()

    def _serve(self) -> None:
        try:
            while not self._stopping.is_set():
                self._wait()
                self._turn()
        finally:
            self._sessions.close()

    def _wait(self) -> None:
        wake_ns = self._sessions.wake_ns()
        wait_s = _IDLE_S if wake_ns is None else max(0.0, (wake_ns - time.monotonic_ns()) / 1e9)
        select.select([self._datagrams], [], [], min(wait_s, _IDLE_S))

    def _turn(self) -> None:
        for arrival in self._datagrams.received(_MOST_AT_ONCE):
            self._sessions.overrun = self._datagrams.overrun
            for out in self._sessions.receive(
                arrival.data, arrival.address, arrival.at_ns or time.time_ns(), time.monotonic_ns()
            ):
                self._send(out)
        for out in self._sessions.due(time.monotonic_ns()):
            self._send(out)
        if time.monotonic_ns() - self._swept_ns > _SWEEP_NS:
            self._swept_ns = time.monotonic_ns()
            self._sessions.sweep(self._swept_ns)

    def _send(self, out: Out) -> None:
        with contextlib.suppress(OSError):  # the network may be down, an address unreachable
            if isinstance(out.data, bytearray):
                self.unsent += not self._datagrams.send_many(out.data, out.length, out.address)
            else:
                self.unsent += not self._datagrams.send(out.data, out.address)


def _bound(host: str, port: int) -> socket.socket:
    family, host = listened_on(host)
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock
