# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from collector.web.chart.svg import element, path, share

PRINTABLE = st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn")))


@given(PRINTABLE, PRINTABLE)
def test_no_text_breaks_out(text: str, value: str) -> None:
    drawn = element("g", element("title", text), data_x=value)
    found = ET.fromstring(drawn)  # noqa: S314 - our own drawing
    assert found.get("data-x") is not None
    assert [child.tag for child in found] == ["title"]


def test_attributes_are_named_as_svg_names_them() -> None:
    assert (
        element("path", class_="line", stroke_width=1.50, x=None) == '<path class="line" stroke-width="1.5"/>'
    )
    assert share(0.12345) == "12.35%"


def test_single_point_is_a_dot() -> None:
    assert path([(0.5, 0.25)]) == "M500.0 25.0h0"
    assert path([(0, 0), (1, 1)]) == "M0.0 0.0L1000.0 100.0"
