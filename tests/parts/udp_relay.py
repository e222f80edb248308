# SPDX-License-Identifier: Apache-2.0
"""What does a middlebox between a UDP client and its server do to them: change the port, swallow, rewrite?"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable
from typing import Any, Self

Rewrite = Callable[[bytes], bytes | None]
_HOST = "127.0.0.1"
_MAX_BYTES = 65_535
_TURN_S = 0.05


class UdpRelay:
    """Carries datagrams of one client; what it does may be changed meanwhile.

    Attributes:
        up, down: what becomes of a datagram on its way to, or from, the server; None swallows it.
        carried: datagrams from the client until now.
        rebinds_after: so many of them go out from one port, those after it from another.
    """

    def __init__(self, port: int) -> None:
        self.up: Rewrite = lambda data: data
        self.down: Rewrite = lambda data: data
        self.carried = 0
        self.rebinds_after: int | None = None
        self._near = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._near.bind((_HOST, 0))
        self.port = int(self._near.getsockname()[1])
        self._server = (_HOST, port)
        self._far = [self._outside()]
        self._client: Any = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._carry, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for sock in (self._near, *self._far):
            sock.close()

    def _outside(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.connect(self._server)
        return sock

    def _carry(self) -> None:
        while not self._stop.is_set():
            ready, _, _ = select.select([self._near, self._far[-1]], [], [], _TURN_S)
            if self._near in ready:
                self._carry_up()
            if self._far[-1] in ready:
                self._carry_down()

    def _carry_up(self) -> None:
        data, self._client = self._near.recvfrom(_MAX_BYTES)
        self.carried += 1
        if self.rebinds_after is not None and self.carried > self.rebinds_after:
            self.rebinds_after = None
            self._far.append(self._outside())
        changed = self.up(data)
        if changed is not None:
            self._far[-1].send(changed)

    def _carry_down(self) -> None:
        try:
            changed = self.down(self._far[-1].recv(_MAX_BYTES))
        except ConnectionRefusedError:
            return
        if changed is not None:
            self._near.sendto(changed, self._client)
