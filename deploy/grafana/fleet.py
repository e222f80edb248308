# SPDX-License-Identifier: Apache-2.0
"""What does an operator see of the whole fleet in five seconds? Writes dashboards/fleet.json.

InfluxQL without joins, the language that InfluxDB 1, 2 and 3 share. A school is *up* or *down* by its
newest answer within the freshness chosen, *unknown* when there is none: silence is neither.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import link
import witness
from choice import variables
from panels import COLUMNS, Json, placed, row

TARGET = Path(__file__).parent / "dashboards" / "fleet.json"


def dashboard() -> Json:
    """The whole dashboard."""
    return {
        "annotations": {"list": [witness.restarts(), witness.ways()]},
        "description": "Which schools have internet, which have not, how good it is; how the witnesses are.",
        "editable": False,
        "fiscalYearStartMonth": 0,
        "graphTooltip": 1,
        "links": [],
        "panels": placed(_rows()),
        "refresh": "1m",
        "schemaVersion": 41,
        "tags": ["schoolpulse"],
        "templating": {"list": variables()},
        "time": {"from": "now-24h", "to": "now"},
        "timepicker": {},
        "timezone": "browser",
        "title": "schoolpulse: the fleet",
        "uid": "schoolpulse-fleet",
        "version": 1,
        "weekStart": "monday",
    }


def _rows() -> list[tuple[int, list[tuple[int, Json]]]]:
    first = (link.up(), link.down(), link.unknown(), link.newest(), link.rtt(), link.loss())
    return [
        (5, [(4, panel) for panel in first]),
        (9, [(COLUMNS, link.schools())]),
        (8, [(12, link.latency()), (12, link.loss_by_operator())]),
        (9, [(COLUMNS, link.history())]),
        (8, [(COLUMNS, link.faults())]),
        (1, [(COLUMNS, row("Witnesses"))]),
        (8, [(COLUMNS, witness.agents())]),
        (8, [(8, witness.backlog()), (8, witness.failures()), (8, witness.delay())]),
    ]


def main() -> int:
    """Write the dashboard, or with --check say whether the file is what would be written."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare only")
    options = parser.parse_args()
    text = json.dumps(dashboard(), indent=2, sort_keys=True) + "\n"
    if options.check:
        return int(not TARGET.exists() or TARGET.read_text() != text)
    TARGET.write_text(text)
    print(f"wrote {TARGET} with {len(dashboard()['panels'])} panels")
    return 0


if __name__ == "__main__":
    sys.exit(main())
