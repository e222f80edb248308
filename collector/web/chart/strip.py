# SPDX-License-Identifier: Apache-2.0
"""In which state was a school over the day, at a glance?

Colour never stands alone: height and pattern say the same (`unknown` is hatched, `down` is the tallest).
"""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from collector.web.chart.svg import element, share
from collector.web.slots import Window
from collector.web.state import Run, State
from collector.web.wording import STATES, Times

_TOP = {State.UP: "45%", State.DEGRADED: "25%", State.DOWN: "0", State.UNKNOWN: "0"}
_HEIGHT = {State.UP: "55%", State.DEGRADED: "75%", State.DOWN: "100%", State.UNKNOWN: "100%"}


def strip(stretches: Iterable[Run], window: Window, times: Times) -> Markup:
    """One bar per stretch. The page must define the pattern `#hatch`."""
    drawn = tuple(stretches)
    bars = (_bar(run, window, times) for run in drawn)
    return element("svg", element("title", _summary(drawn)), *bars, class_="strip", role="img")


def _bar(run: Run, window: Window, times: Times) -> Markup:
    left, right = window.place(run.start_ms), window.place(run.end_ms)
    said = f"{STATES[run.state]} {times.clock(run.start_ms)}–{times.clock(run.end_ms)}"
    return element(
        "rect", element("title", said), class_=run.state.value,
        x=share(left), width=share(right - left), y=_TOP[run.state], height=_HEIGHT[run.state],
    )  # fmt: skip


def _summary(drawn: tuple[Run, ...]) -> str:
    """`up 21 h, down 3 h` for those who do not see the bars."""
    hours = {s: sum(r.end_ms - r.start_ms for r in drawn if r.state is s) / 3_600_000 for s in _TOP}
    parts = (f"{STATES[s].lower()} {h:.4g} h" for s, h in hours.items() if h)
    return "last 24 h: " + (", ".join(parts) or "nothing yet")
