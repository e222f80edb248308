# SPDX-License-Identifier: Apache-2.0
"""Of what is the table of a family of SNMP devices made, and how is each part of it asked for?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.contract.devices import Modem
from agent.contract.kinds import Fields
from firmware_bridge.checking import is_possible, merged
from firmware_bridge.drivers.if_mib import Port
from firmware_bridge.protocols.snmp import Oid, SnmpReader, Value, dotted, oid
from firmware_bridge.protocols.snmp_values import Parse, count

Values = dict[str, Any]
_MOST_MODEMS = 16
_POWERS = {
    "rsrp_dbm": ("rsrq_db", "sinr_db"),
    "nr_rsrp_dbm": ("nr_rsrq_db", "nr_sinr_db"),
    "radio_signal_dbm": ("radio_snr_db",),
}
"""Without the power the qualities are what an idle modem's registers hold."""
_HEARD = frozenset({"rssi_dbm", "rsrp_dbm", "access_technology"})
_OF_NR = frozenset({"rsrp_dbm", "rsrq_db", "sinr_db"})


@dataclass(frozen=True, slots=True)
class Object:
    """One object, and what its value becomes.

    Attributes:
        name: of a scalar with its last 0; of a column without index.
        field: of the record; "" where the parser gives several by name.
        parse: gives None for what it is not sure of.
    """

    name: Oid
    field: str
    parse: Parse

    def values(self, value: Value) -> Values:
        """By field; nothing that is not known."""
        meant = self.parse(value)
        if meant is None:
            return {}
        return {self.field: meant} if self.field else dict(meant)


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """A table with a modem in each row.

    Attributes:
        finders: columns by which rows are found, the first that has any; nothing private follows them.
        columns: asked for each row.
        is_by_interface: whether its index is an ifIndex.
    """

    finders: tuple[Oid, ...]
    columns: tuple[Object, ...]
    is_by_interface: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """A column of which only how many rows it has, or their sum, is told.

    Attributes:
        field: of the router's record.
        column: its name.
        spare: columns next to it that hold nothing private.
        is_sum: whether its values are added up.
    """

    field: str
    column: Oid
    spare: int = 0
    is_sum: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What the school says of a device.

    Attributes:
        wan: name or ifIndex of the interface towards the operator; None: found out.
        community: name of the community's wireless network, whose counters are told.
    """

    wan: str | None = None
    community: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """What a family's own part may look at."""

    reader: SnmpReader
    ports: Sequence[Port]
    wish: Wish


Part = Callable[[Asked], Values]


def objects(root: str, *rows: tuple[str, str, Parse]) -> tuple[Object, ...]:
    """Objects below a common name."""
    return tuple(Object(oid(f"{root}.{below}"), which, parse) for below, which, parse in rows)


def tallied(reader: SnmpReader, tally: Tally) -> Values:
    """By field; nothing for an empty table, which looks like one that the device does not have.

    Raises:
        DeviceFailed: the agent is gone, or its table cannot be read.
    """
    rows = reader.walk(tally.column, spare=tally.spare)
    if not rows:
        return {}
    if not tally.is_sum:
        return {tally.field: len(rows)}
    counts = [count(value) for value in rows.values()]
    known = [each for each in counts if each is not None]
    return {tally.field: sum(known)} if known and len(known) == len(counts) else {}


def modem_rows(reader: SnmpReader, table: Rows) -> dict[Oid, Values]:
    """What each row says, by its index.

    Raises:
        DeviceFailed: the agent is gone, or its table cannot be read.
    """
    indexes: list[Oid] = []
    for finder in table.finders:
        indexes = list(reader.walk(finder, _MOST_MODEMS))
        if indexes:
            break
    told_ = reader.get([column.name + index for index in indexes for column in table.columns])
    return {
        index: modem_values(table.columns, {c.name: told_.get(c.name + index) for c in table.columns})
        for index in indexes
    }


def modem_values(wanted: Sequence[Object], raw: Mapping[Oid, Value | None]) -> Values:
    """By field; qualities only beside a power that can be, and of 5G alone as such.

    Who says `is_unknown` and hears nothing is not registered.
    """
    given = [(each, value) for each in wanted if (value := raw[each.name]) is not None]
    values = coherent(
        Modem, merged(each.values(value) for each, value in given), [each.field for each, _ in given]
    )
    if values.pop("is_unknown", False) and not _HEARD & set(values):
        values["registered"] = False
    if values.get("access_technology") != "nr_sa":
        return values
    return {f"nr_{name}" if name in _OF_NR else name: value for name, value in values.items()}


def coherent(kind: type[Fields], values: Values, told: Sequence[str]) -> Values:
    """The values without qualities of a power that is not there or cannot be.

    Args:
        kind: of the record.
        values: by field.
        told: fields that the device said something of.
    """
    gone = [
        quality
        for power, qualities in _POWERS.items()
        if power in told and not (values.get(power) is not None and is_possible(kind, power, values[power]))
        for quality in qualities
    ]
    return {name: value for name, value in values.items() if name not in gone}


def modem_name(rows: Rows, index: Oid, ports: Sequence[Port]) -> str:
    """The interface's where the table is of interfaces, else by its index."""
    if rows.is_by_interface:
        named = next((port.name for port in ports if (port.index,) == index[:1]), None)
        if named is not None:
            return named
    return f"modem{dotted(index)}"
