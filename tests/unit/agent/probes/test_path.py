# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agent.contract.kinds import NetworkPath
from agent.contract.reason import Reason
from agent.echo.problem import NoAnswer
from agent.probes.base import Finding
from agent.probes.path import PathProbe, finding_of
from agent.trace import child
from agent.trace.told import Hop, Order, Told

HOPS = (
    Hop(ttl=1, asked=3, answered=3, address="192.168.77.1", rtt_ms=0.3),
    Hop(ttl=2, asked=3, answered=0),
    Hop(ttl=3, asked=3, answered=2, address="203.0.113.9", rtt_ms=48.25),
)
REACHED = Told(method="icmp", reached=True, hops=HOPS, mtu_bytes=1400)


def figures(finding: Finding) -> NetworkPath:
    assert isinstance(finding.fields, NetworkPath)
    return finding.fields


def test_hops_are_written_in_order() -> None:
    finding = finding_of("203.0.113.9", REACHED, 1500)
    made = figures(finding)
    assert made.hops == "192.168.77.1,0.3,3/3;*,,0/3;203.0.113.9,48.25,2/3"
    assert (made.hop_count, made.hops_answered, made.reached, finding.reason) == (3, 2, True, None)


def test_path_hash_changes_with_an_address_and_not_with_times() -> None:
    def hash_of(*hops: Hop) -> int | None:
        return figures(finding_of("203.0.113.9", Told(hops=hops), 1500)).path_hash

    slower = Hop(ttl=1, asked=9, answered=1, address="192.168.77.1", rtt_ms=99)
    other = Hop(ttl=1, asked=3, answered=3, address="192.168.77.2", rtt_ms=0.3)
    assert hash_of(*HOPS) == hash_of(slower, *HOPS[1:]) != hash_of(other, *HOPS[1:])
    assert hash_of() is None


@pytest.mark.parametrize(
    ("mtu_bytes", "told", "is_hole"),
    [(1400, False, True), (1400, True, False), (1500, False, False), (None, False, None)],
)
def test_small_mtu_that_nobody_told_is_a_black_hole(
    mtu_bytes: int | None, told: bool, is_hole: bool | None
) -> None:
    found = Told(reached=True, mtu_bytes=mtu_bytes, mtu_told=told)
    assert figures(finding_of("1.1.1.1", found, 1500)).mtu_black_hole is is_hole


def test_operator_is_pinged() -> None:
    told = Told(
        reached=True, operator_hop="100.64.0.1", operator_ttl=3, operator_sent=5, operator_rtts_ms=(9, 1, 5)
    )
    made = figures(finding_of("1.1.1.1", told, 1500))
    assert (made.operator_sent, made.operator_received, made.operator_rtt_median_ms) == (5, 3, 5)
    silent = figures(finding_of("1.1.1.1", Told(reached=True), 1500))
    assert (silent.operator_sent, silent.operator_received, silent.operator_rtt_median_ms) == (None,) * 3


def test_silent_target_is_a_failure_with_its_hops() -> None:
    finding = finding_of("1.1.1.1", Told(method="tcp", hops=HOPS[:1]), 1500)
    assert (finding.reason, figures(finding).hop_count, figures(finding).reached) == (
        Reason.TIMEOUT,
        1,
        False,
    )


def test_refusal_on_the_way_is_told_from_silence() -> None:
    finding = finding_of("1.1.1.1", Told(method="tcp", hops=HOPS[:1], refused_by="192.168.77.1"), 1500)
    assert finding.reason == Reason.UNREACHABLE


async def test_each_target_has_its_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    orders: list[Order] = []

    async def find_out(order: Order) -> Told:
        orders.append(order)
        if order.target == "8.8.8.8":
            raise NoAnswer(Reason.NOT_PERMITTED, "no")
        return REACHED

    monkeypatch.setattr(child, "find_out", find_out)
    findings = await PathProbe(targets=("1.1.1.1", "8.8.8.8"), deadline_s=60).measure()
    assert [f.reason for f in findings] == [None, Reason.NOT_PERMITTED]
    assert sum(o.budget_s + child.GRACE_S for o in orders) < 60
    assert figures(findings[1]) == NetworkPath(target="8.8.8.8")


async def test_cancellation_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = asyncio.Event()

    async def find_out(_: Order) -> Told:
        asked.set()
        await asyncio.Event().wait()
        return REACHED

    monkeypatch.setattr(child, "find_out", find_out)
    task = asyncio.create_task(PathProbe().measure())
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"targets": ()}, "must not be empty"),
        ({"methods": ()}, "must not be empty"),
        ({"targets": ("example.org",)}, "targets must be IPv4 addresses"),
        ({"targets": ("2001:db8::1",)}, "targets must be IPv4 addresses"),
        ({"targets": ("1.1.1.1", "1.1.1.1")}, "targets must not repeat"),
        ({"deadline_s": 5}, "deadline_s must leave more than"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        PathProbe(**options)
