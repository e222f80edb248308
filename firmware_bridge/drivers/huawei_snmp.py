# SPDX-License-Identifier: Apache-2.0
"""What do Huawei's enterprise routers tell of themselves? (HUAWEI-ENTITY-EXTENT-MIB, enterprise 2011)

No public recording has objects of their cellular interfaces.
"""

from __future__ import annotations

from firmware_bridge.drivers.snmp_device import SnmpDevice
from firmware_bridge.drivers.snmp_tables import Asked, Values
from firmware_bridge.protocols.snmp import oid
from firmware_bridge.protocols.snmp_values import figure

_ENTITY = "1.3.6.1.4.1.2011.5.25.31.1.1.1.1"
_LOAD = oid(f"{_ENTITY}.5")
_COLUMNS = {"cpu_ratio": (_LOAD, 100), "memory_ratio": (oid(f"{_ENTITY}.7"), 100)}
_COLUMNS |= {"temperature_c": (oid(f"{_ENTITY}.11"), 1)}


def board(asked: Asked) -> Values:
    """Of the board with a processor; other parts say 0 or the largest number there is."""
    known = figure(0)
    loads = asked.reader.walk(_LOAD, spare=5)
    index = next((index for index, value in loads.items() if known(value) is not None), None)
    if index is None:
        return {}
    told = asked.reader.get([column + index for column, _ in _COLUMNS.values()])
    return {
        field: shown / by
        for field, (column, by) in _COLUMNS.items()
        if column + index in told and (shown := known(told[column + index])) is not None
    }


DRIVER = SnmpDevice(
    name="huawei_snmp",
    maker="Huawei",
    object_ids=("1.3.6.1.4.1.2011.2",),
    description=r"^Huawei\b|\bVRP\b",
    parts=(board,),
)
