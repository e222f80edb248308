# SPDX-License-Identifier: Apache-2.0
"""What would Grafana send to the database for a dashboard? Its macros and variables, filled in as it does."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "grafana"
DASHBOARDS = sorted((FOLDER / "dashboards").glob("*.json"))
ALL = ".*"
CHOICE = {"region": ALL, "operator": ALL, "technology": ALL, "school": ALL, "fresh": "10m"}
"""Values of the variables as a dashboard is opened: `All` sends the variable's allValue, not escaped."""

VARIABLE = re.compile(r"\$\{?([a-zA-Z_]\w*)\}?")


@dataclass(frozen=True)
class Statement:
    """One statement and where it stands."""

    where: str
    influxql: str


def load(path: Path) -> dict[str, Any]:
    """A dashboard."""
    return dict(json.loads(path.read_text()))


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel, those inside rows too."""
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def statements(dashboard: Mapping[str, Any]) -> list[Statement]:
    """Every query of every panel, variable and annotation."""
    found = [
        Statement(f"panel {panel['title']} {target['refId']}", target["query"])
        for panel in panels(dashboard)
        for target in panel.get("targets", [])
    ]
    found += [
        Statement(f"variable {variable['name']}", variable["query"])
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "query"
    ]
    found += [Statement(f"annotation {a['name']}", a["query"]) for a in dashboard["annotations"]["list"]]
    return found


def filled(influxql: str, *, start_ms: int, end_ms: int, choice: Mapping[str, str] = CHOICE) -> str:
    """The statement as it is sent.

    Raises:
        KeyError: it names a variable that the dashboard does not define.
    """
    macros = {
        "timeFilter": f"time >= {start_ms}ms and time <= {end_ms}ms",
        "__interval": "5m",
    }
    return VARIABLE.sub(lambda match: {**choice, **macros}[match.group(1)], influxql)


def several(*values: str) -> str:
    """What a variable with several values becomes inside /^$name$/."""
    return f"({'|'.join(re.escape(v) for v in values)})"
