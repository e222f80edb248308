# SPDX-License-Identifier: Apache-2.0
"""Which part of the fleet does an operator look at, and which points does a statement take of it?"""

from __future__ import annotations

from panels import DATASOURCE, Json

CHAIN = ("region", "operator", "technology", "school")
"""Tags an operator narrows the fleet down by, each list within the choice of the ones before."""

CHOSEN = " AND ".join(f'"{tag}" =~ /^${tag}$/' for tag in CHAIN)
SHOWN = f"$timeFilter AND {CHOSEN}"
NOW = f"time > now() - $fresh AND {CHOSEN}"
LAST_HOUR = f"time > now() - 1h AND {CHOSEN}"
KNOWN = f"time > now() - 30d AND {CHOSEN}"
OVER_TIME = "GROUP BY time($__interval)"


def variables() -> list[Json]:
    """The choices above the dashboard: source, part of the fleet, freshness."""
    source = {"label": "Source", "name": "ds", "query": "influxdb", "type": "datasource"}
    return [source, *(_tag_values(tag, CHAIN[:index]) for index, tag in enumerate(CHAIN)), _freshness()]


def _tag_values(tag: str, before: tuple[str, ...]) -> Json:
    where = " AND ".join(f'"{other}" =~ /^${other}$/' for other in before)
    influxql = f'SHOW TAG VALUES FROM "reach" WITH KEY = "{tag}"' + (f" WHERE {where}" if where else "")
    return {
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "datasource": DATASOURCE,
        "definition": influxql,
        "includeAll": True,
        "label": tag.capitalize(),
        "multi": True,
        "name": tag,
        "query": influxql,
        "refresh": 2,
        "sort": 1,
        "type": "query",
    }


def _freshness() -> Json:
    choices = ("5m", "10m", "30m", "2h")
    chosen = "10m"
    return {
        "current": {"text": chosen, "value": chosen},
        "description": "How old an answer may be to count as now; more than twice the reporting interval.",
        "label": "Fresh within",
        "name": "fresh",
        "options": [{"selected": c == chosen, "text": c, "value": c} for c in choices],
        "query": ",".join(choices),
        "type": "custom",
    }
