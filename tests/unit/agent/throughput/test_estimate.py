# SPDX-License-Identifier: Apache-2.0
"""Is the rate told of a round that of the link, with an interval that holds it?"""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.throughput.estimate import Packet, estimate
from agent.throughput.slope import MIN_PACKETS

BYTES = 1400


def train(
    mbps: float, *, count: int = 300, above: float = 1.15, jitter_us: float = 0.0, seed: int = 1
) -> list[Packet]:
    """Sent somewhat faster than a plain link serves it; jitter keeps the order."""
    dice, made, last_us = random.Random(seed), [], 0.0
    each_us = BYTES * 8 / mbps
    for seq in range(count):
        at_us = 20_000 + seq * each_us + dice.uniform(0, jitter_us)
        last_us = max(last_us, at_us)
        made.append(Packet(seq, seq * each_us / above, last_us, BYTES))
    return made


def told(packets: list[Packet]) -> float:
    found = estimate(packets)
    assert found is not None
    return found.mbps


@given(st.floats(0.1, 5000), st.randoms())
def test_rate_does_not_depend_on_the_order_in_which_packets_are_told(
    mbps: float, dice: random.Random
) -> None:
    packets = train(mbps, count=50)
    shuffled = list(packets)
    dice.shuffle(shuffled)
    assert told(shuffled) == told(packets) == pytest.approx(mbps, rel=1e-6)


@given(st.sets(st.integers(1, 299), max_size=15))
def test_loss_before_the_queue_leaves_the_rate_alone(lost: set[int]) -> None:
    served = train(10)[: 300 - len(lost)]
    seqs = [seq for seq in range(300) if seq not in lost]
    packets = [Packet(seq, seq * 900.0, p.at_us, p.bytes) for seq, p in zip(seqs, served, strict=True)]
    found = estimate(packets)
    assert found is not None
    assert found.mbps == pytest.approx(10, rel=1e-3)
    assert found.loss_ratio == pytest.approx(1 - len(seqs) / (seqs[-1] + 1), abs=1e-9)


def test_interval_holds_the_truth_under_jitter_nearly_always() -> None:
    held = 0
    for seed in range(200):
        found = estimate(train(10, jitter_us=5000, seed=seed))
        assert found is not None
        held += found.low_mbps <= 10 <= found.high_mbps
    print(f"the interval held the truth in {held} of 200 rounds")
    assert held >= 175


def test_a_knee_parts_burst_from_rate() -> None:
    burst = train(100, count=200)
    rest = [
        Packet(200 + p.seq, 20_000 + p.seq * 900.0, 43_000 + p.seq * 1120.0, BYTES)
        for p in train(10, count=200)
    ]
    found = estimate(burst + rest)
    assert found is not None
    assert found.mbps == pytest.approx(10, rel=0.01)
    assert found.head_mbps == pytest.approx(100, rel=0.05)
    assert found.head_bytes == pytest.approx(200 * BYTES, rel=0.03)


def test_a_sender_that_slows_down_makes_no_burst() -> None:
    fast = [Packet(seq, seq * 112.0, 20_000 + seq * 112.0, BYTES) for seq in range(200)]
    slow = [Packet(200 + i, 22_400 + i * 1120.0, 42_400 + i * 1120.0, BYTES) for i in range(200)]
    found = estimate(fast + slow)
    assert found is not None
    assert found.head_bytes == 0
    assert not found.is_saturated


def test_a_pause_of_the_sender_is_not_held_against_the_link() -> None:
    early = train(10, count=150, above=1.0)
    late = [Packet(150 + p.seq, p.sent_us + 288_000, p.at_us + 288_000, BYTES) for p in early]
    assert told(early + late) == pytest.approx(10, rel=0.01)


def test_a_round_below_the_links_rate_is_not_saturated() -> None:
    found = estimate(train(10, above=1.0))
    assert found is not None
    assert not found.is_saturated


@given(
    st.lists(
        st.builds(
            Packet,
            seq=st.integers(0, 65_535),
            sent_us=st.floats(0, 2**32),
            at_us=st.floats(0, 2**62) | st.floats(0, 1000),
            bytes=st.integers(100, 1500),
        ),
        max_size=60,
        unique_by=lambda p: p.seq,
    )
)
def test_whatever_a_server_tells_the_figures_are_numbers_or_there_are_none(packets: list[Packet]) -> None:
    found = estimate(packets)
    if len(packets) < MIN_PACKETS:
        assert found is None
    if found is not None:
        assert math.isfinite(found.mbps)
        assert 0 < found.low_mbps <= found.mbps <= found.high_mbps
        assert 0 <= found.loss_ratio < 1


def test_packets_that_come_out_of_order_are_not_lost_and_fill_no_link() -> None:
    """One in seven is held up by 20 ms, in a round as short as the first."""
    packets = [
        Packet(seq, seq * 2500.0, 20_000 + seq * 2500.0 + (20_000 if seq % 7 == 3 else 0), 400)
        for seq in range(16)
    ]
    found = estimate(packets)
    assert found is not None
    assert found.loss_ratio == 0
    assert not found.is_saturated
