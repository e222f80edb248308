# SPDX-License-Identifier: Apache-2.0
"""Which sinks are there? One dict; a sink's module is imported only when it is used."""

from __future__ import annotations

import importlib
from typing import Any

SINKS: dict[str, str] = {
    "store": "collector.sinks.store:StoreSink",
    "influxdb": "collector.sinks.influxdb:InfluxDBSink",
    "judge": "collector.judge.sink:JudgeSink",
}
"""Kind of sink, as in the TOML table `[sinks.<kind>]` → `module:Class`.

Each class has `OPTIONS`, the frozen dataclass of its table, and is made from one such object.
"""


def sink_class(kind: str) -> Any:
    """The class of one kind.

    Raises:
        KeyError: there is no such kind.
    """
    module, name = SINKS[kind].split(":")
    return getattr(importlib.import_module(module), name)
