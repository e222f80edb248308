# SPDX-License-Identifier: Apache-2.0
"""A recording of an SNMP agent: `NAME.snmprec`, and beside it `NAME.toml` that says what is expected.

The tables below `[expected]` are `router`, `satellite`, and `KIND.KEY` for interfaces and modems; "absent"
stands for None.
"""

from __future__ import annotations

import dataclasses
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firmware_bridge.drivers.snmp_tables import Wish
from firmware_bridge.reading import DeviceReading
from tests.parts.snmp_agent import Item, Oid, load

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
