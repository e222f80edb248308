# SPDX-License-Identifier: Apache-2.0
"""Is each number new exactly once?"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.contract.decoder import decode
from collector.entry import Header
from collector.seen import MOST_SESSIONS, RECENT_MS, SESSIONS_PER_DEVICE, Seen

steps = st.lists(
    st.tuples(
        st.sampled_from(["d1", "d2"]), st.sampled_from(["s1", "s2"]), st.integers(1, 60), st.integers(0, 9)
    ),
    max_size=40,
)


def numbers(ranges: Any) -> set[int]:
    return {n for low, high in ranges for n in range(low, high + 1)}


@given(steps)
def test_new_ranges_are_what_a_plain_set_would_say(steps: list[tuple[str, str, int, int]]) -> None:
    seen, model = Seen(), dict[tuple[str, str], set[int]]()
    for device, session, low, length in steps:
        known = model.setdefault((device, session), set())
        new = seen.new_ranges(device, session, low, low + length - 1)
        assert numbers(new) == set(range(low, low + length)) - known
        seen.add(device, session, new, at_ms=0)
        known |= numbers(new)


@given(steps)
def test_what_is_accounted_for_is_what_was_added(steps: list[tuple[str, str, int, int]]) -> None:
    seen, added = Seen(), set[int]()
    for _, _, low, length in steps:
        seen.add("d1", "s1", [(low, low + length)], at_ms=0)
        added |= set(range(low, low + length + 1))

    assert numbers(seen.ranges("d1", "s1")) == added


@given(steps)
def test_it_comes_back_from_a_segment_header(steps: list[tuple[str, str, int, int]]) -> None:
    seen = Seen()
    for device, session, low, length in steps:
        seen.add(device, session, [(low, low + length)], at_ms=0)
    plain = json.loads(json.dumps({"next_number": 1, "began_ms": 0, "seen": seen.to_plain()}))

    assert Seen(decode(Header, plain).seen).to_plain() == seen.to_plain()


def test_an_unknown_session_has_nothing() -> None:
    assert Seen().ranges("d1", "s1") == ()


def test_the_session_untouched_for_longest_is_forgotten_first() -> None:
    seen = Seen()
    for n in range(SESSIONS_PER_DEVICE):
        seen.add("d1", f"s{n}", [(1, 1)], at_ms=0)
    seen.add("d1", "s0", [(2, 2)], at_ms=0)
    seen.add("d1", "new", [(1, 1)], at_ms=RECENT_MS)

    assert seen.new_ranges("d1", "s0", 1, 2) == ()
    assert seen.new_ranges("d1", "s1", 1, 2) == ((1, 2),)


def test_the_session_that_reports_seldom_is_known_while_those_of_many_starts_are_drained() -> None:
    seen = Seen()
    seen.add("d1", "live", [(1, 100)], at_ms=0)
    for n in range(SESSIONS_PER_DEVICE * 4):
        seen.add("d1", f"s{n}", [(1, 10)], at_ms=n * 1000)

    assert seen.ranges("d1", "live") == ((1, 100),)


def test_a_device_that_begins_sessions_without_end_costs_bounded_memory() -> None:
    seen = Seen()
    for n in range(MOST_SESSIONS + 9):
        seen.add("d1", f"s{n}", [(1, 1)], at_ms=n)

    assert len(seen) == MOST_SESSIONS
    assert seen.ranges("d1", "s0") == ()
