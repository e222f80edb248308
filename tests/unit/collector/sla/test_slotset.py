# SPDX-License-Identifier: Apache-2.0
"""Are slots added, cut and counted as sets are?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from collector.sla.slotset import NO_SLOTS, SlotSet

SPANS = st.lists(st.tuples(st.integers(-5, 40), st.integers(-5, 40)), max_size=8)


def plain(spans: list[tuple[int, int]]) -> set[int]:
    return {slot for first, end in spans for slot in range(first, end)}


@given(SPANS, SPANS)
def test_it_does_what_a_set_does(ours: list[tuple[int, int]], theirs: list[tuple[int, int]]) -> None:
    a, b = SlotSet.of(ours), SlotSet.of(theirs)
    set_a, set_b = plain(ours), plain(theirs)

    assert set(a) == set_a
    assert len(a) == len(set_a)
    assert (set(a | b), set(a & b), set(a - b)) == (set_a | set_b, set_a & set_b, set_a - set_b)
    assert all((slot in a) == (slot in set_a) for slot in range(-6, 42))
    assert len(a) == len(a & b) + len(a - b)


@given(SPANS)
def test_one_set_has_one_form(spans: list[tuple[int, int]]) -> None:
    made = SlotSet.of(spans)

    assert made == SlotSet.of(reversed(spans)) == SlotSet.of([*spans, *spans])
    assert all(a < b < c for (a, b), (c, _) in zip(made.spans, made.spans[1:], strict=False))
    assert made | NO_SLOTS == made - NO_SLOTS == made


@given(SPANS, st.integers(0, 60))
def test_the_earliest_are_the_first_so_many(spans: list[tuple[int, int]], count: int) -> None:
    made = SlotSet.of(spans)

    assert list(made.earliest(count)) == list(made)[:count]


def test_what_is_within_two_slots_is_cut_at_both() -> None:
    assert SlotSet.of([(0, 10), (20, 30)]).within(5, 25).spans == ((5, 10), (20, 25))
    assert not NO_SLOTS
