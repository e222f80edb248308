# SPDX-License-Identifier: Apache-2.0
"""What do chargers, battery monitors, inverters and UPSes say? By the scheme of their address."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from agent.contract.devices import Power
from agent.contract.reason import Reason
from firmware_bridge.address import Address
from firmware_bridge.drivers.apcupsd import DRIVER as APCUPSD
from firmware_bridge.drivers.nut import Nut
from firmware_bridge.drivers.vedirect import DRIVER as VEDIRECT
from firmware_bridge.links.listening import ListenPort
from firmware_bridge.links.tcp import TcpPort
from firmware_bridge.meaning import told
from firmware_bridge.reading import DeviceFailed, DeviceReading

_VEDIRECT_BAUD = 19_200
NUT_PORT, APCUPSD_PORT = 3493, 3551


def read(address: Address, device: str, *, within_s: float) -> DeviceReading:
    """Ask, or listen, once.

    Args:
        address: with one of `SCHEMES`.
        device: its name in the record.
        within_s: no longer than this.

    Raises:
        DeviceFailed: nothing was told that may be believed.
    """
    return SCHEMES[address.scheme](address, device, within_s)


def without_load_off(reading: DeviceReading) -> DeviceReading:
    """The same of a device whose output nobody uses: that it is off means nothing."""
    codes = [code for code in reading.meanings if code != "load_off"]
    fields = tuple(
        dataclasses.replace(each, meaning=told(codes)) if isinstance(each, Power) else each
        for each in reading.fields
    )
    return dataclasses.replace(reading, fields=fields, meanings=tuple(codes))


def _vedirect(address: Address, device: str, within_s: float) -> DeviceReading:
    from firmware_bridge.links.serial import SerialPort  # noqa: PLC0415 -- a library that most schools need not

    with SerialPort(_path(address), baud=_VEDIRECT_BAUD) as port:
        return VEDIRECT.read(ListenPort(port, within_s=within_s), device)


def _nut(address: Address, device: str, within_s: float) -> DeviceReading:
    with TcpPort(_host(address), address.port or NUT_PORT, name=device, within_s=within_s) as link:
        return Nut(address.name).read(link, device)


def _apcupsd(address: Address, device: str, within_s: float) -> DeviceReading:
    with TcpPort(_host(address), address.port or APCUPSD_PORT, name=device, within_s=within_s) as link:
        return APCUPSD.read(link, device)


def _host(address: Address) -> str:
    if not address.host:
        raise DeviceFailed(address.path, Reason.NO_TARGET, "is asked at a host, not at a serial port")
    return address.host


def _path(address: Address) -> str:
    if not address.path:
        raise DeviceFailed(address.host, Reason.NO_TARGET, "is asked at a serial port, not at a host")
    return address.path


SCHEMES: dict[str, Callable[[Address, str, float], DeviceReading]] = {
    "vedirect": _vedirect,
    "nut": _nut,
    "apcupsd": _apcupsd,
}
"""How each is asked."""
