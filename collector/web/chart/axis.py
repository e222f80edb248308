# SPDX-License-Identifier: Apache-2.0
"""Which hours are marked under a day?"""

from __future__ import annotations

from markupsafe import Markup

from collector.web.chart.svg import element, share
from collector.web.slots import SLOT_MS, Window
from collector.web.wording import Times

EVERY_H = 4
MARGIN = 0.03
"""Marks nearer to an edge would be cut off."""


def hours(window: Window, times: Times) -> tuple[tuple[float, str], ...]:
    """Places and local times of the marks."""
    starts = range(window.start_ms, window.end_ms, SLOT_MS)
    marks = ((window.place(at_ms), times.clock(at_ms)) for at_ms in starts)
    return tuple((x, said) for x, said in marks if MARGIN < x < 1 - MARGIN and _is_marked(said))


def hour_labels(window: Window, times: Times, *, y: int) -> tuple[Markup, ...]:
    """The times themselves."""
    return tuple(element("text", said, x=share(x), y=y, class_="hour") for x, said in hours(window, times))


def hour_lines(window: Window, times: Times, *, top: int, bottom: int) -> tuple[Markup, ...]:
    """Fine upright lines at the same places."""
    places = (share(x) for x, _ in hours(window, times))
    return tuple(element("line", x1=x, x2=x, y1=top, y2=bottom, class_="grid") for x in places)


def day_axis(window: Window, times: Times) -> Markup:
    """An axis of its own, to stand under a strip."""
    return element("svg", *hour_labels(window, times, y=12), class_="axis", aria_hidden="true")


def _is_marked(said: str) -> bool:
    hour, _, minute = said.partition(":")
    return minute == "00" and int(hour) % EVERY_H == 0
