# SPDX-License-Identifier: Apache-2.0
"""How does a day of latency and loss look: median as a line, up to p95 as a band, loss as bars, gaps as gaps?

Places across are percentages and heights are pixels, so that one drawing fits a telephone and a wall and its
letters keep their size. The page must define the pattern `#hatch`.
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from collector.web.chart.axis import hour_labels, hour_lines
from collector.web.chart.scale import Point, scaled, ticks, unbroken
from collector.web.chart.svg import element, path, share
from collector.web.latency import Slot, TargetDay
from collector.web.slots import Window
from collector.web.wording import Times, milliseconds, percent

PLOT_TOP, PLOT_BOTTOM = 18, 142
LOSS_TOP, LOSS_BOTTOM = 160, 196
LABEL_Y = 214
LOSS_SCALES = (0.05, 0.1, 0.25, 0.5, 1.0)
SEEN_PX = 2.0
"""Height of a bar whose true height would be too small to be seen."""


def latency_chart(day: TargetDay, window: Window, times: Times) -> Markup:
    """One target's day."""
    axis = ticks(max((_top(s) for s in day.slots), default=0.0))
    return element(
        "svg",
        element("title", f"Latency and loss to {day.target}, 24 hours"),
        element("desc", describe(day)),
        *hour_lines(window, times, top=PLOT_TOP, bottom=LOSS_BOTTOM),
        *_silences(day, window),
        *_value_lines(axis),
        _lines(day, window, axis[-1]),
        *_loss(day, window),
        *_value_labels(axis),
        *hour_labels(window, times, y=LABEL_Y),
        class_="chart", role="img",
    )  # fmt: skip


def describe(day: TargetDay) -> str:
    """The chart in a sentence."""
    whole = day.whole
    return (
        f"median {milliseconds(whole.rtt_median_ms)}, 95th percentile {milliseconds(whole.rtt_p95_ms)}, "
        f"loss {percent(whole.loss_ratio)}"
    )


def _top(slot: Slot) -> float:
    return max(slot.rtt_median_ms or 0.0, slot.rtt_p95_ms or 0.0)


def _silences(day: TargetDay, window: Window) -> Iterable[Markup]:
    """Hatching where there is no record at all."""
    told = {s.start_ms for s in day.slots}
    first_ms = -(-window.start_ms // day.slot_ms) * day.slot_ms
    starts = [s for s in range(first_ms, window.now_ms - day.slot_ms, day.slot_ms) if s not in told]
    for piece in unbroken(((float(s), 0.0) for s in starts), step=day.slot_ms):
        left, right = window.place(piece[0][0]), window.place(piece[-1][0] + day.slot_ms)
        yield element(
            "rect", element("title", "no data"), class_="silence",
            x=share(left), width=share(right - left), y=PLOT_TOP, height=LOSS_BOTTOM - PLOT_TOP,
        )  # fmt: skip


def _value_lines(axis: tuple[float, ...]) -> Iterable[Markup]:
    heights = (_height(value, axis) for value in axis)
    return (element("line", x1=0, x2="100%", y1=y, y2=y, class_="grid") for y in heights)


def _value_labels(axis: tuple[float, ...]) -> Iterable[Markup]:
    return (
        _tick(f"{value:g} ms" if value == axis[-1] else f"{value:g}", _height(value, axis)) for value in axis
    )


def _tick(said: str, y: float) -> Markup:
    """Left of the drawing, in the margin the style sheet leaves."""
    return element("text", said, x=-8, y=y + 4, class_="tick")


def _height(value: float, axis: tuple[float, ...]) -> float:
    return PLOT_BOTTOM - value / axis[-1] * (PLOT_BOTTOM - PLOT_TOP)


def _lines(day: TargetDay, window: Window, top: float) -> Markup:
    drawn = [*(_band(piece, top) for piece in _bands(day, window)), *_medians(day, window, top)]
    return element(
        "svg", *drawn, x=0, y=PLOT_TOP, width="100%", height=PLOT_BOTTOM - PLOT_TOP,
        viewBox="0 0 1000 100", preserveAspectRatio="none",
    )  # fmt: skip


def _medians(day: TargetDay, window: Window, top: float) -> Iterable[Markup]:
    for piece in unbroken(_points(day, window, "rtt_median_ms"), step=_step(day, window)):
        yield element("path", d=path(scaled(piece, top)), class_="line", vector_effect="non-scaling-stroke")


def _bands(day: TargetDay, window: Window) -> list[list[tuple[Point, Point]]]:
    """Pairs of a p95 point and the median point below it, in unbroken pieces."""
    below = dict(_points(day, window, "rtt_median_ms"))
    above = [p for p in _points(day, window, "rtt_p95_ms") if p[0] in below]
    return [[(p, (p[0], below[p[0]])) for p in piece] for piece in unbroken(above, step=_step(day, window))]


def _band(piece: list[tuple[Point, Point]], top: float) -> Markup:
    edge = [p for p, _ in piece] + [p for _, p in reversed(piece)]
    return element("path", d=path(scaled(edge, top)) + "Z", class_="band")


def _points(day: TargetDay, window: Window, name: str) -> list[Point]:
    values = ((s.start_ms + day.slot_ms / 2, getattr(s, name)) for s in day.slots)
    return [(window.place(at_ms), value) for at_ms, value in values if value is not None]


def _step(day: TargetDay, window: Window) -> float:
    return day.slot_ms / (window.end_ms - window.start_ms)


def _loss(day: TargetDay, window: Window) -> Iterable[Markup]:
    """Bars that hang from a line; no bar is no loss, hatching above and below is no data."""
    top = loss_scale(max((s.loss_ratio or 0.0 for s in day.slots), default=0.0))
    yield element("line", x1=0, x2="100%", y1=LOSS_TOP, y2=LOSS_TOP, class_="grid")
    yield _tick("loss 0", LOSS_TOP)
    yield _tick(f"{top * 100:g} %", LOSS_BOTTOM)
    for slot in day.slots:
        if slot.loss_ratio:
            yield _loss_bar(slot, day, window, top)


def _loss_bar(slot: Slot, day: TargetDay, window: Window, top: float) -> Markup:
    left, right = window.place(slot.start_ms), window.place(slot.start_ms + day.slot_ms)
    height = max(SEEN_PX, (slot.loss_ratio or 0.0) / top * (LOSS_BOTTOM - LOSS_TOP))
    return element(
        "rect", element("title", f"loss {percent(slot.loss_ratio)}"), class_="loss",
        x=share(left), width=share(right - left), y=LOSS_TOP, height=height,
    )  # fmt: skip


def loss_scale(largest: float) -> float:
    """The smallest round scale that holds the largest loss."""
    return next((s for s in LOSS_SCALES if largest <= s), 1.0)
