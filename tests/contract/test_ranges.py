# SPDX-License-Identifier: Apache-2.0
"""Does a set of ranges behave as a set of numbers?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.contract.ranges import RangeSet

spans = st.tuples(st.integers(0, 40), st.integers(-2, 8)).map(lambda s: (s[0], s[0] + s[1]))


@given(st.lists(spans, max_size=12), spans)
def test_it_agrees_with_a_plain_set(added: list[tuple[int, int]], window: tuple[int, int]) -> None:
    ranges = RangeSet(added)
    model = {n for low, high in added for n in range(low, high + 1)}

    assert ranges.count() == len(model)
    assert {n for n in range(60) if n in ranges} == model
    missing = {n for low, high in ranges.missing(*window) for n in range(low, high + 1)}
    assert missing == set(range(window[0], window[1] + 1)) - model


@given(st.lists(spans, max_size=12))
def test_its_ranges_ascend_and_never_touch(added: list[tuple[int, int]]) -> None:
    flat = [edge for r in RangeSet(added) for edge in r]

    assert all(low <= high for low, high in RangeSet(added))
    assert all(b - a > 1 for a, b in zip(flat[1::2], flat[2::2], strict=False))
