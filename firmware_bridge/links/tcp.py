# SPDX-License-Identifier: Apache-2.0
"""How is a device or its server asked over TCP, without waiting for it for ever?"""

from __future__ import annotations

import math
import socket
import time
from types import TracebackType
from typing import Self

from agent.contract.reason import Reason
from firmware_bridge.reading import DeviceFailed

_CONNECT_S = 5.0
_READ_BYTES = 4096


class TcpPort:
    """One open connection.

    Args:
        name: what errors call it.
        within_s: nothing is waited for longer than this after it was made, connecting included.
    """

    def __init__(self, host: str, port: int, *, name: str, within_s: float) -> None:
        """Connect.

        Raises:
            DeviceFailed: nobody is there.
        """
        self.name = name
        self._end_s = time.monotonic() + within_s
        try:
            self._socket = socket.create_connection((host, port), timeout=min(_CONNECT_S, within_s))
        except OSError as e:
            raise _failed(name, e) from e

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    @property
    def left_s(self) -> float:
        """Until nothing is waited for any more."""
        return self._end_s - time.monotonic()

    def write(self, data: bytes) -> None:
        """Send all of it.

        Raises:
            DeviceFailed: the other side is gone, or takes nothing.
        """
        try:
            self._wait()
            self._socket.sendall(data)
        except OSError as e:
            raise _failed(self.name, e) from e

    def read(self) -> bytes:
        """What came next, at least one byte.

        Raises:
            DeviceFailed: nothing in time, or the other side has ended.
        """
        try:
            self._wait()
            data = self._socket.recv(_READ_BYTES)
        except OSError as e:
            raise _failed(self.name, e) from e
        if not data:
            raise DeviceFailed(self.name, Reason.GONE, "ended the connection in mid answer")
        return data

    def _wait(self) -> None:
        left_s = self.left_s
        if left_s <= 0:
            raise TimeoutError
        self._socket.settimeout(math.ceil(left_s * 1000) / 1000)


def _failed(name: str, error: OSError) -> DeviceFailed:
    if isinstance(error, socket.gaierror):
        return DeviceFailed(name, Reason.NAME_UNKNOWN, "its host's name is not known")
    if isinstance(error, TimeoutError):
        return DeviceFailed(name, Reason.TIMEOUT, "does not answer in time")
    if isinstance(error, ConnectionRefusedError):
        return DeviceFailed(name, Reason.REFUSED, "nobody listens at its address: is the program started?")
    if isinstance(error, ConnectionError):
        return DeviceFailed(name, Reason.GONE, f"broke the connection: {error.strerror}")
    return DeviceFailed(name, Reason.UNREACHABLE, f"cannot be reached: {error.strerror}")
