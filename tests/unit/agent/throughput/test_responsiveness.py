# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.throughput.responsiveness import Trip, _every_s, rpm, settled, trimmed_mean


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


def test_the_largest_are_left_out_wherever_they_stand_and_of_few_none_is() -> None:
    assert trimmed_mean([9000.0, *[100.0] * 38, 8000.0]) == 100
    assert trimmed_mean([9000.0, *[100.0] * 9]) == 990
    assert trimmed_mean([7.0]) == 7


def test_handshakes_and_answers_weigh_the_same() -> None:
    found = [Trip(at_s=n, tcp_ms=50, http_ms=150, load_ms=None) for n in range(40)]
    assert rpm(found) == pytest.approx(600)
    uneven = [Trip(at_s=n, tcp_ms=50, http_ms=9000 if n < 2 else 150, load_ms=None) for n in range(40)]
    assert rpm(uneven) == pytest.approx(600)


@pytest.mark.parametrize(
    ("mbps", "every_s"), [(0.1, 0.25), (0.448, 0.25), (1, 0.112), (2, 0.056), (5.6, 0.02), (200, 0.02)]
)
def test_probes_take_a_twentieth_of_the_link_at_most(mbps: float, every_s: float) -> None:
    assert _every_s(mbps) == pytest.approx(every_s)
    if mbps >= 0.448:
        assert 700 * 8 / every_s <= 0.05 * mbps * 1e6 * 1.0001


def test_only_the_last_four_intervals_count() -> None:
    early = [Trip(at_s=n * 0.025, tcp_ms=9000, http_ms=9000, load_ms=None) for n in range(80)]
    late = [Trip(at_s=2 + n * 0.025, tcp_ms=100, http_ms=100, load_ms=None) for n in range(80)]

    counted, is_stable = settled([*early, *late], 0.5)

    assert is_stable
    assert counted[0].tcp_ms == 100
    assert len(counted) == 80


def test_what_differs_by_five_per_cent_of_itself_is_stable_and_by_more_is_not() -> None:
    def steps(by_ms: float) -> list[Trip]:
        means_ms = [100 - by_ms, 100 + by_ms] * 2
        return [Trip(at_s=n, tcp_ms=ms / 2, http_ms=ms / 2, load_ms=None) for n, ms in enumerate(means_ms)]

    assert settled(steps(4.9), 1)[1]
    assert not settled(steps(5.1), 1)[1]


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
