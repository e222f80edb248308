# SPDX-License-Identifier: Apache-2.0
"""Does the capacity test find the rate of links whose truth is known?

Bounds are wide, for a machine with other work; how true it is, is measured by `make bench ONLY=capacity`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.linkbed import capacity
from tests.linkbed.bed import Bed
from tests.linkbed.change import Link

pytestmark = [pytest.mark.root, pytest.mark.parts("ip", "cc")]

BOUND = 0.1
CELLS: dict[str, tuple[float, dict[str, Any]]] = {
    "slow": (0.5, {"rtt_ms": 50}),
    "ordinary": (10, {"rtt_ms": 20}),
    "satellite": (10, {"rtt_ms": 600, "loss_ratio": 0.01}),
    "policer": (10, {"rtt_ms": 20, "policed": True, "burst_bytes": 12_500}),
    "policer of a packet": (10, {"rtt_ms": 50, "policed": True, "burst_bytes": 1500}),
    "burst": (10, {"rtt_ms": 20, "burst_bytes": 125_000}),
    "packets with 100 bytes beside their own": (1, {"rtt_ms": 30, "overhead_bytes": 100}),
    "asymmetric": (20, {"rtt_ms": 30, "up": {"rate_bps": 2e6, "burst_bytes": 64_000}}),
}


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with Bed(serves=False) as bed, capacity.reflector(bed, tmp_path_factory.mktemp("reflector")):
        yield bed


@pytest.mark.parametrize("cell", CELLS)
def test_rate_is_found_or_doubted(bed: Bed, cell: str) -> None:
    mbps, link = CELLS[cell]
    bed.apply(Link(rate_bps=mbps * 1e6, **link))
    for told in capacity.measure(bed):
        truth = 2.0 if cell == "asymmetric" and told["direction"] == "up" else mbps
        print(f"{cell} {told['direction']}: {told['mbps']} of {truth}, {told['validity']} {told['reasons']}")
        assert told["reason"] is None
        if told["validity"] == "valid":
            assert abs(told["mbps"] / truth - 1) < BOUND
        assert told["bytes"] < 60e6


def test_a_burst_is_told_beside_the_rate(bed: Bed) -> None:
    bed.apply(Link(rate_bps=5e6, rtt_ms=20, burst_bytes=200_000))
    (told,) = capacity.measure(bed, directions=("down",))
    assert told["burst_mbps"] is not None
    assert told["burst_mbps"] > 7
    assert 100_000 < told["burst_bytes"] < 300_000


def test_small_packets_are_taken_where_large_ones_do_not_pass(bed: Bed) -> None:
    bed.apply(Link(rate_bps=5e6, rtt_ms=20))
    change = ["ip", "link", "set", "wan", "mtu"]
    bed.run("router", [*change, "600"])
    try:
        told = capacity.measure(bed, directions=("up",))
    finally:
        bed.run("router", [*change, "1500"])
    assert [row["reason"] for row in told] == [None]
