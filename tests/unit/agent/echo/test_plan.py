# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.echo.address import Address, parse
from agent.echo.plan import Ask, evenly, fitting, in_doubt, interleaved, moments

ONE, TWO, THREE = (parse(f"192.0.2.{n}") for n in (1, 2, 3))
GATEWAY = parse("192.168.1.1")


def test_hosts_are_asked_in_rotation() -> None:
    plan = evenly([ONE, TWO], every_s=5, count=3)
    assert plan == [Ask(0, ONE), Ask(5, TWO), Ask(10, ONE)]


@given(every_s=st.floats(0.1, 100), span_s=st.floats(0.1, 100))
def test_every_request_begins_within_the_span(every_s: float, span_s: float) -> None:
    count = fitting(span_s, every_s=every_s)
    assert (count - 1) * every_s < span_s
    assert count * every_s >= span_s - 1e-6


@pytest.mark.parametrize("n", range(1, 30))
def test_rounding_adds_no_request(n: int) -> None:
    assert fitting(n * 0.1, every_s=0.1) == n


def test_nobody_is_asked_without_hosts() -> None:
    assert evenly([], every_s=1, count=10) == []


def test_plans_are_merged_in_the_order_of_their_moments() -> None:
    merged = interleaved([[Ask(0, ONE), Ask(2, ONE)], [Ask(1, TWO)]])
    assert [ask.address for ask in merged] == [ONE, TWO, ONE]


def test_doubt_begins_when_the_first_three_are_overdue_and_keeps_moments_and_rotation() -> None:
    hosts = [ONE, TWO, THREE]
    plan = interleaved([evenly(hosts, every_s=5, count=10), evenly([GATEWAY], every_s=2, count=25, from_s=1)])
    asked = in_doubt(plan, hosts, timeout_s=5, until_s=50)
    assert [item.at_s for item in asked] == [15, 20, 25, 30, 35, 40, 45]
    assert asked == [item for item in plan if item.at_s >= 15 and item.address in hosts]


def test_doubt_of_one_host_waits_for_three_requests_too() -> None:
    plan = evenly([ONE], every_s=5, count=10)
    assert in_doubt(plan, [ONE], timeout_s=5, until_s=50) == plan[3:]


def test_host_without_a_moment_left_is_asked_beside_the_last_request() -> None:
    plan = evenly([ONE, TWO, THREE], every_s=10, count=5)
    assert in_doubt(plan, [ONE, TWO, THREE], timeout_s=15, until_s=50) == [
        Ask(40, TWO),
        Ask(40, ONE),
        Ask(40, THREE),
    ]


@pytest.mark.parametrize(("until_s", "expected_s"), [(50, 45), (44, 44), (30, 40)])
def test_requests_overdue_only_behind_the_last_one_are_doubted_then_or_at_the_end(
    until_s: float, expected_s: float
) -> None:
    plan = evenly([ONE, TWO], every_s=20, count=3)
    asked = in_doubt(plan, [ONE, TWO], timeout_s=5, until_s=until_s)
    assert asked == [Ask(expected_s, ONE), Ask(expected_s, TWO)]


@given(
    hosts=st.integers(1, 6).map(lambda n: [parse(f"192.0.2.{i}") for i in range(n)]),
    every_s=st.floats(0.1, 60),
    count=st.integers(1, 20),
    timeout_s=st.floats(0.1, 60),
)
def test_doubt_asks_each_host_in_order_and_before_the_round_ends(
    hosts: list[Address], every_s: float, count: int, timeout_s: float
) -> None:
    until_s = count * every_s
    asked = in_doubt(evenly(hosts, every_s=every_s, count=count), hosts, timeout_s=timeout_s, until_s=until_s)
    moments_s = [item.at_s for item in asked]
    assert {item.address for item in asked} == set(hosts)
    assert moments_s == sorted(moments_s)
    assert max(moments_s) <= until_s


def test_nobody_is_doubted_where_nobody_is_asked() -> None:
    assert in_doubt(evenly([GATEWAY], every_s=1, count=9), [ONE], timeout_s=1, until_s=9) == []
    assert in_doubt([], [], timeout_s=1, until_s=9) == []


async def test_moments_come_when_they_are_due() -> None:
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    came = [
        (i, loop.time() - start_s) async for i, _ in moments([Ask(0, ONE), Ask(0.02, ONE), Ask(0.03, ONE)])
    ]
    assert [i for i, _ in came] == [0, 1, 2]
    assert all(at_s >= due_s for (_, at_s), due_s in zip(came, (0, 0.02, 0.03), strict=True))
