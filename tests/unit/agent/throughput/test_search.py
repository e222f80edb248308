# SPDX-License-Identifier: Apache-2.0
"""Does the search find the rate of a link that is only computed, whatever its rate and its bucket?"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent.contract.capacity.legs import Leg
from agent.contract.capacity.message import MAX_PACKETS
from agent.throughput.estimate import Packet
from agent.throughput.question import Limits
from agent.throughput.rounds import made_of
from agent.throughput.search import Found, Search
from agent.throughput.verdict import Doubt

PLENTY = Limits(bytes=10**9, max_mbps=2000.0, packet_bytes=1400)


@dataclass
class Computed:
    """A token bucket, a queue, loss, others in the queue; time in microseconds.

    Attributes:
        others: rate of what others send in packets of `others_bytes`, from when to when.
        away_us: until then nothing passes.
        overtaken_ratio: share of packets that come 20 ms late while others pass.
    """

    mbps: float
    bucket_bytes: float = 0.0
    queue_bytes: float = 10**9
    loss_ratio: float = 0.0
    is_policer: bool = False
    seed: int = 1
    stalls_ratio: float = 0.0
    others: tuple[float, float, float] = (0.0, math.inf, 0.0)
    others_bytes: int = 1200
    away_us: float = 0.0
    overtaken_ratio: float = 0.0

    def __post_init__(self) -> None:
        self._tokens, self._now_us, self._queued = self.bucket_bytes, 0.0, 0.0
        self._other_us = self.others[1]
        self._dice = random.Random(self.seed)
        self.offered_bytes = 0

    def passes(self, legs: Sequence[Leg]) -> list[Packet]:
        """What comes of a round that begins half a second after the last."""
        self._go(500_000)
        began_us, seq, arrived = self._now_us, 0, []
        for leg in legs:
            for place in range(leg.count):
                self.offered_bytes += leg.packet_bytes
                is_lost = self._dice.random() < self.loss_ratio or self._now_us < self.away_us
                at_us = None if is_lost else self._admit(leg.packet_bytes)
                if at_us is not None:
                    late_us = 20_000 if self._dice.random() < self.overtaken_ratio else 0
                    arrived.append(Packet(seq, self._now_us - began_us, at_us + late_us, leg.packet_bytes))
                seq += 1
                is_first_of_pair = leg.together > 1 and place % 2 == 0
                waits_us = leg.interval_ns / 1000 * (leg.together if not is_first_of_pair else 0)
                self._go(waits_us + self._stall_us(leg))
        return arrived

    def _stall_us(self, leg: Leg) -> float:
        """A sender that now and then has no processor for 15 ms or so, and goes on as planned after it."""
        is_stalled = self.stalls_ratio and self._dice.random() < self.stalls_ratio * leg.interval_ns / 15e6
        return self._dice.expovariate(1 / 15_000) if is_stalled else 0.0

    def _admit(self, n: int) -> float | None:
        self._tokens -= n
        if -self._tokens > (0 if self.is_policer else self.queue_bytes):
            self._tokens += n
            return None
        return self._now_us + 20_000 + max(0.0, -self._tokens) * 8 / self.mbps

    def _go(self, us: float) -> None:
        until_us = self._now_us + us
        while self._other_us <= min(until_us, self.others[2]):
            self._fill(self._other_us)
            self._admit(self.others_bytes)
            self._other_us += self.others_bytes * 8 / self.others[0]
        self._fill(until_us)

    def _fill(self, until_us: float) -> None:
        grown = self._tokens + (until_us - self._now_us) * self.mbps / 8
        self._tokens, self._now_us = min(self.bucket_bytes, grown), until_us


def find(link: Computed, limits: Limits = PLENTY) -> tuple[Found, Search]:
    search = Search(limits)
    while (this := search.next()) is not None:
        packets = link.passes(this.legs)
        began_us = min((p.at_us for p in packets), default=0.0)
        ended_us = max((p.at_us for p in packets), default=0.0)
        search.take(made_of(this, packets, began_us, ended_us))
    return search.found(), search


@pytest.mark.parametrize("mbps", [0.3, 0.5, 2, 10, 50, 200, 900])
def test_rate_of_a_plain_link_is_found_for_a_twentieth_of_ten_seconds(mbps: float) -> None:
    link = Computed(mbps)
    found, _ = find(link)
    assert found.mbps == pytest.approx(mbps, rel=0.005)
    assert found.doubts == frozenset()
    assert link.offered_bytes <= mbps * 1e6 / 8 * 10 / 20 or mbps < 0.5


@pytest.mark.parametrize("mbps", [0.5, 2, 10, 50, 200])
@pytest.mark.parametrize("seconds", [0.1, 0.3])
def test_burst_and_sustained_rate_are_told_apart(mbps: float, seconds: float) -> None:
    depth = mbps * 1e6 / 8 * seconds
    found, _ = find(Computed(mbps, bucket_bytes=depth))
    assert found.mbps == pytest.approx(mbps, rel=0.01)
    assert found.burst_mbps is not None
    assert found.burst_mbps > 1.3 * mbps
    assert found.burst_bytes == pytest.approx(depth, rel=0.1, abs=2000)


@pytest.mark.parametrize("mbps", [2, 10, 50, 200])
@pytest.mark.parametrize("seconds", [0.01, 0.05])
def test_policer_without_a_queue_is_found(mbps: float, seconds: float) -> None:
    depth = max(3000, mbps * 1e6 / 8 * seconds)
    found, _ = find(Computed(mbps, bucket_bytes=depth, is_policer=True))
    assert found.mbps == pytest.approx(mbps, rel=0.02)


@pytest.mark.parametrize("mbps", [0.5, 2, 10, 50])
@pytest.mark.parametrize("depth", [1450, 1500, 2000, 3000])
def test_a_policer_that_holds_but_one_packet_is_found_too(mbps: float, depth: int) -> None:
    found, _ = find(Computed(mbps, bucket_bytes=depth, is_policer=True))
    assert found.mbps == pytest.approx(mbps, rel=0.02)
    assert found.doubts == frozenset()


@pytest.mark.parametrize("seed", [82, 7])
def test_random_loss_by_bad_luck_is_no_full_link(seed: int) -> None:
    link = Computed(98.5, bucket_bytes=5000, is_policer=True, loss_ratio=0.03, seed=seed)
    found, _ = find(link)
    assert found.mbps == pytest.approx(98.5, rel=0.05) or found.doubts


@pytest.mark.parametrize("mbps", [0.5, 2, 10, 50])
@pytest.mark.parametrize("stalls_ratio", [0.05, 0.15, 0.3])
def test_a_sender_that_stalls_does_not_flood_the_link(mbps: float, stalls_ratio: float) -> None:
    for seed in range(10):
        link = Computed(mbps, stalls_ratio=stalls_ratio, queue_bytes=max(15_000, mbps * 12_500), seed=seed)
        found, _ = find(link, Limits(bytes=25_000_000, max_mbps=1000.0, packet_bytes=1400))
        assert found.mbps == pytest.approx(mbps, rel=0.1)
        assert link.offered_bytes < 0.3 * mbps * 1e6 / 8 * 10


@pytest.mark.timeout(240)
def test_links_of_all_kinds_are_found_or_doubted() -> None:
    dice, wrong = random.Random(21), []
    for seed in range(250):
        mbps, is_policer = 10 ** dice.uniform(-0.7, 2.3), dice.random() < 0.4
        depths = (
            (1450, 1500, 2000, 3000, 5000, 12_000, 60_000) if is_policer else (0, 0, 6000, 100_000, 10**6)
        )
        link = Computed(
            mbps,
            bucket_bytes=dice.choice(depths),
            queue_bytes=dice.choice((1500, 3000, 15_000, max(15_000, mbps * 12_500))),
            loss_ratio=dice.choice((0, 0, 0.005, 0.01, 0.03)),
            is_policer=is_policer,
            seed=seed,
        )
        found, _ = find(link, Limits(bytes=25_000_000, max_mbps=1000.0, packet_bytes=1400))
        is_right = found.mbps is not None and abs(found.mbps / mbps - 1) < 0.05
        wrong += [] if is_right or found.doubts else [(link, found)]
    print(f"\n250 links, {len(wrong)} wrong without a doubt")
    assert wrong == []


@given(st.floats(0.5, 500), st.floats(0, 0.03), st.integers(0, 99))
@example(21.0, 0.02734375, 82)
@settings(max_examples=25, deadline=None)
def test_random_loss_never_changes_the_figure_without_a_doubt(
    mbps: float, loss_ratio: float, seed: int
) -> None:
    found, _ = find(Computed(mbps, loss_ratio=loss_ratio, seed=seed))
    assert found.mbps == pytest.approx(mbps, rel=0.02) or found.doubts - {Doubt.LOSS}


def test_loss_that_looks_like_a_burst_does_not_keep_the_pace_down() -> None:
    found, _ = find(Computed(21.0, loss_ratio=0.02734375, seed=82))
    assert found.mbps == pytest.approx(21, rel=0.02)
    assert (found.burst_mbps, found.burst_bytes) == (None, None)


@pytest.mark.parametrize("mbps", [0.5, 1, 2])
def test_a_small_bucket_does_not_hide_behind_random_loss(mbps: float) -> None:
    links = [Computed(mbps, bucket_bytes=3000, is_policer=True, loss_ratio=0.03, seed=s) for s in range(12)]
    told = [find(link)[0] for link in links]
    unsaid = [f.mbps for f in told if f.mbps is None or (abs(f.mbps / mbps - 1) > 0.03 and not f.doubts)]
    print(f"\n{len(told)} policers of {mbps} Mbit/s with loss, {len(unsaid)} wrong without a doubt")
    assert unsaid == []


def test_a_burst_that_was_seen_whole_is_not_looked_for_again() -> None:
    _, search = find(Computed(10, bucket_bytes=100_000, is_policer=True))
    rounds = [made.round.legs for made in search.made]
    assert len(rounds) == len(set(rounds)) == 5


def test_random_loss_seldom_changes_the_figure() -> None:
    links = [(mbps, loss, seed) for mbps in (0.5, 2, 10, 50) for loss in (0.01, 0.03) for seed in range(10)]
    figures = [(find(Computed(m, loss_ratio=loss, seed=seed))[0].mbps, m) for m, loss, seed in links]
    wrong = [f for f, m in figures if f is None or abs(f / m - 1) > 0.02]
    print(f"\n{len(links)} links with loss, {len(wrong)} figures off by more than 2 %")
    assert len(wrong) <= 2


@given(st.floats(0.2, 1000), st.integers(20_000, 3_000_000), st.floats(0, 0.5))
@settings(max_examples=25, deadline=None)
def test_no_more_bytes_are_spent_than_allowed_and_the_search_ends(
    mbps: float, most_bytes: int, loss_ratio: float
) -> None:
    link = Computed(mbps, loss_ratio=loss_ratio, queue_bytes=10_000)
    found, search = find(link, Limits(bytes=most_bytes, max_mbps=1000.0, packet_bytes=1400))
    assert link.offered_bytes == search.spent_bytes <= most_bytes
    assert len(search.made) <= 14
    assert all(sum(leg.count for leg in made.round.legs) <= MAX_PACKETS for made in search.made)
    if search.is_cut_short:
        assert found.doubts


@pytest.mark.parametrize("mbps", [2, 10, 50])
@pytest.mark.parametrize("load", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("depth_ms", [0, 10, 100])
def test_others_who_come_or_go_are_told_or_leave_the_figure_alone(
    mbps: float, load: float, depth_ms: int
) -> None:
    """In a queue, and where a policer drops what is too much for its bucket."""
    moments_us = [500_000.0 + n * 300_000 for n in range(11)]
    spans = [(t, 1e9) for t in moments_us] + [(0.0, t) for t in moments_us]
    spans += [(t, t + 200_000) for t in moments_us]
    links = [
        Computed(
            mbps,
            queue_bytes=mbps * 12_500,
            bucket_bytes=max(3000, mbps * 125 * depth_ms) if depth_ms else 0,
            is_policer=depth_ms > 0,
            others=(load * mbps, *span),
        )
        for span in spans
    ]
    told = [(link.others, find(link)[0]) for link in links]
    unsaid = [(o, f) for o, f in told if f.mbps is None or (abs(f.mbps / mbps - 1) > 0.05 and not f.doubts)]
    doubted = sum(bool(f.doubts) for _, f in told)
    print(f"\n{len(told)} links, {doubted} figures doubted, {len(unsaid)} wrong without a doubt")
    assert unsaid == []
    assert doubted < len(told)


@pytest.mark.parametrize("load", [0.3, 0.85])
def test_others_are_told_where_pairs_come_too_close_for_stamps(load: float) -> None:
    found, _ = find(Computed(100, queue_bytes=1_250_000, others=(100 * load, 0.0, 1e9)))
    assert Doubt.CROSS_TRAFFIC in found.doubts


@pytest.mark.parametrize("mbps", [2, 10, 50])
@pytest.mark.parametrize("depth_us", [0, 2400, 10_000, 100_000])
def test_packets_that_are_overtaken_make_no_burst(mbps: float, depth_us: int) -> None:
    for seed in range(12):
        depth = max(3000, mbps * depth_us / 8) if depth_us else 0
        link = Computed(mbps, bucket_bytes=depth, is_policer=depth_us > 0, overtaken_ratio=0.05, seed=seed)
        found, _ = find(link)
        assert found.mbps == pytest.approx(mbps, rel=0.05) or found.doubts


def test_a_link_that_was_away_for_the_first_round_is_measured_all_the_same() -> None:
    link = Computed(1, away_us=600_000)
    found, _ = find(link)
    assert found.mbps == pytest.approx(1, rel=0.01)
    assert found.doubts == frozenset()
    assert link.offered_bytes < 0.15 * 1e6 / 8 * 10


@pytest.mark.parametrize("mbps", [2, 5])
def test_what_the_link_once_carried_is_not_looked_for_at_ever_faster_paces(mbps: float) -> None:
    for seed in range(60):
        link = Computed(
            mbps, bucket_bytes=3000, queue_bytes=6000, loss_ratio=0.03, stalls_ratio=0.2, seed=seed
        )
        find(link, Limits(bytes=25_000_000, max_mbps=1000.0, packet_bytes=1400))
        assert link.offered_bytes < 0.4 * mbps * 1e6 / 8 * 10


def test_a_link_faster_than_the_pace_allowed_is_told_as_unsaturated() -> None:
    found, _ = find(Computed(900), Limits(bytes=10**8, max_mbps=100.0, packet_bytes=1400))
    assert found.mbps == pytest.approx(100, rel=0.01)
    assert found.doubts == {Doubt.UNSATURATED}


def test_a_link_that_lets_nothing_through_gives_no_figure() -> None:
    found, search = find(Computed(10, loss_ratio=1.0))
    assert found.mbps is None
    assert found.doubts == {Doubt.TOO_FEW}
    assert len(search.made) <= 14
