# SPDX-License-Identifier: Apache-2.0
"""How does a test put a bad network between a program and its server?"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from typing import Self

_CHUNK_BYTES = 65536
_POLL_S = 0.05


class Proxy:
    """A TCP proxy on 127.0.0.1 that can cut, stall and delay.

    Attributes:
        to_port: where it leads.
        delay_s: how much later everything arrives.
        is_up: whether anybody gets through; those who are connected find out only when they speak.
    """

    def __init__(self, to_port: int = 0) -> None:
        self.to_port = to_port
        self.delay_s = 0.0
        self.is_up = True
        self.connections = 0
        self._is_over = False
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._listener.close()
        self.cut()

    def cut(self) -> None:
        """Reset every connection (RST, what was under way is lost)."""
        pairs, self._pairs = self._pairs, []
        for side in (side for pair in pairs for side in pair):
            with contextlib.suppress(OSError):
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                side.shutdown(socket.SHUT_RDWR)
            side.close()

    def _accept(self) -> None:
        while not self._is_over:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._connect(client)

    def _connect(self, client: socket.socket) -> None:
        try:
            if not self.is_up:
                raise ConnectionRefusedError
            server = socket.create_connection(("127.0.0.1", self.to_port), timeout=5)
        except OSError:
            client.close()
            return
        self.connections += 1
        self._pairs.append((client, server))
        for source, sink in ((client, server), (server, client)):
            threading.Thread(target=self._carry, args=(source, sink), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            source.settimeout(None)
            while data := source.recv(_CHUNK_BYTES):
                time.sleep(self.delay_s)
                while not self.is_up and not self._is_over:
                    time.sleep(_POLL_S)
                sink.sendall(data)
        for side in (source, sink):
            with contextlib.suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
