# SPDX-License-Identifier: Apache-2.0
"""A TCP server that answers as it was recorded, and misbehaves as servers and networks do."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Self


class ScriptedTcp:
    """Says the same to whoever asks anything.

    Args:
        answer: all of it.
        size: bytes at a time; all at once when 0.
        pause_s: before each piece.
        ends: the connection is closed behind the answer; else it is held open.
        resets: the connection is broken instead.
    """

    def __init__(
        self, answer: bytes, *, size: int = 0, pause_s: float = 0.0, ends: bool = True, resets: bool = False
    ) -> None:
        self._answer, self._size, self._pause_s = answer, size, pause_s
        self._is_ending, self._is_resetting = ends, resets
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port = int(self._socket.getsockname()[1])
        self.asked: list[bytes] = []
        self._held: list[socket.socket] = []
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        for connection in (*self._held, self._socket):
            connection.close()

    def _serve(self) -> None:
        while not self._ends.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = self._socket.accept()
                with contextlib.suppress(OSError):
                    self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        connection.settimeout(5)
        self.asked.append(connection.recv(4096))
        if self._is_resetting:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
            return
        size = self._size or max(1, len(self._answer))
        for at in range(0, len(self._answer), size):
            if self._ends.is_set():
                break
            time.sleep(self._pause_s)
            connection.sendall(self._answer[at : at + size])
        if self._is_ending:
            connection.close()
        else:
            self._held.append(connection)
