# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import re
import xml.etree.ElementTree as ET
import zoneinfo

import pytest

from collector.web.chart.axis import day_axis
from collector.web.chart.latency import describe, latency_chart, loss_scale
from collector.web.chart.sparkline import sparkline
from collector.web.chart.stack import stack
from collector.web.chart.strip import strip
from collector.web.latency import Slot, TargetDay
from collector.web.slots import Window
from collector.web.state import Run, State
from collector.web.wording import Times
from tests.unit.collector.web.fakes import MINUTE_MS, NOW_MS

WINDOW = Window.of(NOW_MS)
TIMES = Times(zoneinfo.ZoneInfo("Asia/Almaty"))
SLOT_MS = 5 * MINUTE_MS
FIRST = -(-WINDOW.start_ms // SLOT_MS)


def parsed(picture: str) -> ET.Element:
    return ET.fromstring(picture)  # noqa: S314 - our own drawing


def chart(*medians: float | None, loss: float | None = 0.0, target: str = "1.1.1.1") -> ET.Element:
    """One slot after another; None is a slot without any record."""
    slots = tuple(
        Slot(start_ms=(FIRST + i) * SLOT_MS, rtt_median_ms=m, rtt_p95_ms=m * 2, loss_ratio=loss)
        for i, m in enumerate(medians)
        if m is not None
    )
    whole = Slot(start_ms=0, rtt_median_ms=5.0, rtt_p95_ms=None, loss_ratio=loss)
    return parsed(
        latency_chart(TargetDay(target=target, slot_ms=SLOT_MS, slots=slots, whole=whole), WINDOW, TIMES)
    )


def drawn(picture: ET.Element, kind: str) -> list[ET.Element]:
    return [e for e in picture.iter() if e.get("class") == kind]


def test_gap_is_neither_joined_nor_drawn_as_nought() -> None:
    lines = drawn(chart(10.0, 10.0, None, 10.0), "line")
    assert len(lines) == 2
    heights = {float(y) for line in lines for y in re.findall(r"[ML][\d.]+ ([\d.]+)", line.get("d") or "")}
    assert heights == {50.0}


def test_slots_without_a_record_are_hatched() -> None:
    assert len(drawn(chart(*[10.0] * 20, None, None, *[10.0] * 400), "silence")) == 1
    assert drawn(chart(*[10.0] * 400), "silence") == []


def test_chart_names_target_figures_and_units() -> None:
    picture = chart(10.0, loss=0.25, target="<script>")
    texts = [e.text or "" for e in picture.iter()]
    assert "Latency and loss to <script>, 24 hours" in texts
    assert "median 5.0 ms, 95th percentile –, loss 25.0 %" in texts
    assert {"20 ms", "loss 0", "25 %", "12:00", "00:00"} <= set(texts)


@pytest.mark.parametrize(("largest", "scale"), [(0, 0.05), (0.06, 0.1), (0.26, 0.5), (1, 1.0)])
def test_loss_scale_is_the_smallest_that_holds_it(largest: float, scale: float) -> None:
    assert loss_scale(largest) == scale


def test_small_loss_is_still_seen_and_no_loss_is_not_drawn() -> None:
    (bar,) = drawn(chart(10.0, loss=0.0001), "loss")
    assert float(bar.get("height") or 0) >= 2
    assert drawn(chart(10.0, loss=0.0), "loss") == []
    assert drawn(chart(10.0, loss=None), "loss") == []


def test_empty_chart_still_has_its_axes() -> None:
    assert "1 ms" in [e.text for e in chart().iter()]


def test_describe_says_what_is_not_known() -> None:
    nothing = Slot(start_ms=0, rtt_median_ms=None, rtt_p95_ms=None, loss_ratio=None)
    assert describe(TargetDay(target="a", slot_ms=1, slots=(), whole=nothing)).count("–") == 3


def test_sparkline_breaks_at_gaps_and_is_empty_without_points() -> None:
    picture = parsed(sparkline([(0.0, 5.0), (0.1, 6.0), (0.5, 5.0)], step=0.1, title="t"))
    assert len(drawn(picture, "line")) == 2
    assert sparkline([], step=0.1, title="t") == ""
    assert sparkline([(0.0, 0.0)], step=0.1, title="t")


def test_strip_tells_each_state_in_colour_height_and_words() -> None:
    runs = [
        Run(s, WINDOW.start_ms + i * 3_600_000, WINDOW.start_ms + (i + 1) * 3_600_000)
        for i, s in enumerate(list(State)[:4])
    ]
    picture = parsed(strip(runs, WINDOW, TIMES))
    assert picture[0].text == "last 24 h: up 1 h, degraded 1 h, down 1 h, unknown 1 h"
    assert [(e.get("class"), e.get("height")) for e in picture[1:]] == [
        ("up", "55%"),
        ("degraded", "75%"),
        ("down", "100%"),
        ("unknown", "100%"),
    ]
    assert picture[1][0].text == "Up 16:15–17:15"
    assert "nothing yet" in strip([], WINDOW, TIMES)


def test_stack_fills_its_width_worst_first() -> None:
    picture = parsed(
        stack({State.UP: 2, State.DEGRADED: 0, State.DOWN: 1, State.UNKNOWN: 1, State.PENDING: 0})
    )
    assert [(e.get("class"), e.get("x")) for e in picture[1:]] == [
        ("down", "0.00%"),
        ("unknown", "25.00%"),
        ("up", "50.00%"),
    ]
    assert "no schools" in stack(dict.fromkeys(State, 0))


def test_axis_marks_local_hours() -> None:
    marks = [e.text for e in parsed(day_axis(WINDOW, TIMES)).iter("text")]
    assert marks == ["20:00", "00:00", "04:00", "08:00", "12:00"]
