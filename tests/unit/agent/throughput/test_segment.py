# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.throughput.segment import Arrivals, Segment


def fed(
    rates: Sequence[tuple[float, float]], *, rtt_s: float = 0.02, step_s: float = 0.025
) -> Segment | None:
    """Feed so many seconds at so many segments a second each; the first steady segment."""
    arrivals, now_s, count = Arrivals(), 100.0, 0.0
    arrivals.add(now_s, 0)
    for lasting_s, rate in rates:
        for _ in range(round(lasting_s / step_s)):
            now_s += step_s
            count += rate * step_s
            arrivals.add(now_s, int(count))
            if (segment := arrivals.steady(rtt_s)) is not None:
                return segment
    return arrivals.rest()


@pytest.mark.parametrize("rate", [40, 800, 4000, 16000])
def test_a_constant_rate_is_found_soon(rate: int) -> None:
    segment = fed([(20, rate)])

    assert segment is not None
    assert segment.is_steady
    assert segment.rate == pytest.approx(rate, rel=0.02)
    assert segment.low is not None
    assert segment.high is not None
    assert segment.low <= segment.rate <= segment.high
    assert segment.to_s - 100 < max(1.2, 200 / rate)


def test_slow_start_is_not_taken_for_the_rate() -> None:
    doubling = [(0.6, 10 * 2**n) for n in range(8)]

    segment = fed([*doubling, (10, 2560)], rtt_s=0.6)

    assert segment is not None
    assert segment.rate == pytest.approx(2560, rel=0.02)
    assert segment.from_s > 100 + 0.6 * 7


def test_a_burst_is_not_taken_for_the_rate_when_it_is_shorter_than_a_window() -> None:
    segment = fed([(0.3, 20_000), (10, 800)])

    assert segment is not None
    assert segment.rate == pytest.approx(800, rel=0.03)


def test_what_never_is_steady_gives_its_second_half_and_says_so() -> None:
    waves = [(0.3, 200 if n % 2 else 2000) for n in range(20)]

    segment = fed(waves)

    assert segment is not None
    assert not segment.is_steady
    assert segment.low is not None
    assert segment.high is not None
    assert segment.high - segment.low > 0.5 * segment.rate


def test_nothing_gives_nothing() -> None:
    assert fed([(5, 0)]) is None
    assert Arrivals().rest() is None


def test_noise_stays_within_its_interval_nineteen_times_of_twenty() -> None:
    noise, outside = random.Random(7), 0
    for _ in range(200):
        arrivals, count, segment = Arrivals(), 0.0, None
        for n in range(2000):
            count += 1000 * 0.025 + noise.gauss(0, 3)
            arrivals.add(n * 0.025, count)
            if (segment := arrivals.steady(0.02)) is not None:
                break
        assert segment is not None
        assert segment.low is not None
        assert segment.high is not None
        outside += not segment.low <= 1000 <= segment.high
    print(f"200 transfers, {outside} outside their interval")
    assert outside < 30


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e9)), max_size=50), st.floats(0, 2))
def test_any_looks_give_a_sane_segment_or_none(looks: list[tuple[float, float]], rtt_s: float) -> None:
    arrivals = Arrivals()
    for at_s, count in looks:
        arrivals.add(at_s, count)
        for segment in (arrivals.steady(rtt_s) if arrivals.arrived else None, arrivals.rest()):
            assert segment is None or 0 <= (segment.low or 0) <= segment.rate <= (segment.high or math.inf)
