# SPDX-License-Identifier: Apache-2.0
"""What does a GNSS receiver say of the time, and was it moved? Its positions stay here."""

from __future__ import annotations

from collections.abc import Callable

from firmware_bridge.drivers.nmea import Nmea
from firmware_bridge.home import Home
from firmware_bridge.links.listening import ListenPort, wall_ms
from firmware_bridge.reading import DeviceReading


def read(
    path: str,
    device: str,
    *,
    within_s: float,
    baud: int = 9600,
    home: Home | None = None,
    now_ms: Callable[[], int] = wall_ms,
) -> DeviceReading:
    """Listen once.

    Args:
        path: of the port.
        device: its name in the record.
        within_s: no longer than this.
        baud: speed of the port; any for USB.
        home: where the receiver should be.
        now_ms: what its time is compared with.

    Raises:
        DeviceFailed: nothing was told that may be believed.
    """
    from firmware_bridge.links.serial import SerialPort  # noqa: PLC0415 -- a library that most schools need not

    with SerialPort(path, baud=baud) as port:
        return Nmea(now_ms, home).read(ListenPort(port, within_s=within_s), device)
