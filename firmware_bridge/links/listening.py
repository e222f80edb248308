# SPDX-License-Identifier: Apache-2.0
"""How is a device heard that talks by itself? Nothing is ever sent to it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from firmware_bridge.links.serial import SerialPort


class Talk(Protocol):
    """What comes from a device that is only listened to."""

    @property
    def path(self) -> str:
        """Where it comes from."""
        ...

    def pieces(self) -> Iterator[bytes]:
        """What comes, in pieces of any size, until it ends or was listened to for long enough.

        Raises:
            DeviceFailed: the port is gone.
        """
        ...


class ListenPort:
    """A serial port that is only read.

    Args:
        within_s: listened to for no longer.
    """

    def __init__(self, port: SerialPort, *, within_s: float) -> None:
        self._port = port
        self._within_s = within_s

    @property
    def path(self) -> str:
        """Of the port."""
        return self._port.path

    def pieces(self) -> Iterator[bytes]:
        """As `Talk.pieces`; empty ones while nothing comes."""
        end_s = time.monotonic() + self._within_s
        while time.monotonic() < end_s:
            yield self._port.read()


def wall_ms() -> int:
    """This device's clock when something came, Unix time."""
    return time.time_ns() // 1_000_000
