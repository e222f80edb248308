# SPDX-License-Identifier: Apache-2.0
"""Does a real InfluxDB answer every query of every dashboard, with the fleet's true numbers?"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.deploy import fleet
from tests.deploy.grafana import CHOICE, DASHBOARDS, Statement, filled, load, several, statements
from tests.parts.influxdb import InfluxDB

pytestmark = pytest.mark.parts("influxdb")

ALL_STATEMENTS = [s for path in DASHBOARDS for s in statements(load(path))]
DAY_MS = 24 * 3600 * 1000
HOUR_MS = 3600 * 1000


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxDB]:
    with InfluxDB(tmp_path_factory.mktemp("influxdb")) as server:
        assert fleet.fill(server, time.time_ns() // 1_000_000) > 3000
        yield server


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[InfluxDB]:
    with InfluxDB(tmp_path) as server:
        yield server


def ask(database: InfluxDB, where: str, choice: Mapping[str, str] = CHOICE) -> list[dict[str, Any]]:
    """Rows of the statement that stands there."""
    (statement,) = [s for s in ALL_STATEMENTS if s.where == where]
    return _ask(database, statement, choice)


def _ask(
    database: InfluxDB, statement: Statement, choice: Mapping[str, str] = CHOICE
) -> list[dict[str, Any]]:
    now_ms = time.time_ns() // 1_000_000
    return database.query(
        filled(statement.influxql, start_ms=now_ms - DAY_MS, end_ms=now_ms + HOUR_MS, choice=choice)
    )


def test_every_statement_is_asked() -> None:
    assert len(ALL_STATEMENTS) >= 24


@pytest.mark.parametrize("statement", ALL_STATEMENTS, ids=lambda s: s.where)
def test_statement_is_answered_with_a_number_in_every_column(
    database: InfluxDB, statement: Statement
) -> None:
    rows = _ask(database, statement)
    assert rows
    for name in set(re.findall(r'AS "(\w+)"', statement.influxql)) & rows[0].keys():
        assert any(row[name] is not None for row in rows), name
    outermost = statement.influxql.partition(" FROM ")[0]
    assert set(re.findall(r'AS "(\w+)"', outermost)) <= rows[0].keys()


@pytest.mark.parametrize("statement", ALL_STATEMENTS, ids=lambda s: s.where)
def test_statement_is_answered_when_nothing_is_stored_yet(empty: InfluxDB, statement: Statement) -> None:
    assert _ask(empty, statement) == []


@pytest.mark.parametrize(
    ("where", "column", "expected"),
    [
        ("panel Up A", "up", fleet.UP),
        ("panel Down A", "down", fleet.DOWN),
        ("panel Unknown A", "unknown", fleet.SILENT),
    ],
)
def test_schools_are_counted_right(database: InfluxDB, where: str, column: str, expected: int) -> None:
    assert [row[column] for row in ask(database, where)] == [expected]


def test_everything_is_unknown_when_everyone_is_silent(empty: InfluxDB) -> None:
    fleet.fill(empty, time.time_ns() // 1_000_000 - HOUR_MS)
    assert [row["unknown"] for row in ask(empty, "panel Unknown A")] == [len(fleet.schools())]
    assert ask(empty, "panel Up A") == []
    assert ask(empty, "panel Schools B") == []


def test_schools_table_has_a_row_for_each_even_the_silent(database: InfluxDB) -> None:
    assert {row["school"] for row in ask(database, "panel Schools A")} == {s.id for s in fleet.schools()}
    assert len(ask(database, "panel Schools B")) == fleet.UP + fleet.DOWN


def test_choice_of_several_operators_narrows_the_fleet(database: InfluxDB) -> None:
    chosen = {**CHOICE, "operator": several("Alpha", "Beta, Ltd")}
    expected = {s.id for s in fleet.schools() if s.operator in ("Alpha", "Beta, Ltd")}
    assert {row["school"] for row in ask(database, "panel Schools A", chosen)} == expected
    assert {row["value"] for row in ask(database, "variable school", chosen)} == expected


def test_loss_is_not_zero_when_nothing_answers(database: InfluxDB) -> None:
    down = {**CHOICE, "school": fleet.schools()[fleet.UP].id}
    (row,) = ask(database, "panel Loss A", down)
    assert 0.4 < row["loss"] <= 1


def test_rate_leaves_out_what_is_suspect(database: InfluxDB) -> None:
    rows = ask(database, "panel What else is wrong F")
    assert {row["rate"] for row in rows} == {fleet.VALID_MBPS}
    assert len(rows) == len(fleet.schools())


def test_large_packets_that_vanish_are_shown(database: InfluxDB) -> None:
    assert {(row["ipv6"], row["large"]) for row in ask(database, "panel What else is wrong D")} == {(1, 0)}
