# SPDX-License-Identifier: Apache-2.0
"""What does the search say of links that are no even pipe: rates that change, packets that cost or count?"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from agent.contract.capacity.legs import Leg
from agent.throughput.estimate import Packet
from agent.throughput.question import Limits
from agent.throughput.rounds import made_of
from agent.throughput.search import Found, Search

LIMITS = Limits(bytes=25_000_000, max_mbps=1000.0, packet_bytes=1400)


@dataclass
class Radio:
    """A queue of 100 ms before a server; time in microseconds.

    Attributes:
        spread: the rate is anew somewhere within so much of `mbps`, after each `changes_us`.
        packet_us: each packet takes this beside its bytes.
        batch_us: packets are sent together, as many as fit into this time.
        most_packets_in_s: more than these, and five at once, are dropped.
    """

    mbps: float
    seed: int = 1
    spread: float = 0.0
    changes_us: float = 100_000.0
    packet_us: float = 0.0
    batch_us: float = 0.0
    most_packets_in_s: float = math.inf
    rates: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)
        self._now_us, self._free_us, self._sent_us = self._dice.uniform(0, 1e6), 0.0, 0.0
        self._allowed, self._passed_us = 5.0, 0.0
        self.offered_bytes = 0

    def passes(self, legs: Sequence[Leg]) -> list[Packet]:
        """What comes of a round that begins a tenth of a second after the last."""
        began_us = self._now_us = max(self._now_us, self._free_us) + 100_000
        arrived, seq = [], 0
        for leg in legs:
            for place in range(leg.count):
                self.offered_bytes += leg.packet_bytes
                at_us = self._served_us(leg.packet_bytes)
                if at_us is not None:
                    sent_us = self._now_us - began_us
                    arrived.append(Packet(seq, sent_us, at_us + 20_000 - began_us, leg.packet_bytes))
                seq += 1
                is_first_of_pair = leg.together > 1 and place % 2 == 0
                self._now_us += 0 if is_first_of_pair else leg.interval_ns / 1000 * leg.together
        return arrived

    def _served_us(self, n: int) -> float | None:
        if not self._is_allowed() or self._free_us - self._now_us > 100_000:
            return None
        at_us, left = max(self._now_us, self._free_us) + self.packet_us, 8.0 * n
        while True:
            ends_us = (at_us // self.changes_us + 1) * self.changes_us
            if left <= (ends_us - at_us) * self._rate(at_us):
                break
            left -= (ends_us - at_us) * self._rate(at_us)
            at_us = ends_us
        self._free_us = at_us + left / self._rate(at_us)
        return (
            self._free_us if not self.batch_us else math.ceil(self._free_us / self.batch_us) * self.batch_us
        )

    def _rate(self, at_us: float) -> float:
        within = self._dice.uniform(1 - self.spread, 1 + self.spread)
        return self.mbps * self.rates.setdefault(int(at_us // self.changes_us), within)

    def _is_allowed(self) -> bool:
        grown = (self._now_us - self._passed_us) * self.most_packets_in_s / 1e6 if self._passed_us else 0.0
        self._allowed, self._passed_us = min(5.0, self._allowed + grown), self._now_us
        is_allowed = self._allowed >= 1 or math.isinf(self.most_packets_in_s)
        self._allowed -= is_allowed
        return is_allowed


def find(link: Radio) -> Found:
    search = Search(LIMITS)
    while (this := search.next()) is not None:
        packets = link.passes(this.legs)
        times_us = [p.at_us for p in packets] or [0.0]
        search.take(made_of(this, packets, min(times_us), max(times_us)))
    return search.found()


@pytest.mark.parametrize(("spread", "most"), [(0.5, 3), (0.2, 10)])
def test_a_rate_that_changes_ten_times_a_second_is_seldom_told_without_a_doubt(
    spread: float, most: int
) -> None:
    """Where a test of 0.3 s saw one and the same rate in all its rounds, nothing can be told."""
    rates = (0.5, 2, 5, 10, 20, 50, 100)
    told = [(mbps, find(Radio(mbps, seed, spread))) for mbps in rates for seed in range(20)]
    unsaid = [f for mbps, f in told if f.mbps is None or (abs(f.mbps / mbps - 1) > 0.05 and not f.doubts)]
    print(f"\n{len(told)} links, {len(unsaid)} wrong without a doubt")
    assert len(unsaid) <= most


@pytest.mark.parametrize("mbps", [10, 20, 50, 100])
@pytest.mark.parametrize("batch_us", [0, 2000, 5000, 10_000])
def test_packets_that_come_in_batches_are_measured_without_a_doubt(mbps: float, batch_us: int) -> None:
    link = Radio(mbps, batch_us=batch_us)
    found = find(link)
    assert found.mbps == pytest.approx(mbps, rel=0.05)
    assert found.doubts == frozenset()
    assert link.offered_bytes < 0.1 * mbps * 1e6 / 8 * 10


@pytest.mark.parametrize("mbps", [0.5, 1, 1.5, 2, 5, 10])
@pytest.mark.parametrize("packet_us", [200, 1000, 2000])
def test_what_each_packet_costs_is_that_of_full_ones(mbps: float, packet_us: int) -> None:
    truth = 1400 * 8 / (1400 * 8 / mbps + packet_us)
    link = Radio(mbps, packet_us=packet_us)
    found = find(link)
    assert found.mbps == pytest.approx(truth, rel=0.05)
    assert found.doubts == frozenset()
    assert link.offered_bytes < 0.2 * truth * 1e6 / 8 * 10


@pytest.mark.parametrize("mbps", [2, 5, 10, 20, 50])
@pytest.mark.parametrize("packets_in_s", [20, 50, 100, 500])
def test_a_link_that_counts_packets_is_told(mbps: float, packets_in_s: float) -> None:
    for seed in range(5):
        found = find(Radio(mbps, seed, most_packets_in_s=packets_in_s))
        is_right = found.mbps is not None and abs(found.mbps / mbps - 1) < 0.05
        assert is_right or found.doubts
