# SPDX-License-Identifier: Apache-2.0
"""How does each form of Grafana panel that we use look as JSON (classic schema)?

Every panel has a description, a unit and a word for no data, so that nothing unknown ever looks fine.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

DATASOURCE = {"type": "influxdb", "uid": "${ds}"}
COLUMNS = 24
NO_DATA = "no data"

GREEN, AMBER, RED, BLUE, GREY = "#2e9e5b", "#e0a500", "#d0342c", "#3f7fd0", "#8a8f98"
"""Told apart also by their lightness; red is only for what calls for action, grey for what is not known."""


def query(influxql: str, *, alias: str = "", as_table: bool = False, ref: str = "A") -> Json:
    """One InfluxQL statement of a panel."""
    return {
        "alias": alias,
        "datasource": DATASOURCE,
        "query": influxql,
        "rawQuery": True,
        "refId": ref,
        "resultFormat": "table" if as_table else "time_series",
    }


def steps(base: str, *bounds: tuple[float, str]) -> Json:
    """Colours by threshold, ascending."""
    first: Json = {"color": base, "value": None}
    return {"mode": "absolute", "steps": [first, *({"color": c, "value": v} for v, c in bounds)]}


def states(*named: tuple[int, str, str]) -> Json:
    """Words and colours of whole numbers."""
    options = {
        str(value): {"color": color, "index": index, "text": text}
        for index, (value, text, color) in enumerate(named)
    }
    return {"type": "value", "options": options}


def stat(title: str, about: str, influxql: str, *, unit: str = "none", thresholds: Json) -> Json:
    """One number that fills its panel."""
    made = _panel("stat", title, about, [query(influxql)], unit=unit)
    made["fieldConfig"]["defaults"] |= {"color": {"mode": "thresholds"}, "thresholds": thresholds}
    made["options"] = {
        "colorMode": "background",
        "graphMode": "none",
        "justifyMode": "center",
        "orientation": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
        "textMode": "value",
        "wideLayout": True,
    }
    return made


def age(title: str, about: str, influxql: str) -> Json:
    """How long ago the newest point was, from the time of a table's row."""
    made = stat(title, about, influxql, unit="dateTimeFromNow", thresholds=steps(BLUE))
    made["targets"] = [query(influxql, as_table=True)]
    made["options"]["reduceOptions"]["fields"] = "/^Time$/"
    return made


def lines(title: str, about: str, targets: list[Json], *, unit: str, stacked: bool = False) -> Json:
    """Curves over time; a gap in the data is a gap in the curve."""
    made = _panel("timeseries", title, about, targets, unit=unit)
    made["fieldConfig"]["defaults"] |= {
        "color": {"mode": "palette-classic"},
        "custom": {
            "drawStyle": "line",
            "fillOpacity": 20 if stacked else 0,
            "insertNulls": 1_800_000,
            "lineWidth": 1,
            "pointSize": 3,
            "showPoints": "auto",
            "spanNulls": False,
            "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
        },
        "min": 0,
        "thresholds": steps(BLUE),
    }
    made["options"] = {
        "legend": {"calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "right"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    }
    return made


def timeline(title: str, about: str, target: Json, *, mappings: Json) -> Json:
    """States over time, a row each; what was not heard of stays empty."""
    made = _panel("state-timeline", title, about, [target], unit="none")
    made["fieldConfig"]["defaults"] |= {
        "color": {"mode": "thresholds"},
        "custom": {"fillOpacity": 90, "insertNulls": 900_000, "lineWidth": 0, "spanNulls": False},
        "mappings": [mappings],
        "thresholds": steps(GREY),
    }
    made["options"] = {
        "alignValue": "left",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "mergeValues": True,
        "perPage": 25,
        "rowHeight": 0.85,
        "showValue": "never",
        "tooltip": {"mode": "single", "sort": "none"},
    }
    return made


def table(title: str, about: str, targets: list[Json], *, columns: list[Json], join: str, sort: str) -> Json:
    """Rows of several statements joined by one tag; `columns` come from `column`."""
    made = _panel("table", title, about, targets, unit="none")
    made["fieldConfig"]["defaults"]["thresholds"] = steps(GREY)
    made["fieldConfig"]["overrides"] = [c for c in columns if c["properties"]]
    made["options"] = {
        "cellHeight": "sm",
        "footer": {"show": False},
        "showHeader": True,
        "sortBy": [{"desc": True, "displayName": sort}],
    }
    made["transformations"] = [
        {"id": "joinByField", "options": {"byField": join, "mode": "outer"}},
        {
            "id": "organize",
            "options": {
                "excludeByName": {},
                "includeByName": {c["matcher"]["options"]: True for c in columns},
                "indexByName": {c["matcher"]["options"]: i for i, c in enumerate(columns)},
                "renameByName": {},
            },
        },
    ]
    return made


def column(
    name: str, title: str = "", *, unit: str = "", thresholds: Json | None = None, **more: Any
) -> Json:
    """One column of a table: heading, unit, and colour where it says something."""
    found = {"displayName": title, "unit": unit, "thresholds": thresholds, **more}
    if thresholds or "mappings" in more:
        found |= {"custom.cellOptions": {"mode": "basic", "type": "color-background"}}
    return {
        "matcher": {"id": "byName", "options": name},
        "properties": [{"id": key, "value": value} for key, value in found.items() if value],
    }


def row(title: str) -> Json:
    """A heading over the panels below it."""
    return {"collapsed": False, "panels": [], "title": title, "type": "row"}


def placed(rows: list[tuple[int, list[tuple[int, Json]]]]) -> list[Json]:
    """Number the panels and lay them out: rows of (height, [(width, panel), …]), from the top."""
    panels: list[Json] = []
    y = 0
    for height, cells in rows:
        x = 0
        for width, panel in cells:
            position = {"h": height, "w": width, "x": x, "y": y}
            panels.append({**panel, "gridPos": position, "id": len(panels) + 1})
            x += width
        y += height
    return panels


def _panel(form: str, title: str, about: str, targets: list[Json], *, unit: str) -> Json:
    return {
        "datasource": DATASOURCE,
        "description": about,
        "fieldConfig": {
            "defaults": {"mappings": [], "noValue": NO_DATA, "unit": unit},
            "overrides": [],
        },
        "targets": targets,
        "title": title,
        "type": form,
    }
