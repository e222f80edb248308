# SPDX-License-Identifier: Apache-2.0
"""How do people write down schools and devices, and what is wrong with what they wrote?

One TOML file with `[[school]]` and `[[device]]` tables, or two CSV files with a header line: the same columns
either way. A date counts from midnight UTC; a date with a time needs an offset (RFC 3339).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from agent.contract.decoder import nearest
from agent.contract.record import DEVICE
from collector.registry import Placement, Registry, School
from collector.tables import Row, read_csv, read_toml

SCHOOL_COLUMNS = tuple(f.name for f in dataclasses.fields(School))
DEVICE_COLUMNS = ("id", "school", "from", "to")
_SCHOOL_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class _Placed:
    placement: Placement
    row: Row


def load_registry(file: Path) -> Registry:
    """Read a TOML registry.

    Raises:
        ConfigError: the first thing that is wrong, with file, table and key.
    """
    tables = read_toml(file, ("school", "device"))
    return _registry(tables["school"], tables["device"])


def load_csv_registry(schools_file: Path, devices_file: Path) -> Registry:
    """Read a registry of two CSV files.

    Raises:
        ConfigError: the first thing that is wrong, with file, line and column.
    """
    return _registry(read_csv(schools_file, SCHOOL_COLUMNS), read_csv(devices_file, DEVICE_COLUMNS))


def _registry(school_rows: Iterable[Row], device_rows: Iterable[Row]) -> Registry:
    schools: dict[str, School] = {}
    for row in school_rows:
        school = _school(row)
        if school.id in schools:
            raise row.error("id", f"school {school.id!r} is there twice")
        schools[school.id] = school
    placed = [_Placed(_placement(row, schools), row) for row in device_rows]
    _refuse_overlaps(placed)
    return Registry.of(schools.values(), (p.placement for p in placed))


def _school(row: Row) -> School:
    row.expect_columns(SCHOOL_COLUMNS)
    text = {name: row.text(name) for name in SCHOOL_COLUMNS}
    if not _SCHOOL_ID.fullmatch(text["id"]):
        raise row.error("id", f"{text['id']!r} must be 1 to 64 letters, digits, '.', '_' or '-'")
    return School(**text)


def _placement(row: Row, schools: dict[str, School]) -> Placement:
    row.expect_columns(DEVICE_COLUMNS)
    device, school = row.text("id"), row.text("school")
    if not DEVICE.fullmatch(device):
        raise row.error("id", f"{device!r} must be 1 to 48 of a-z, 0-9 and inner hyphens")
    if school not in schools:
        raise row.error("school", f"unknown school {school!r}" + nearest(school, schools))
    from_ms, to_ms = _instant(row, "from"), _instant(row, "to")
    if from_ms is not None and to_ms is not None and from_ms >= to_ms:
        raise row.error("to", "is not after 'from'")
    return Placement(device=device, school=school, from_ms=from_ms, to_ms=to_ms)


def _refuse_overlaps(placed: Sequence[_Placed]) -> None:
    by_device: dict[str, list[_Placed]] = {}
    for new in placed:
        others = by_device.setdefault(new.placement.device, [])
        for other in others:
            if new.placement.overlaps(other.placement):
                problem = (
                    f"device {new.placement.device!r} stands at {other.placement.school!r} at that time too"
                )
                raise new.row.error("from", f"{problem} ({other.row.where})")
        others.append(new)


def _instant(row: Row, column: str) -> int | None:
    value = row.values.get(column)
    if value is None or value == "":
        return None
    try:
        moment = _parse_instant(value)
    except ValueError as e:
        raise row.error(column, f"{str(value)[:40]!r} is not a date such as 2026-09-01") from e
    if moment.tzinfo is None:
        raise row.error(column, f"{value} needs an offset, such as {value}+05:00")
    return round(moment.timestamp() * 1000)


def _parse_instant(value: Any) -> datetime:
    if isinstance(value, str):
        value = date.fromisoformat(value) if re.fullmatch(r"[\d-]+", value) else datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return datetime.combine(value, time(), UTC)
    raise ValueError("neither date nor time")
