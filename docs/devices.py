# SPDX-License-Identifier: Apache-2.0
"""Which devices are understood, how well is that known, and what do they tell? Made from the recordings."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FIXTURES = Path(__file__).resolve().parent.parent / "tests" / "drivers" / "fixtures"
RUNGS = ("parsed", "emulated", "seen")
"""The ladder, lowest first."""


def recordings() -> Mapping[str, Mapping[str, Any]]:
    """What is said of each recording, by its path below the fixtures without suffix."""
    files = sorted(FIXTURES.rglob("*.toml"))
    return {str(f.relative_to(FIXTURES).with_suffix("")): tomllib.loads(f.read_text()) for f in files}


def page() -> str:
    """The generated part of docs/devices.md."""
    told = recordings()
    rungs = [about["rung"] for about in told.values()]
    counts = ", ".join(f"{rungs.count(rung)} {rung}" for rung in RUNGS)
    sources = sorted({about["source"] for about in told.values()})
    ordered = sorted(told, key=lambda name: (told[name]["driver"], name))
    return "\n".join(
        [
            f"{len(told)} recordings: {counts}.\n",
            "| driver | device | rung | recording | source |",
            "|---|---|---|---|---|",
            *(_row(name, told[name], sources) for name in ordered),
            "\nSources:\n",
            *(f"{number}. {source}" for number, source in enumerate(sources, 1)),
            "\nFigures that at least one recording of the driver has:\n",
            "| driver | figures | meanings |",
            "|---|---|---|",
            *_figures(told),
        ]
    )


def _row(name: str, about: Mapping[str, Any], sources: list[str]) -> str:
    source = sources.index(about["source"]) + 1
    return f"| `{about['driver']}` | {about['device']} | {about['rung']} | `{name}` | {source} |"


def _figures(told: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for driver in sorted({about["driver"] for about in told.values()}):
        own = [about for about in told.values() if about["driver"] == driver]
        fields = sorted({field for about in own for field in _expected(about)})
        meanings = sorted({meaning for about in own for meaning in about["meanings"]})
        yield f"| `{driver}` | {', '.join(fields)} | {', '.join(meanings) or '-'} |"


def _expected(about: Mapping[str, Any]) -> Iterator[str]:
    """Fields with a figure; a device that makes several records has a table for each."""
    for name, value in about["expected"].items():
        yield from (k for k, v in value.items() if v != "absent") if isinstance(value, dict) else (name,)
