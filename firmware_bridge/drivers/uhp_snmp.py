# SPDX-License-Identifier: Apache-2.0
"""What do UHP's satellite terminals tell? (UHP-MIB, enterprise 8000)

Levels are tenths of -1 dBm. Only read: one object of the same tree runs a command, another switches the
transmitter off. The serial number (22.9.2) is never asked.
"""

from __future__ import annotations

from typing import Any

from firmware_bridge.drivers.snmp_device import SnmpDevice
from firmware_bridge.drivers.snmp_tables import objects
from firmware_bridge.protocols.snmp import Value
from firmware_bridge.protocols.snmp_values import count, decimal, divided, integer, percent

_FIRST_LOCKED, _LAST_LOCKED = 3, 250
_NO_LEVEL = 800


def reception(value: Value) -> dict[str, Any] | None:
    """0 without a lock, from 3 on the ratio of carrier to noise in tenths of a dB."""
    number = integer(value)
    if number == 0:
        return {"state": "searching", "connected": False, "code": "searching_sky"}
    is_locked = number is not None and _FIRST_LOCKED <= number <= _LAST_LOCKED
    return {"state": "locked"} if is_locked else None


def version(value: Value) -> str | None:
    """Four numbers in four octets."""
    number = count(value)
    return (
        ".".join(str(octet) for octet in number.to_bytes(4, "big")) if number and number < 1 << 32 else None
    )


DRIVER = SnmpDevice(
    name="uhp_snmp",
    maker="UHP",
    object_ids=("1.3.6.1.4.1.8000",),
    has_host=False,
    router=objects("1.3.6.1.4.1.8000.22", ("8.2.0", "cpu_ratio", percent), ("8.5.0", "firmware", version)),
    satellite=objects(
        "1.3.6.1.4.1.8000.22",
        ("2.1.0", "snr_db", divided(10, 0)),
        ("2.3.0", "rx_level_dbm", divided(-10, 0, _NO_LEVEL)),
        ("4.6.1.0", "tx_level_dbm", divided(-10, 0)),
        ("8.1.0", "temperature_c", decimal),
        ("8.5.0", "firmware", version),
        ("9.4.0", "", reception),
    ),
)
