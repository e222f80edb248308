# SPDX-License-Identifier: Apache-2.0
"""How long is a device up, how busy is it, how full is its memory?

RFC 3418, RFC 3411, RFC 2790, and net-snmp's UCD-SNMP-MIB.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from firmware_bridge.counting import Uptimes
from firmware_bridge.protocols.snmp import SYS_UPTIME, Oid, SnmpReader, Value, oid
from firmware_bridge.protocols.snmp_values import count, counter_32, decimal, name, text

DESCRIPTION, OBJECT_ID = oid("1.3.6.1.2.1.1.1.0"), oid("1.3.6.1.2.1.1.2.0")
_HOST_UPTIME = oid("1.3.6.1.2.1.25.1.1.0")
_BOOTS, _ENGINE_TIME = oid("1.3.6.1.6.3.10.2.1.2.0"), oid("1.3.6.1.6.3.10.2.1.3.0")
_PROCESSOR_LOAD = oid("1.3.6.1.2.1.25.3.3.1.2")
_STORAGE = oid("1.3.6.1.2.1.25.2.3.1")
_STORAGE_TYPE, _STORAGE_NAME, _UNITS, _SIZE, _USED = ((*_STORAGE, column) for column in (2, 3, 4, 5, 6))
_RAM = oid("1.3.6.1.2.1.25.2.1.2")
_OTHER = oid("1.3.6.1.2.1.25.2.1.1")
_CACHES = ("memory buffers", "cached memory")
"""What net-snmp calls memory that is in use but given up when it is needed."""
_IDLE = oid("1.3.6.1.4.1.2021.11.11.0")
_TOTAL, _FREE, _BUFFERS, _CACHED = (oid(f"1.3.6.1.4.1.2021.4.{column}.0") for column in (5, 6, 14, 15))


def read_uptimes(reader: SnmpReader) -> Uptimes:
    """How long agent and device are up.

    Raises:
        DeviceFailed: the agent is gone.
    """
    told = reader.get([SYS_UPTIME, _HOST_UPTIME, _BOOTS, _ENGINE_TIME])

    def number(which: Oid) -> int | None:
        return counter_32(told[which]) if which in told else None

    return Uptimes(
        agent_ticks=number(SYS_UPTIME),
        # 0 stands for a device that does not count.
        host_ticks=number(_HOST_UPTIME) or None,
        boots=number(_BOOTS),
        engine_s=number(_ENGINE_TIME),
        at_s=time.monotonic(),
    )


def read_load(reader: SnmpReader) -> dict[str, Any]:
    """`cpu_ratio`: the mean of all cores over the last minute, where the agent knows it.

    Raises:
        DeviceFailed: the agent is gone, or its table cannot be read.
    """
    loads = [decimal(value) for value in reader.walk(_PROCESSOR_LOAD, spare=1).values()]
    known = [load for load in loads if load is not None]
    if known:
        return {"cpu_ratio": sum(known) / len(known) / 100}
    idle = reader.get([_IDLE]).get(_IDLE)
    idle_percent = None if idle is None else decimal(idle)
    return {"cpu_ratio": None if idle_percent is None else (100 - idle_percent) / 100}


def read_memory(reader: SnmpReader) -> dict[str, Any]:
    """`memory_ratio`: memory in use without what is only cached, of all there is.

    Raises:
        DeviceFailed: the agent is gone, or its table cannot be read.
    """
    told = reader.get([_TOTAL, _FREE, _BUFFERS, _CACHED])
    total, free = _number(told, _TOTAL), _number(told, _FREE)
    if total and free is not None:
        caches = (_number(told, _BUFFERS) or 0) + (_number(told, _CACHED) or 0)
        return {"memory_ratio": _share(total - free - caches, total)}
    return {"memory_ratio": _of_storage(reader)}


def _of_storage(reader: SnmpReader) -> float | None:
    types = {index: name(value) for index, value in reader.walk(_STORAGE_TYPE, spare=4).items()}
    rows = [index for index, kind in types.items() if kind in {_RAM, _OTHER}]
    told = reader.get([column + index for index in rows for column in (_STORAGE_NAME, _UNITS, _SIZE, _USED)])
    memory = next((index for index in rows if types[index] == _RAM), None)
    if memory is None:
        return None
    size, used = (_bytes(told, column, memory) for column in (_SIZE, _USED))
    cached = [
        _bytes(told, _USED, index) or 0
        for index in rows
        if (text(told.get(_STORAGE_NAME + index, b"")) or "").lower() in _CACHES
    ]
    return None if not size or used is None else _share(used - sum(cached), size)


def _bytes(told: Mapping[Oid, Value], column: Oid, index: Oid) -> int | None:
    number, units = _number(told, column + index), _number(told, _UNITS + index)
    return None if number is None else number * (units or 1)


def _number(told: Mapping[Oid, Value], which: Oid) -> int | None:
    return count(told[which]) if which in told else None


def _share(part: int, whole: int) -> float | None:
    return part / whole if 0 <= part <= whole else None
