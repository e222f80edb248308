# SPDX-License-Identifier: Apache-2.0
"""Do the probes tell of each request what the emulated link knows of it?

Verdicts only; how true the times are is measured by `make bench ONLY=latency`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.test_probes_network import MEASURE
from tests.linkbed import place
from tests.linkbed.bed import Bed
from tests.linkbed.change import Burst, Cut, Link, Mend
from tests.linkbed.echoes import exchange

pytestmark = [pytest.mark.root, pytest.mark.parts("ip", "cc")]

LINKS = {
    "clean": Link(rtt_ms=20),
    "1 % loss": Link(rtt_ms=20, loss_ratio=0.005),
    "20 % loss": Link(rtt_ms=20, loss_ratio=0.106),
    "bursty loss": Link(rtt_ms=20, down={"burst_loss": Burst(to_bad_ratio=0.025, to_good_ratio=0.1)}),
    "duplicates": Link(rtt_ms=20, duplicate_ratio=0.1),
    "duplicates that come later": Link(
        rtt_ms=80, overtaking=True, up={"duplicate_ratio": 1}, down={"jitter_ms": 30}
    ),
    "reordering": Link(rtt_ms=20, reorder_ratio=0.2, reorder_ms=30),
    "late": Link(rtt_ms=400),
    "late and lost": Link(rtt_ms=400, loss_ratio=0.05),
}

COUNT_UNSTAMPED = """
import asyncio, sys
from agent.echo import icmp
from agent.echo.address import parse
from agent.echo.ask import ask
from agent.echo.plan import evenly
found = []
read = icmp.EchoLine._on_mono
def counted(*arguments):
    found.append(read(*arguments))
    return found[-1]
icmp.EchoLine._on_mono = counted
async def rounds():
    for _ in range(8):
        await ask(evenly([parse(sys.argv[1])], every_s=0.01, count=2), timeout_s=1, tcp_port=443)
        await asyncio.sleep(0.05)
asyncio.run(rounds())
print(len(found), found.count(None))
"""


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with Bed(keeps_packets=True) as bed:
        yield bed


OVER_IPV6 = ("20 % loss", "duplicates that come later", "late and lost")


@pytest.mark.parametrize(
    ("link", "host"),
    [
        *((link, place.ANCHORS[0]) for link in LINKS),
        *((link, place.ANCHORS_6[0]) for link in OVER_IPV6),
    ],
)
def test_each_request_is_told_as_it_was(bed: Bed, link: str, host: str) -> None:
    bed.apply(LINKS[link])
    echoes = exchange(bed, host, count=200, every_s=0.004, timeout_s=0.25)
    lost = sum(echo.answers == 0 for echo in echoes)
    twice = sum(echo.answers > 1 for echo in echoes)
    print(f"{len(echoes)} requests, {lost} lost, {twice} answered more than once")
    assert [seq for seq, echo in enumerate(echoes) if not echo.is_told_truly] == []
    assert all(echo.late == (echo.answers > 0 and link.startswith("late")) for echo in echoes)
    # The wire is on this side of the link, so its time is never less.
    assert all(e.wire_ms >= e.link_ms for e in echoes if e.wire_ms is not None and e.link_ms is not None)


def test_every_packet_of_a_round_is_stamped_by_the_kernel_from_the_first_on(bed: Bed) -> None:
    bed.apply(Link())
    stamps, missing = bed.run("school", [sys.executable, "-c", COUNT_UNSTAMPED, place.GATEWAY[0]]).split()
    assert (int(stamps), int(missing)) == (32, 0)


@pytest.mark.parametrize(
    ("cut", "hint"),
    [
        ("cable", "down_other"),
        ("modem", "down_provider"),
        ("line", "down_provider"),
        ("down", "down_provider"),
        ("operator", "down_provider"),
        ("dns", "degraded"),
        (place.ANCHORS[0], "up"),
    ],
)
def test_reach_hints_at_the_place_that_is_cut(bed: Bed, cut: str, hint: str) -> None:
    options = {"watch_s": 0.6, "anchor_every_s": 0.1, "gateway_every_s": 0.2, "timeout_s": 0.3}
    bed.apply(Link(rtt_ms=20), Cut(cut))
    fields = reach(bed, **options, degraded_loss_ratio=0.4)
    bed.apply(Mend(cut))
    assert fields["hint"] == hint
    bed.wait_for_way("school", place.WEB[0])
    assert reach(bed, **options)["hint"] == "up"


def reach(bed: Bed, **options: Any) -> dict[str, Any]:
    told = bed.run("school", [sys.executable, "-c", MEASURE, "reach", json.dumps(options)])
    ((fields, _),) = json.loads(told)
    found: dict[str, Any] = fields
    return found
