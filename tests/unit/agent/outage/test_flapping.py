# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

from hypothesis import given
from hypothesis import strategies as st

from agent.outage.flapping import MANY, QUIET_S, Flapping
from agent.outage.outage import Outage
from agent.outage.silence import Bounds


def open_(number: int, at_s: float) -> Outage:
    bounds = Bounds(at_s - 0.5, at_s + 0.5)
    return Outage(number=number, scope="link", opened=bounds, cause="line", evidence="", lost=9)


def close(outage: Outage, after_s: float) -> Outage:
    at_s = outage.opened.at_s + after_s
    return dataclasses.replace(outage, closed=Bounds(at_s - 0.1, at_s + 0.1))


def play(gaps_s: list[float], lasts_s: float = 3.0) -> list[Outage]:
    """Outages with these pauses between them, as they are told."""
    flapping, told, now_s = Flapping(), [], 0.0
    for number, gap_s in enumerate(gaps_s, start=1):
        for _ in range(int(gap_s)):
            now_s += 1
            told += flapping.quiet(now_s)
        opened = open_(number, now_s)
        told += flapping.told(opened)
        now_s += lasts_s
        told += flapping.told(close(opened, lasts_s))
    return told + flapping.quiet(now_s + QUIET_S + 1)


def test_few_outages_are_told_as_they_are() -> None:
    told = play([100.0] * 30)
    assert [o.number for o in told] == [n for n in range(1, 31) for _ in range(2)]


def test_many_in_a_short_time_become_one_until_it_is_quiet() -> None:
    told = play([5.0] * 100)
    assert len(told) == 2 * (MANY - 1) + 2
    *_, opened, closed = told
    assert opened.number == closed.number == MANY
    assert opened.closed is None
    assert closed.closed is not None
    assert closed.lasted_s == 99 * 8 + 3 - 9 * 8
    assert closed.evidence.startswith("91 outages, 273.0 s of silence")


@given(st.lists(st.floats(1, 90), max_size=60))
def test_however_they_come_each_told_opens_and_closes_once(gaps_s: list[float]) -> None:
    told = play(gaps_s)
    assert len(told) % 2 == 0
    for opened, closed in zip(told[::2], told[1::2], strict=True):
        assert opened.number == closed.number
        assert opened.closed is None
        assert closed.closed is not None
        assert closed.closed.at_s >= closed.opened.at_s
