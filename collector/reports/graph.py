# SPDX-License-Identifier: Apache-2.0
"""How do a month's figures look: pure functions from figures to inline SVG?

Colour never stands alone: each kind has a height or a pattern of its own, so a print in grey says the same.
The page must define the patterns of `collector/reports/templates/patterns.html`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from markupsafe import Markup

from collector.sla.availability import Counts
from collector.sla.penalty import Day
from collector.web.chart.svg import element, share

CELL_W, CELL_H = 14, 14
SEEN = Fraction(1, 6)
"""Part of a cell that the smallest loss takes, so that it is seen at all."""

COLOURS = {
    "up": "#8cc5b0", "met": "#8cc5b0", "degraded": "#e8b25c", "down_provider": "#c4302b",
    "breached": "#c4302b", "down_other": "#6d5aa8", "power": "#3f6fb0", "unknown": "#a9b3bd",
    "indeterminate": "#a9b3bd", "closed": "#eceff2", "not_agreed": "#eceff2",
}  # fmt: skip
"""Where no style sheet reaches into a picture, as in WeasyPrint; elsewhere the sheet has some patterns."""
ORDER = ("up", "degraded", "down_other", "unknown", "down_provider")


def proportions(parts: Sequence[tuple[str, int, str]], *, title: str) -> Markup:
    """One bar of parts: a class for its colour, how much, and what it says."""
    total = sum(n for _, n, _ in parts)
    bars, left = [], 0
    for kind, n, said in parts:
        if n:
            bars.append(_part(kind, left / total, n / total, said))
            left += n
    return element("svg", element("title", title), *bars, class_="parts", role="img")


def _part(kind: str, left: float, width: float, said: str) -> Markup:
    return element(
        "rect", element("title", said), class_=f"fill {kind}", fill=COLOURS[kind],
        x=share(left), width=share(width), y=0, height="100%",
    )  # fmt: skip


def month_grid(days: Iterable[Day], saying: Iterable[str], *, title: str) -> Markup:
    """A row of cells, one a day."""
    cells = [_day(day, place, said) for place, (day, said) in enumerate(zip(days, saying, strict=True))]
    width = max(1, len(cells)) * CELL_W
    return element(
        "svg", element("title", title), *cells, class_="days", role="img",
        viewBox=f"0 0 {width} {CELL_H}", width=width, height=CELL_H,
    )  # fmt: skip


def day_numbers(said: Sequence[str]) -> Markup:
    """What stands over the cells: every other day, so that none runs into the next."""
    width = max(1, len(said)) * CELL_W
    marks = [
        element(
            "text",
            n,
            x=place * CELL_W + (CELL_W - 1) / 2,
            y=10,
            text_anchor="middle",
            font_size=9,
            fill="#53616e",
        )
        for place, n in enumerate(said)
        if place % 2 == 0
    ]
    return element(
        "svg", *marks, class_="days", aria_hidden="true",
        viewBox=f"0 0 {width} {CELL_H}", width=width, height=CELL_H,
    )  # fmt: skip


def _day(day: Day, place: int, said: str) -> Markup:
    """From below: what was good; from above: what was not, worst at the top."""
    counts, x = day.counts, place * CELL_W
    if not counts.all:
        return element("g", element("title", said), _block("closed", x, Fraction(0), Fraction(1)))
    blocks, top = [], Fraction(0)
    for kind in reversed(ORDER):
        n = getattr(counts, kind)
        if n:
            height = min(1 - top, max(Fraction(n, counts.all), SEEN if kind != "up" else Fraction(0)))
            blocks.append(_block(kind, x, top, height))
            top += height
    return element("g", element("title", said), *blocks)


def _block(kind: str, x: int, top: Fraction, height: Fraction) -> Markup:
    inner = CELL_H - 1
    return element(
        "rect", class_=f"fill {kind}", fill=COLOURS[kind],
        x=x, width=CELL_W - 1, y=float(top * inner), height=float(height * inner),
    )  # fmt: skip


def bounds(minutes: Counts, target: Fraction | None, *, floor: Fraction, title: str) -> Markup:
    """Bounds of an availability, its value and the target, on a scale from `floor` to 1."""
    if minutes.lower is None or minutes.upper is None:
        return Markup()
    marks = [
        element("line", x1=0, x2="100%", y1=8, y2=8, class_="axis", stroke="#d5dbe1"),
        _span(_place(minutes.lower, floor), _place(minutes.upper, floor)),
    ]
    if target is not None:
        at = share(_place(target, floor))
        marks.append(element("line", x1=at, x2=at, y1=0, y2=16, class_="target", stroke="#c4302b"))
    if minutes.availability is not None:
        marks.append(
            element("circle", cx=share(_place(minutes.availability, floor)), cy=8, r=3, fill="#17212b")
        )
    return element("svg", element("title", title), *marks, class_="bounds", role="img")


def interval(low: float, mean: float, high: float, *, floor: float, title: str) -> Markup:
    """A mean and its interval, on a scale from `floor` to 1."""
    places = [_place(Fraction(v), Fraction(floor)) for v in (low, mean, high)]
    return element(
        "svg", element("title", title),
        element("line", x1=0, x2="100%", y1=8, y2=8, class_="axis", stroke="#d5dbe1"),
        _span(places[0], places[2]), element("circle", cx=share(places[1]), cy=8, r=3, fill="#17212b"),
        class_="bounds", role="img",
    )  # fmt: skip


def _span(left: float, right: float) -> Markup:
    return element(
        "rect", x=share(left), width=share(max(0.0, right - left)), y=5, height=6, fill=COLOURS["unknown"]
    )


def _place(value: Fraction, floor: Fraction) -> float:
    """From 0 to 1, with room for half a mark at both ends."""
    if floor >= 1:
        return 0.98
    return 0.02 + 0.96 * float(min(Fraction(1), max(Fraction(0), (value - floor) / (1 - floor))))


def scale_floor(values: Iterable[Fraction | None]) -> Fraction:
    """Where a scale begins so that most can be told apart: 0, 0.5, 0.8, 0.9, 0.95 or 0.98."""
    known = sorted(v for v in values if v is not None)
    if not known:
        return Fraction(0)
    low = known[len(known) // 10]
    steps = (Fraction(98, 100), Fraction(95, 100), Fraction(9, 10), Fraction(8, 10), Fraction(5, 10))
    return next((s for s in steps if low >= s), Fraction(0))
