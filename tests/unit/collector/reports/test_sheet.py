# SPDX-License-Identifier: Apache-2.0
"""Do spreadsheets get what was meant, and nothing that they would run?"""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.reports.sheet import BYTE_ORDER_MARK, DIALECTS, FORMULA, Cell, sheet, written
from collector.reports.tables import COLUMNS, TABLES, sheets
from tests.unit.collector.reports.samples import CHANGES, figures

COMMA, SEMICOLON = DIALECTS["csv"], DIALECTS["csv-semicolon"]
DANGEROUS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    " =1",
    "＝1",
    '=HYPERLINK("x")',
    "-2+3+cmd|' /C calc'!A0",
]


def read(content: bytes, delimiter: str) -> list[list[str]]:
    text = content.decode("utf-8")
    assert text.startswith(BYTE_ORDER_MARK)
    return list(csv.reader(io.StringIO(text[1:], newline=""), delimiter=delimiter, strict=True))


@pytest.mark.parametrize("text", DANGEROUS)
def test_text_that_looks_like_a_formula_is_made_harmless(text: str) -> None:
    assert written(text, COMMA) == "'" + text


@pytest.mark.parametrize("text", ["Мектеп №1", "a=b", "", "1-2", "'x", '"x"'])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert written(text, COMMA) == text


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=5), st.sampled_from([COMMA, SEMICOLON]))
def test_no_cell_of_any_text_ever_begins_as_a_formula_and_each_comes_back(
    rows: list[list[str]], dialect: object
) -> None:
    dialect = COMMA if dialect is COMMA else SEMICOLON
    kept = [[_encodable(cell) for cell in row] for row in rows]
    content = sheet(("a", "b"), ({"a": a, "b": b} for a, b in kept), dialect)

    found = read(content, dialect.delimiter)[1:]

    assert len(found) == len(kept)
    for row, back in zip(kept, found, strict=True):
        assert not any(cell.lstrip()[:1] in FORMULA for cell in back if cell.strip())
        assert [
            b.removeprefix("'") if not c.startswith("'") else b for c, b in zip(row, back, strict=True)
        ] == row


def _encodable(text: str) -> str:
    return text.encode("utf-8", "ignore").decode()


@pytest.mark.parametrize(
    ("cell", "comma", "semicolon"),
    [
        (None, "", ""),
        (0, "0", "0"),
        (-5, "-5", "-5"),
        (True, "true", "true"),
        (0.5, "0.5", "0,5"),
        (1e-9, "0", "0"),
        (1e22, "10000000000000000000000", "10000000000000000000000"),
        (Fraction(2, 3), "0.666667", "0,666667"),
        (Decimal("1234.50"), "1234.50", "1234,50"),
        (Decimal("1E+3"), "1000", "1000"),
    ],
)
def test_numbers_have_no_exponent_and_the_dialects_decimal_sign(
    cell: Cell, comma: str, semicolon: str
) -> None:
    assert (written(cell, COMMA), written(cell, SEMICOLON)) == (comma, semicolon)


def test_every_table_has_the_columns_that_it_says_and_a_row_of_each_kind() -> None:
    made = sheets(figures(), CHANGES)

    assert len(made) == 2 * len(COLUMNS) == 2 * (len(TABLES) + 1)
    for path, content in made.items():
        folder, _, name = path.partition("/")
        rows = read(content, DIALECTS[folder].delimiter)
        assert tuple(rows[0]) == COLUMNS[name.removesuffix(".csv")]
        assert len(rows) >= 2, path
        assert {len(row) for row in rows} == {len(rows[0])}, path


def test_a_schools_name_with_a_formula_is_text_in_the_table() -> None:
    rows = read(sheets(figures(), ())["csv/schools.csv"], ",")

    assert [row[1] for row in rows if "HYPERLINK" in row[1]] == [
        '\'=HYPERLINK("http://evil.example","Бас тарту")'
    ]
