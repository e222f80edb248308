# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.web.chart.scale import scaled, ticks, unbroken


@pytest.mark.parametrize(
    ("top", "marks"),
    [
        (0, (0, 1)),
        (612, (0, 250, 500, 750)),
        (9, (0, 5, 10)),
        (3, (0, 1, 2, 3)),
        (math.inf, (0, 1)),
        (math.nan, (0, 1)),
    ],
)
def test_ticks_are_round(top: float, marks: tuple[float, ...]) -> None:
    assert ticks(top) == pytest.approx(marks)


@given(st.floats(1e-6, 1e9))
def test_ticks_hold_the_largest_value_in_few_steps(top: float) -> None:
    found = ticks(top)
    assert found[-1] >= top * (1 - 1e-6)
    assert 2 <= len(found) <= 5


def test_line_breaks_when_a_neighbour_is_missing() -> None:
    points = [(0.0, 1.0), (0.1, 2.0), (0.3, 3.0)]
    assert unbroken(points, step=0.1) == [points[:2], points[2:]]
    assert unbroken([], step=0.1) == []


def test_values_are_heights_below_the_upper_edge() -> None:
    assert scaled([(0, 0), (1, 50), (2, 500)], 100) == [(0, 1), (1, 0.5), (2, 0)]
