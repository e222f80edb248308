# SPDX-License-Identifier: Apache-2.0
"""Where do benches write their tables? Into docs/accuracy.md, each into a part of its own."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from tests.bench.figure import Figure

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "accuracy.md"


def write_part(name: str, text: str) -> None:
    """Replace what stands between `<!-- bench NAME -->` and `<!-- end NAME -->`.

    Raises:
        ValueError: there is no such place, or more than one.
    """
    place = re.compile(rf"(<!-- bench {name}\b[^>]*-->\n).*?(<!-- end {name} -->)", re.DOTALL)
    written, count = place.subn(lambda found: f"{found[1]}\n{text}\n{found[2]}", DOCUMENT.read_text())
    if count != 1:
        raise ValueError(f"{DOCUMENT}: {count} places for the bench {name}, not one")
    DOCUMENT.write_text(written)


def as_table(figures: Sequence[Figure]) -> str:
    """Figures beside their goals, and how busy the machine was."""
    rows = (
        f"| {f.name} | {_rounded(f.value)} {f.unit} | {_beside_goal(f)} | {f.note} |".replace("  ", " ")
        for f in figures
    )
    load = " ".join(f"{x:.1f}" for x in os.getloadavg())
    table = "\n".join(["| what | figure | goal | of what |", "|---|---|---|---|", *rows])
    return f"{table}\n\nLoad of the machine at the end (1, 5, 15 min; {os.cpu_count()} processors): {load}."


def _rounded(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _beside_goal(figure: Figure) -> str:
    if figure.goal is None:
        return "–"
    return f"≤ {figure.goal:g}: {'met' if figure.value <= figure.goal else '**missed**'}"
