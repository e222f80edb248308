# SPDX-License-Identifier: Apache-2.0
"""What do Peplink and Pepwave routers tell? (enterprise 23695; index from 0, -9999 for none)

The serial number stands between model and firmware, and the IMEI in a table of its own; neither is asked.
"""

from __future__ import annotations

from firmware_bridge.drivers.radio_words import TECHNOLOGY
from firmware_bridge.drivers.snmp_device import SnmpDevice
from firmware_bridge.drivers.snmp_tables import Asked, Rows, Values, objects
from firmware_bridge.protocols.snmp import oid
from firmware_bridge.protocols.snmp_values import decimal, divided, figure, integer, percent, text

_ROOT = "1.3.6.1.4.1.23695"
_PEPWAVE = "1.3.6.1.4.1.27662"
"""What newer firmware has instead of, or beside, the first."""
_WAN_NAME, _WAN_STATE, _WAN_CHECK = (oid(f"{_ROOT}.2.1.2.1.{column}") for column in (2, 3, 4))
_DISCONNECTED, _CONNECTED = 2, 3
_MOST_WANS = 32


def ways_out(asked: Asked) -> Values:
    """The first connected line, else the first that should be; the router's own check of those up."""
    states = {index: integer(value) for index, value in asked.reader.walk(_WAN_STATE, _MOST_WANS).items()}
    up = [index for index, state in states.items() if state == _CONNECTED]
    down = [index for index, state in states.items() if state == _DISCONNECTED]
    if not up and not down:
        return {}
    chosen = (up or down)[0]
    told = asked.reader.get([_WAN_NAME + chosen, *(_WAN_CHECK + index for index in up)])
    name = text(told.get(_WAN_NAME + chosen, b"")) or f"wan{chosen[-1]}"
    checks = [integer(told[_WAN_CHECK + index]) for index in up if _WAN_CHECK + index in told]
    return {"wan_interface": name, "wan_up": bool(up), "wan_healthy": 1 in checks if checks else None}


def _cellular(table: str) -> Rows:
    return Rows(
        finders=(oid(f"{table}.3"), oid(f"{table}.7")),
        columns=objects(
            table,
            ("3", "rssi_dbm", figure(0)),
            ("5", "sinr_db", decimal),
            ("7", "rsrp_dbm", figure(0)),
            ("8", "rsrq_db", decimal),
            ("9", "access_technology", TECHNOLOGY),
            ("10", "band", text),
        ),
    )


DRIVER = SnmpDevice(
    name="peplink_snmp",
    maker="Peplink",
    object_ids=("1.3.6.1.4.1.23695", "1.3.6.1.4.1.27662"),
    description=r"^(pepwave|peplink)\b",
    router=objects(
        f"{_ROOT}.200.1.1.1",
        ("1.1.0", "model", text),
        ("1.3.0", "firmware", text),
        ("3.1.0", "cpu_ratio", percent),
        ("4.4.1.0", "temperature_c", divided(1000)),
    ),
    modems=tuple(_cellular(f"{root}.200.1.12.1.1.1") for root in (_ROOT, _PEPWAVE)),
    parts=(ways_out,),
)
