# SPDX-License-Identifier: Apache-2.0
"""How is a table written so that every spreadsheet reads it as it is meant, and runs nothing that is in it?

RFC 4180 in UTF-8 with a byte order mark, every cell in quotation marks. Two dialects: comma and decimal
point for programs and most of the world; semicolon and decimal comma for spreadsheets set to Russian or
Kazakh. Text that a spreadsheet would take for a formula gets an apostrophe before it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

Cell = str | int | float | Decimal | Fraction | bool | None
BYTE_ORDER_MARK = "\ufeff"
FORMULA = frozenset("=+-@\t\r\n＝＋－＠")
_PLACES = 6


@dataclass(frozen=True, slots=True)
class Dialect:
    """How cells are parted and fractions written."""

    delimiter: str
    decimal: str


DIALECTS: Mapping[str, Dialect] = {"csv": Dialect(",", "."), "csv-semicolon": Dialect(";", ",")}
"""By the folder they are written to."""


def sheet(columns: Sequence[str], rows: Iterable[Mapping[str, Cell]], dialect: Dialect) -> bytes:
    """A whole file; every row has every column."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=dialect.delimiter, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([written(row[column], dialect) for column in columns])
    return (BYTE_ORDER_MARK + out.getvalue()).encode()


def written(cell: Cell, dialect: Dialect) -> str:
    """One cell; None is empty, which is not 0."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return harmless(cell)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return _plain(cell).replace(".", dialect.decimal)


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula, whatever stands in a school's name."""
    return f"'{text}" if text[:1] in FORMULA or text.lstrip()[:1] in FORMULA else text


def _plain(value: float | Decimal | Fraction) -> str:
    """Digits with a point: never an exponent, never a nought for what is not one."""
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    exact = (
        Decimal(value.numerator) / Decimal(value.denominator)
        if isinstance(value, Fraction)
        else Decimal(repr(value))
    )
    return f"{exact:.{_PLACES}f}".rstrip("0").rstrip(".") or "0"
