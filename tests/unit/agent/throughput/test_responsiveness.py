# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.throughput.responsiveness import Trip, rpm, settled, trimmed_mean


def trips(
    *, count: int = 80, every_s: float = 0.025, ms: float = 100.0, load_ms: float | None = None
) -> list[Trip]:
    return [Trip(at_s=n * every_s, tcp_ms=ms, http_ms=ms, load_ms=load_ms) for n in range(count)]


def test_a_tenth_of_a_second_is_600_round_trips_per_minute() -> None:
    assert rpm(trips()) == pytest.approx(600)


def test_separate_and_loaded_connections_weigh_the_same() -> None:
    assert rpm(trips(ms=100, load_ms=200)) == pytest.approx((600 + 300) / 2)


def test_the_largest_twentieth_is_left_out() -> None:
    assert trimmed_mean([100.0] * 19 + [9000.0]) == 100


def test_even_answers_are_stable_after_four_intervals() -> None:
    counted, is_stable = settled(trips(), 0.5)

    assert is_stable
    assert len(counted) == 80


def test_growing_answers_are_not_stable() -> None:
    growing = [Trip(at_s=n * 0.025, tcp_ms=20 + n * 5, http_ms=20 + n * 5, load_ms=None) for n in range(80)]

    assert not settled(growing, 0.5)[1]


def test_too_few_answers_are_not_stable() -> None:
    assert settled(trips(count=5), 0.5)[1] is False
    assert settled([], 0.5) == ([], False)


@given(
    st.lists(
        st.builds(
            Trip,
            at_s=st.floats(0, 1e4),
            tcp_ms=st.floats(0.001, 1e5),
            http_ms=st.floats(0.001, 1e5),
            load_ms=st.none() | st.floats(0.001, 1e5),
        ),
        min_size=1,
    )
)
def test_it_lies_between_the_slowest_and_the_fastest_answer(found: list[Trip]) -> None:
    times = [ms for trip in found for ms in (trip.tcp_ms, trip.http_ms, trip.load_ms) if ms is not None]

    assert 60_000 / max(times) * 0.999 <= rpm(found) <= 60_000 / min(times) * 1.001
