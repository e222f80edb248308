# SPDX-License-Identifier: Apache-2.0
"""How did a value go over the day, in the space of a word?"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from collector.web.chart.scale import Point, scaled, unbroken
from collector.web.chart.svg import element, path


def sparkline(points: Sequence[Point], *, step: float, title: str) -> Markup:
    """A line over a ground that begins at 0; missing values stay gaps; empty without any point."""
    if not points:
        return Markup()
    top = max(value for _, value in points) * 1.1 or 1.0
    pieces = unbroken(points, step=step)
    return element(
        "svg", element("title", title), *(_ground(p, top) for p in pieces), *(_line(p, top) for p in pieces),
        class_="spark", role="img", viewBox="0 0 1000 100", preserveAspectRatio="none",
    )  # fmt: skip


def _line(piece: Sequence[Point], top: float) -> Markup:
    return element("path", d=path(scaled(piece, top)), class_="line", vector_effect="non-scaling-stroke")


def _ground(piece: Sequence[Point], top: float) -> Markup:
    edge = [(piece[0][0], 0.0), *piece, (piece[-1][0], 0.0)]
    return element("path", d=path(scaled(edge, top)) + "Z", class_="band")
