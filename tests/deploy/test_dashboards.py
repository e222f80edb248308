# SPDX-License-Identifier: Apache-2.0
"""Is each dashboard well formed, by the rules Grafana and our operators have?"""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent.contract.kinds import KINDS, key_names
from collector.sinks.flags import FLAGS
from collector.sinks.lines import COMMON, _columns
from tests.deploy.grafana import CHOICE, DASHBOARDS, FOLDER, VARIABLE, load, panels, statements

NOT_IN_INFLUXDB_3 = re.compile(
    r"\b(SLIMIT|SOFFSET|INTO|INTEGRAL|SAMPLE|HOLT_WINTERS\w*|SHOW SERIES|\w*CARDINALITY)\b", re.IGNORECASE
)
TAGS = {"school", "device", "country", "region", "operator", "technology", "contract"}
MACROS = {"timeFilter", "__interval"}

dashboards = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)


def test_there_is_one_dashboard() -> None:
    assert [path.stem for path in DASHBOARDS] == ["fleet"]


def test_dashboard_is_what_its_source_would_write() -> None:
    script = FOLDER / "fleet.py"
    assert subprocess.run([sys.executable, script, "--check"], check=False).returncode == 0, "run `make docs`"


@dashboards
def test_dashboard_is_classic_and_of_no_instance(path: Path) -> None:
    dashboard = load(path)
    assert dashboard["schemaVersion"] in (41, 42)
    assert dashboard["uid"]
    assert "id" not in dashboard


@dashboards
def test_panels_have_their_own_ids_and_titles(path: Path) -> None:
    found = list(panels(load(path)))
    assert len({panel["id"] for panel in found}) == len(found) >= 10
    assert len({panel["title"] for panel in found}) == len(found)


@dashboards
def test_panels_stay_on_the_grid_and_off_each_other(path: Path) -> None:
    places = [panel["gridPos"] for panel in panels(load(path))]
    assert all(p["x"] >= 0 and p["x"] + p["w"] <= 24 and p["h"] > 0 for p in places)
    assert not [(a, b) for a, b in itertools.combinations(places, 2) if _overlap(a, b)]


@dashboards
def test_panel_says_what_it_shows_and_what_no_data_means(path: Path) -> None:
    for panel in panels(load(path)):
        if panel["type"] != "row":
            defaults = panel["fieldConfig"]["defaults"]
            assert len(panel["description"]) > 20, panel["title"]
            assert defaults["unit"], panel["title"]
            assert defaults["noValue"] == "no data", panel["title"]
            assert _ascending(defaults["thresholds"]["steps"]), panel["title"]


@dashboards
def test_answer_of_five_seconds_is_on_the_first_row(path: Path) -> None:
    first = [panel["title"] for panel in panels(load(path)) if panel["gridPos"]["y"] == 0]
    assert first == ["Up", "Down", "Unknown", "Newest record", "Round trip", "Loss"]


@dashboards
def test_only_the_chosen_data_source_is_asked(path: Path) -> None:
    text = path.read_text()
    assert set(re.findall(r'"uid": "([^"]*)"', text)) <= {"${ds}", "schoolpulse-fleet"}
    assert "http:" not in text
    assert "https:" not in text


@dashboards
def test_variables_used_are_defined(path: Path) -> None:
    dashboard = load(path)
    defined = {variable["name"] for variable in dashboard["templating"]["list"]}
    used = {name for s in statements(dashboard) for name in VARIABLE.findall(s.influxql)}
    assert used - MACROS <= defined
    assert set(CHOICE) == defined - {"ds"}


@dashboards
def test_statements_keep_to_what_every_influxdb_understands(path: Path) -> None:
    assert not [s for s in statements(load(path)) if NOT_IN_INFLUXDB_3.search(s.influxql)]


@dashboards
def test_statements_name_fields_of_the_contract(path: Path) -> None:
    checked = 0
    for statement in statements(load(path)):
        kinds = set(re.findall(r'FROM "(\w+)"', statement.influxql))
        aliases = set(re.findall(r'AS "(\w+)"', statement.influxql))
        named = set(re.findall(r'"(\w+)"', statement.influxql)) - kinds - aliases - TAGS
        known = {name for kind in kinds for name in _names(kind)}
        assert kinds <= set(KINDS), statement.where
        assert named <= known, statement.where
        checked += 1
    assert checked >= 20


def _names(kind: str) -> set[str]:
    return {*COMMON, *FLAGS.get(kind, ()), *key_names(KINDS[kind]), *(name for name, _ in _columns(kind))}


def _overlap(a: dict[str, int], b: dict[str, int]) -> bool:
    apart_x = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
    apart_y = a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"]
    return not (apart_x or apart_y)


def _ascending(steps: list[dict[str, Any]]) -> bool:
    values = [step["value"] for step in steps]
    return values[0] is None and values[1:] == sorted(values[1:])
