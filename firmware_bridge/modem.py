# SPDX-License-Identifier: Apache-2.0
"""What does the modem on this port say? Through ModemManager where it has the port, else by AT commands."""

from __future__ import annotations

from firmware_bridge.drivers import of_scheme
from firmware_bridge.drivers.at_modem import AtLink, AtModem, identify
from firmware_bridge.drivers.modem_manager import reading as managed_reading
from firmware_bridge.links.modem_manager import ModemManager
from firmware_bridge.reading import DeviceReading, Identity

SCHEME = "serial"


def read(path: str, device: str, *, within_s: float, manager: ModemManager | None = None) -> DeviceReading:
    """Ask once.

    Args:
        path: of the port.
        device: its name in the record; the path may hold a serial number.
        within_s: no longer than this.
        manager: who is asked first; ModemManager's own tool by default.

    Raises:
        DeviceFailed: nothing was told that may be believed.
    """
    from firmware_bridge.links.serial import AtPort, SerialPort  # noqa: PLC0415 -- a library that most schools need not

    asked = manager or ModemManager()
    told = asked.modem_of(path) if asked.is_here else None
    if told is not None:
        return managed_reading(told, device)
    with SerialPort(path) as port:
        link = AtPort(port, within_s=within_s)
        link.wake()
        return read_link(link, device)


def read_link(link: AtLink, device: str) -> DeviceReading:
    """Ask once over a link that is awake.

    Raises:
        DeviceFailed: nothing was told that may be believed.
    """
    known = identify(link)
    return driver_of(known).read(link, device, known)


def driver_of(identity: Identity) -> AtModem:
    """The first driver that takes a modem for one of its own; the standard one takes any."""
    found: AtModem = next(driver for driver in of_scheme(SCHEME) if driver.recognises(identity))
    return found
