# SPDX-License-Identifier: Apache-2.0
"""What do Advantech's (once Conel's) cellular routers tell? (ICR-OS, CONEL-MOBILE-MIB, enterprise 30140)

The objects of the second module have the same numbers and 100 more. Never asked: cell, area code, address,
serial number (6.3).
"""

from __future__ import annotations

from firmware_bridge.drivers.snmp_device import SnmpDevice
from firmware_bridge.drivers.snmp_tables import Object, objects
from firmware_bridge.protocols.snmp import oid
from firmware_bridge.protocols.snmp_values import decimal, divided, figure, of_number, text, ticks_s

_MOBILE = "1.3.6.1.4.1.30140.4"
_TECHNOLOGY = of_number({2: "gsm", 4: "gsm", 6: "umts", 8: "umts", 10: "umts", 12: "umts", 14: "lte"})
_REGISTRATION = of_number(
    {
        1: {"registered": False},
        2: {"registered": False},
        3: {"registered": False, "denied": True},
        4: {"registered": True, "roaming": False},
        5: {"registered": True, "roaming": True},
    }
)
"""Idle, searching, denied, home, foreign; 0 is not known."""


def _module(more: int) -> tuple[Object, ...]:
    return objects(
        _MOBILE,
        *(
            (f"{below + more}.0", field, parse)
            for below, field, parse in (
                (1, "access_technology", _TECHNOLOGY),
                (16, "uptime_s", ticks_s),
                (23, "", _REGISTRATION),
                (24, "operator", text),
                (29, "band", text),
                (30, "rssi_dbm", figure(0)),
                (32, "rsrp_dbm", figure(0)),
                (33, "rsrq_db", decimal),
                (38, "nr_rsrp_dbm", figure(0)),
                (39, "nr_rsrq_db", decimal),
                (40, "nr_sinr_db", decimal),
                (41, "sinr_db", decimal),
            )
        ),
    )


DRIVER = SnmpDevice(
    name="icr_snmp",
    maker="Advantech",
    object_ids=("1.3.6.1.4.1.30140",),
    marks=(oid(f"{_MOBILE}.23"),),
    router=objects(
        "1.3.6.1.4.1.30140",
        ("6.1.0", "model", text),
        ("6.2.0", "firmware", text),
        ("3.3.0", "temperature_c", decimal),
        ("3.4.0", "voltage_v", divided(1000, 0)),
    ),
    lone_modems={"mobile1": _module(0), "mobile2": _module(100)},
)
