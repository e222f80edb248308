# SPDX-License-Identifier: Apache-2.0
"""A recording of an SNMP agent: `NAME.snmprec`, and beside it `NAME.toml` that says what is expected.

The tables below `[expected]` are `router`, `satellite`, and `KIND.KEY` for interfaces and modems; "absent"
stands for None.
"""

from __future__ import annotations

import bisect
import dataclasses
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_bridge.drivers.snmp_tables import Wish
from firmware_bridge.protocols.snmp import Answer, SnmpReader, Value
from firmware_bridge.reading import DeviceReading
from firmware_bridge.router import driver_of, identified
from tests.parts.snmp_agent import INTEGER, OBJECT, OCTETS, Item, Oid, load, read_oid

FOLDER = Path(__file__).parent / "fixtures" / "snmp"
NAMES = sorted(path.stem for path in FOLDER.glob("*.snmprec"))
_KEYS = ("router", "dish", "interface", "port")


@dataclass(frozen=True)
class Recording:
    """One recording and what is said of it."""

    name: str
    values: dict[Oid, Item]
    about: dict[str, Any]

    @property
    def wish(self) -> Wish:
        """What the school says of the device."""
        return Wish(**self.about.get("wish", {}))

    @property
    def expected(self) -> dict[str, dict[str, Any]]:
        """Fields by record; None where the recording has no figure."""
        return {
            record: {name: None if value == "absent" else value for name, value in fields.items()}
            for record, fields in self.about["expected"].items()
        }


def recording(name: str) -> Recording:
    """One recording."""
    about = tomllib.loads((FOLDER / f"{name}.toml").read_text())
    return Recording(name, load(FOLDER / f"{name}.snmprec"), about)


def by_record(reading: DeviceReading) -> dict[str, Mapping[str, Any]]:
    """Fields of all records of a reading, by the names that recordings use."""
    found: dict[str, Mapping[str, Any]] = {}
    for fields in reading.fields:
        plain = dataclasses.asdict(fields)
        named = next(plain[key] for key in _KEYS if key in plain)
        is_alone = fields.kind in {"router", "satellite"}
        found[fields.kind if is_alone else f"{fields.kind}.{named}"] = plain
    return found


class InMemory:
    """A link to an agent that is none: its values, without a socket."""

    def __init__(self, values: Mapping[Oid, Value | None]) -> None:
        self._values = dict(values)
        self._names = sorted(self._values)

    def get(self, names: Sequence[Oid]) -> Answer:
        """What it has of these."""
        return Answer(tuple((name, self._values.get(name)) for name in names))

    def following(self, name: Oid, most: int) -> Answer:
        """So many of the next."""
        at = bisect.bisect_right(self._names, name)
        rows = tuple((each, self._values[each]) for each in self._names[at : at + most])
        return Answer(rows or ((name, None),))


def read_values(values: Mapping[Oid, Value | None], wish: Wish | None = None) -> DeviceReading:
    """A reading of an agent that has these values."""
    reader = SnmpReader(InMemory(values), "main", within_s=1e6)
    known = identified(reader)
    return driver_of(known).read(reader, "main", known, wish=wish)


def told(item: Item) -> Value | None:
    """The value as the link gives it."""
    if item.tag == OBJECT:
        return read_oid(item.body) if item.body else ()
    if item.tag in {OCTETS, 0x40, 0x44}:
        return item.body
    if item.tag == INTEGER or 0x41 <= item.tag <= 0x46:
        return int.from_bytes(item.body, "big", signed=True)
    return None
