# SPDX-License-Identifier: Apache-2.0
"""Is a figure doubted where its surroundings ask for it?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.throughput.surroundings import Seen, Surroundings, interface_to, nic_mbps
from agent.throughput.verdict import Doubt, Validity, judge

QUIET = Seen(
    cpu_ratio=0.2,
    own_cpu_ratio=0.3,
    temperature_c=50.0,
    throttled=False,
    nic_mbps=1000,
    cross_rx_bytes=0,
    cross_tx_bytes=None,
)


def test_without_doubts_a_figure_is_valid() -> None:
    assert judge([]) == (Validity.VALID, None)


def test_doubts_are_told_in_order_each_once() -> None:
    assert judge([Doubt.LOSS, Doubt.CPU_BOUND, Doubt.LOSS]) == (Validity.SUSPECT, "cpu_bound,loss")


def test_too_few_packets_make_it_invalid() -> None:
    assert judge([Doubt.LOSS, Doubt.TOO_FEW])[0] is Validity.INVALID


@pytest.mark.parametrize(
    ("seen", "mbps", "doubts"),
    [
        (QUIET, 100.0, set()),
        (QUIET, 950.0, {Doubt.NIC_BOUND}),
        (replace(QUIET, throttled=True), None, {Doubt.THROTTLED}),
        (replace(QUIET, throttled=None, cpu_ratio=None, nic_mbps=None), 950.0, set()),
        (replace(QUIET, cpu_ratio=0.95), 10.0, {Doubt.CPU_BOUND}),
        (replace(QUIET, own_cpu_ratio=0.95), 10.0, {Doubt.CPU_BOUND}),
        (replace(QUIET, cpu_ratio=1.0, waited_ratio=0.01), 10.0, set()),
        (replace(QUIET, waited_ratio=0.2), 10.0, {Doubt.CPU_BOUND}),
        (replace(QUIET, cross_rx_bytes=50_000), 10.0, {Doubt.CROSS_TRAFFIC}),
        (replace(QUIET, cross_tx_bytes=20_000), 10.0, set()),
    ],
)
def test_surroundings_cast_doubt(seen: Seen, mbps: float | None, doubts: set[Doubt]) -> None:
    assert seen.doubts(mbps=mbps, moved_bytes=1_000_000) == doubts


@pytest.mark.parametrize(("segment_bytes", "segments_an_ack"), [(1448, 2), (1448, 1), (524, 1)])
@pytest.mark.parametrize("others_bytes", [0, 100_000])
def test_headers_and_acknowledgements_of_any_number_are_no_cross_traffic(
    monkeypatch: pytest.MonkeyPatch, segment_bytes: int, segments_an_ack: int, others_bytes: int
) -> None:
    """What the interface counts of a megabyte of TCP, and of others in packets of 1500 bytes."""
    segments, others = 1_000_000 // segment_bytes, others_bytes // 1500
    acks = segments // segments_an_ack
    after = (1_000_000 + 66 * segments + 1514 * others, segments + others, 66 * acks, acks)
    counts = iter([(0, 0, 0, 0), after])
    monkeypatch.setattr(Surroundings, "_count", lambda _self: next(counts))
    seen = Surroundings("127.0.0.1").until_now(received_bytes=1_000_000, sent_bytes=0)
    assert seen.cross_tx_bytes == 0
    assert seen.cross_rx_bytes == pytest.approx(others_bytes, rel=0.05)
    assert (Doubt.CROSS_TRAFFIC in seen.doubts(mbps=1.0, moved_bytes=1_000_000)) == bool(others_bytes)


def test_what_comes_between_two_loads_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Made, go on, hold, go on, hold, asked: the rest of a queue comes in between."""
    counts = iter([(0,) * 4, (50,) * 4, (150,) * 4, (900,) * 4, (1100,) * 4, (9999,) * 4])
    monkeypatch.setattr(Surroundings, "_count", lambda _self: next(counts))
    around = Surroundings("127.0.0.1")
    for _ in range(2):
        around.go_on()
        around.hold()
    seen = around.until_now(received_bytes=0, sent_bytes=100, received_packets=0, sent_packets=0)
    assert (seen.cross_rx_bytes, seen.cross_tx_bytes) == (300, 200)


def test_an_interface_that_was_made_anew_meanwhile_says_nothing_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts = iter([(10**9, 10**6, 10**8, 10**6), (3000, 30, 2 * 10**8, 2 * 10**6)])
    monkeypatch.setattr(Surroundings, "_count", lambda _self: next(counts))
    seen = Surroundings("127.0.0.1").until_now(received_bytes=1_000_000, sent_bytes=1_000_000)
    assert (seen.cross_rx_bytes, seen.cross_tx_bytes) == (None, None)


def test_what_happens_on_this_host_is_seen() -> None:
    seen = Surroundings("127.0.0.1").until_now(
        received_bytes=0, sent_bytes=0, received_packets=0, sent_packets=0
    )
    assert interface_to("127.0.0.1") == "lo"
    assert nic_mbps("lo") is None
    assert nic_mbps(None) is None
    assert seen.fields["cross_rx_bytes"] is not None
    assert seen.fields.keys() >= {"cpu_ratio", "temperature_c", "throttled", "nic_mbps"}
