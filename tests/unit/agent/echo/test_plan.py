# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.echo.address import parse
from agent.echo.plan import Ask, evenly, fitting, interleaved, moments

ONE, TWO = parse("192.0.2.1"), parse("192.0.2.2")


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


async def test_moments_come_when_they_are_due() -> None:
    loop = asyncio.get_running_loop()
    start_s = loop.time()
    came = [
        (i, loop.time() - start_s) async for i, _ in moments([Ask(0, ONE), Ask(0.02, ONE), Ask(0.03, ONE)])
    ]
    assert [i for i, _ in came] == [0, 1, 2]
    assert all(at_s >= due_s for (_, at_s), due_s in zip(came, (0, 0.02, 0.03), strict=True))
