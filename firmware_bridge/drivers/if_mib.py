# SPDX-License-Identifier: Apache-2.0
"""Which interfaces has a device, what do they count, and which of them is the way out? (RFC 2863, RFC 4292)

ifAlias and ifPhysAddress are never asked for: the one is a remark of people, the other a device's number. Of
routes only the interface of the default one is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from firmware_bridge.counting import Shown
from firmware_bridge.protocols.snmp import Oid, SnmpReader, Value, oid
from firmware_bridge.protocols.snmp_values import counter, counter_32, integer, text

_IF = oid("1.3.6.1.2.1.2.2.1")
_IFX = oid("1.3.6.1.2.1.31.1.1.1")
DESCRIPTION, TYPE, MTU, SPEED = (*_IF, 2), (*_IF, 3), (*_IF, 4), (*_IF, 5)
ADMIN, OPERATION = (*_IF, 7), (*_IF, 8)
IN_32, OUT_32 = (*_IF, 10), (*_IF, 16)
IN_DROPS, IN_ERRORS, OUT_DROPS, OUT_ERRORS = (*_IF, 13), (*_IF, 14), (*_IF, 19), (*_IF, 20)
NAME, IN_64, OUT_64, HIGH_SPEED, DISCONTINUITY = (
    (*_IFX, 1),
    (*_IFX, 6),
    (*_IFX, 10),
    (*_IFX, 15),
    (*_IFX, 19),
)
_COLUMNS = (
    *(ADMIN, OPERATION, MTU, IN_DROPS, IN_ERRORS, OUT_DROPS, OUT_ERRORS),
    *(IN_64, OUT_64, HIGH_SPEED, DISCONTINUITY),
)
_TRIED = 3
_LOOPBACK = 24
_CELLULAR = frozenset({243, 244})
"""IANAifType wwanPP, wwanPP2."""
_MOST_PORTS = 256
_OPERATION = {1: True, 2: False, 6: False, 7: False}
"""Testing, unknown and dormant say neither."""
_FASTEST_OF_SPEED = 4294967295

_DEFAULT_ROUTES = (
    oid("1.3.6.1.2.1.4.24.7.1.7.1.4.0.0.0.0.0"),
    oid("1.3.6.1.2.1.4.24.4.1.5.0.0.0.0.0.0.0.0"),
    oid("1.3.6.1.2.1.4.21.1.2.0.0.0.0"),
)
"""ifIndex of 0.0.0.0/0 in inetCidrRouteTable, ipCidrRouteTable and ipRouteTable."""
_MOST_ROUTES = 32
_WAN = re.compile(r"^(e?wan|pppoe|internet|isp|uplink)|\bwan\b", re.IGNORECASE)
_CELLULAR_NAME = re.compile(
    r"^(lte|wwan|cell|ce\d|mob|mwan|qmi|rmnet|usb\d|3g|4g|5g|ppp\d|gsm)", re.IGNORECASE
)
_PERSONAL = re.compile(r"^<|@")
"""RouterOS calls the interface of somebody who dials in after that person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Port:
    """One interface.

    Attributes:
        index: ifIndex; may be another one after a restart.
        name: ifName, else ifDescr; unique.
        type: IANAifType.
        up: None where the agent says neither.
    """

    index: int
    name: str
    type: int | None = None
    up: bool | None = None
    speed_mbps: int | None = None
    mtu_bytes: int | None = None
    rx_bytes: int | None = None
    tx_bytes: int | None = None
    is_narrow: bool = False
    rx_errors: int | None = None
    tx_errors: int | None = None
    rx_drops: int | None = None
    tx_drops: int | None = None
    discontinuity_ticks: int | None = None

    @property
    def shown(self) -> Shown:
        """Its counters."""
        return Shown(
            rx_bytes=self.rx_bytes,
            tx_bytes=self.tx_bytes,
            is_narrow=self.is_narrow,
            discontinuity_ticks=self.discontinuity_ticks,
            speed_mbps=self.speed_mbps,
        )

    @property
    def is_cellular(self) -> bool:
        """Whether a modem is behind it, as far as type and name tell."""
        return self.type in _CELLULAR or bool(_CELLULAR_NAME.search(self.name))


def read_ports(reader: SnmpReader) -> list[Port]:
    """All interfaces but loopbacks and those named after persons, in the agent's order.

    Raises:
        DeviceFailed: the agent is gone, or its table cannot be read.
    """
    indexes = _indexes(reader)
    named = reader.get([(*column, index) for index in indexes for column in (NAME, TYPE)])
    names = _names(indexes, named)
    kept = [i for i in names if integer(named.get((*TYPE, i), -1)) != _LOOPBACK][:_MOST_PORTS]
    values = dict(named) | reader.get([(*c, index) for index in kept[:_TRIED] for c in _COLUMNS])
    columns = _present(values, kept[:_TRIED])
    values |= reader.get([(*column, index) for index in kept[_TRIED:] for column in columns])
    slow = [index for index in kept if not values.get((*HIGH_SPEED, index))]
    values |= reader.get([(*SPEED, index) for index in slow])
    narrow = [i for i in kept if (*IN_64, i) not in values or (*OUT_64, i) not in values]
    values |= reader.get([(*column, index) for index in narrow for column in (IN_32, OUT_32)])
    return [_port(index, names[index], values) for index in kept]


def _indexes(reader: SnmpReader) -> dict[int, Value]:
    # Of what follows ifDescr three columns hold nothing private, of what follows ifName fifteen.
    for column, spare in ((DESCRIPTION, 3), (NAME, 15), (OPERATION, 2)):
        rows = reader.walk(column, spare=spare)
        found = {index[0]: value for index, value in rows.items() if len(index) == 1}
        if found:
            return found
    return {}


def _names(indexes: Mapping[int, Value], named: Mapping[Oid, Value]) -> dict[int, str]:
    names: dict[int, str] = {}
    taken = set()
    for index, described in indexes.items():
        said = text(named.get((*NAME, index), b"")) or text(described) or f"if{index}"
        if _PERSONAL.search(said):
            continue
        name = said if said not in taken else f"{said}.{index}"
        taken.add(name)
        names[index] = name
    return names


def _present(values: Mapping[Oid, Value], indexes: Sequence[int]) -> list[Oid]:
    """Columns that some of the first interfaces have; others would each cost version 1 a round trip."""
    return [column for column in _COLUMNS if any((*column, index) in values for index in indexes)]


def _port(index: int, name: str, values: Mapping[Oid, Value]) -> Port:
    def number(column: Oid) -> int | None:
        value = values.get((*column, index))
        return None if value is None else counter(value)

    wide = (number(IN_64), number(OUT_64))
    is_narrow = None in wide
    narrow = (_narrow(values, IN_32, index), _narrow(values, OUT_32, index))
    rx_bytes, tx_bytes = narrow if is_narrow and narrow != (None, None) else wide
    mtu = number(MTU)
    return Port(
        index=index,
        name=name,
        type=number(TYPE),
        up=False if number(ADMIN) == 2 else _OPERATION.get(number(OPERATION) or 0),
        speed_mbps=_speed_mbps(number(HIGH_SPEED), number(SPEED)),
        # Interfaces without an MTU of their own say 0 or the largest number there is.
        mtu_bytes=mtu if mtu and mtu < 1 << 24 else None,
        rx_bytes=rx_bytes,
        tx_bytes=tx_bytes,
        is_narrow=is_narrow,
        rx_errors=number(IN_ERRORS),
        tx_errors=number(OUT_ERRORS),
        rx_drops=number(IN_DROPS),
        tx_drops=number(OUT_DROPS),
        discontinuity_ticks=number(DISCONTINUITY),
    )


def _narrow(values: Mapping[Oid, Value], column: Oid, index: int) -> int | None:
    value = values.get((*column, index))
    return None if value is None else counter_32(value)


def _speed_mbps(high: int | None, bits_per_s: int | None) -> int | None:
    """Mbit/s; None for 0, which is what a line of no set speed says."""
    if high:
        return high
    if not bits_per_s or bits_per_s >= _FASTEST_OF_SPEED:
        return None
    return bits_per_s // 1_000_000 or None


def default_routes(reader: SnmpReader) -> list[int]:
    """IfIndex of each default route, as the agent orders them; empty where it does not tell.

    Raises:
        DeviceFailed: the agent is gone, or its table cannot be read.
    """
    for prefix in _DEFAULT_ROUTES[:-1]:
        rows = reader.walk(prefix, _MOST_ROUTES)
        if found := [index for value in rows.values() if (index := integer(value))]:
            return found
    told = reader.get(_DEFAULT_ROUTES[-1:])
    return [index for value in told.values() if (index := integer(value))]


def port_called(ports: Sequence[Port], name: str) -> Port | None:
    """By name, else by ifIndex."""
    by_name = next((port for port in ports if port.name == name), None)
    return by_name or next((port for port in ports if str(port.index) == name), None)


def port_of_route(ports: Sequence[Port], indexes: Sequence[int]) -> Port | None:
    """The interface of the default route; of several the first that is up."""
    found = [port for index in indexes for port in ports if port.index == index]
    return next((port for port in found if port.up), found[0] if found else None)


def port_named_wan(ports: Sequence[Port]) -> Port | None:
    """The one whose name says that it is the way out; None when several say so, or none."""
    found = [port for port in ports if _WAN.search(port.name)]
    return found[0] if len(found) == 1 else None
