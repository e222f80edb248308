# SPDX-License-Identifier: Apache-2.0
"""What do Cisco's routers with cellular interfaces tell? (IR and ISR; CISCO-WAN-3G-MIB, -CELL-EXT-MIB)"""

from __future__ import annotations

from firmware_bridge.drivers.snmp_device import SnmpDevice
from firmware_bridge.drivers.snmp_tables import Asked, Object, Rows, Values, objects
from firmware_bridge.protocols.snmp import oid
from firmware_bridge.protocols.snmp_values import count, decimal, divided, figure, percent

_LTE = "1.3.6.1.4.1.9.9.817.1.1.1.1.1"
_RSSI = oid("1.3.6.1.4.1.9.9.661.1.3.4.1.1.1")
_TEMPERATURE = oid("1.3.6.1.4.1.9.9.13.1.3.1.3")
_USED, _FREE = oid("1.3.6.1.4.1.9.9.48.1.1.1.5.1"), oid("1.3.6.1.4.1.9.9.48.1.1.1.6.1")
_MOST_SENSORS = 32


def processor_memory(asked: Asked) -> Values:
    """The pool called Processor (CISCO-MEMORY-POOL-MIB)."""
    told = asked.reader.get([_USED, _FREE])
    used, free = (count(told[name]) if name in told else None for name in (_USED, _FREE))
    if used is None or free is None or not used + free:
        return {}
    return {"memory_ratio": used / (used + free)}


def heat(asked: Asked) -> Values:
    """The hottest sensor (CISCO-ENVMON-MIB)."""
    told = asked.reader.walk(_TEMPERATURE, _MOST_SENSORS).values()
    known = [celsius for value in told if (celsius := decimal(value)) is not None]
    return {"temperature_c": max(known, default=None)}


DRIVER = SnmpDevice(
    name="cisco_snmp",
    maker="Cisco",
    object_ids=("1.3.6.1.4.1.9.1",),
    description=r"^Cisco\b",
    router=objects("1.3.6.1.4.1.9.9.109.1.1.1.1", ("7.1", "cpu_ratio", percent)),
    modems=(
        Rows(
            finders=(oid(f"{_LTE}.1"), _RSSI),
            columns=(
                Object(_RSSI, "rssi_dbm", figure(0)),
                *objects(
                    _LTE,
                    ("1", "rsrp_dbm", figure(0)),
                    ("2", "rsrq_db", divided(10)),
                    ("3", "sinr_db", divided(10)),
                ),
            ),
            is_by_interface=True,
        ),
    ),
    parts=(processor_memory, heat),
)
