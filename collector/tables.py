# SPDX-License-Identifier: Apache-2.0
"""What are the rows of a file that people write, and where exactly does each stand?"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from agent.contract.decoder import nearest
from collector.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """One school or device as written.

    Attributes:
        where: file and place, to begin an error with.
        joint: what stands between the place and the column's name.
    """

    where: str
    joint: str
    values: dict[str, Any]

    def error(self, column: str, problem: str) -> ConfigError:
        """What is wrong in one column."""
        return ConfigError(f"{self.where}{self.joint}{column}", problem)

    def text(self, column: str) -> str:
        """Text of a column, empty when it is not there."""
        value = self.values.get(column, "")
        if not isinstance(value, str):
            raise self.error(column, f"expected text, got {value!r}")
        return value.strip()

    def expect_columns(self, known: Sequence[str]) -> None:
        """Refuse a column nobody knows, hinting at the one that was meant."""
        for column in self.values:
            if column not in known:
                raise self.error(column, "unknown column" + nearest(column, known))


def read_toml(file: Path, names: Sequence[str]) -> dict[str, list[Row]]:
    """The arrays of tables of these names.

    Raises:
        ConfigError: not TOML, or something else in it.
    """
    plain = load_toml(file)
    for key, tables in plain.items():
        if key not in names:
            raise ConfigError(f"{file}: {key}", "unknown table" + nearest(key, names))
        if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables):
            raise ConfigError(f"{file}: {key}", f"expected tables [[{key}]]")
    return {
        name: [Row(f"{file}: {name}[{i}]", ".", table) for i, table in enumerate(plain.get(name, []))]
        for name in names
    }


def load_toml(file: Path, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """A TOML file as plain data.

    Args:
        file: which.
        parse_float: what becomes of a number with a point.

    Raises:
        ConfigError: it cannot be read.
    """
    return _readable(file, lambda: tomllib.loads(file.read_text(encoding="utf-8"), parse_float=parse_float))


def read_csv(file: Path, columns: Sequence[str]) -> list[Row]:
    """The rows of a CSV file (RFC 4180) with a header line.

    Raises:
        ConfigError: it cannot be read, or its header has a column nobody knows, or one twice.
    """
    return _readable(file, lambda: list(_csv_rows(file, columns)))


def _csv_rows(file: Path, columns: Sequence[str]) -> Iterator[Row]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.reader(lines, strict=True)
        header = [name.strip() for name in next(reader, [])]
        Row(f"{file}:1", ":", dict.fromkeys(header)).expect_columns(columns)
        for column in header:
            if header.count(column) > 1:
                raise ConfigError(f"{file}:1", f"column {column!r} is there twice")
        if "id" not in header:
            raise ConfigError(f"{file}:1", "the header line has no column 'id'")
        for cells in reader:
            where = f"{file}:{reader.line_num}"
            if len(cells) > len(header):
                raise ConfigError(where, f"{len(cells)} columns, the header line has {len(header)}")
            if any(cell.strip() for cell in cells):
                yield Row(where, ":", dict(zip(header, cells, strict=False)))


def _readable(file: Path, read: Callable[[], T]) -> T:
    try:
        return read()
    except OSError as e:
        raise ConfigError(str(file), f"cannot be read: {e.strerror}") from e
    except UnicodeDecodeError as e:
        raise ConfigError(str(file), f"is not UTF-8 at byte {e.start}") from e
    except (tomllib.TOMLDecodeError, csv.Error) as e:
        raise ConfigError(str(file), str(e)) from e
