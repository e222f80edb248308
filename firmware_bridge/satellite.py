# SPDX-License-Identifier: Apache-2.0
"""What does a satellite terminal say? By the scheme of its address."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from agent.contract.reason import Reason
from firmware_bridge.address import Address
from firmware_bridge.drivers import starlink
from firmware_bridge.reading import DeviceFailed, DeviceReading

if TYPE_CHECKING:
    from firmware_bridge.links.grpc import GrpcService


def read(address: Address, device: str, *, within_s: float) -> DeviceReading:
    """Ask once.

    Args:
        address: with one of `SCHEMES`.
        device: its name in the record.
        within_s: no longer than this.

    Raises:
        DeviceFailed: nothing was told that may be believed.
    """
    return SCHEMES[address.scheme](address, device, within_s)


def dish(address: Address, device: str, within_s: float) -> GrpcService:
    """The service of a Starlink terminal.

    Raises:
        DeviceFailed: the address is that of a serial port.
    """
    from firmware_bridge.links.grpc import GrpcService  # noqa: PLC0415 -- a library that most schools need not

    if not address.host:
        raise DeviceFailed(address.path, Reason.NO_TARGET, "is asked at a host, not at a serial port")
    port = address.port or starlink.PORT
    return GrpcService(address.host, port, starlink.METHOD, name=device, within_s=within_s)


def _starlink(address: Address, device: str, within_s: float) -> DeviceReading:
    return starlink.DRIVER.read(dish(address, device, within_s), device)


SCHEMES: dict[str, Callable[[Address, str, float], DeviceReading]] = {"starlink": _starlink}
"""How each is asked."""
