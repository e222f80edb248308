# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.counting import (
    Ledger,
    Shown,
    Total,
    Uptimes,
    has_agent_restarted,
    has_device_restarted,
)

_DAY_TICKS = 8_640_000
_WRAP = 1 << 32


def up(ticks: int | None, at_s: float, **more: int) -> Uptimes:
    return Uptimes(agent_ticks=ticks, at_s=at_s, **more)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (up(1000, 0), up(7000, 60), False),
        (up(1000, 0), up(500, 60), True),
        # Up for longer than when it was last seen, and yet since then.
        (up(6000, 0), up(20000, 600), True),
        # 497 days are over.
        (up(_WRAP - 1000, 0), up(5000, 60), False),
        (up(_WRAP - 1000, 0), up(500000, 60), True),
        (up(_WRAP - _DAY_TICKS, 0), up(100, 60), True),
        # Its clock is a little slow, or the answer was a little late.
        (up(0, 0), up(59000, 600), False),
        (up(77, 0), up(77, 5), False),
        (up(77, 0), up(77, 600), None),
        (up(None, 0), up(77, 600), None),
        (up(1000, 0, boots=3, engine_s=10), up(500, 60, boots=4, engine_s=5), True),
        (up(_WRAP - 1000, 0, boots=3, engine_s=42949662), up(5000, 60, boots=3, engine_s=42949722), False),
        (up(1000, 0, boots=3, engine_s=10), up(7000, 60, boots=3, engine_s=2), True),
        # An engine that does not count leaves it to the ticks.
        (up(1000, 0, boots=0, engine_s=0), up(500, 60, boots=0, engine_s=0), True),
        (up(1000, 0, boots=0, engine_s=0), up(7000, 60, boots=0, engine_s=0), False),
    ],
)
def test_a_restart_is_told_from_a_wrap(before: Uptimes, now: Uptimes, expected: bool | None) -> None:
    assert has_agent_restarted(before, now) is expected


def test_an_agent_that_restarts_is_no_device_that_does() -> None:
    before = Uptimes(agent_ticks=9000, host_ticks=900000, at_s=0)
    now = Uptimes(agent_ticks=100, host_ticks=906000, at_s=60)
    assert has_agent_restarted(before, now)
    assert has_device_restarted(before, now) is False
    assert has_device_restarted(before, dataclasses.replace(now, host_ticks=500))


def shown(rx: int | None, tx: int | None = 0, **more: object) -> Shown:
    return Shown(rx_bytes=rx, tx_bytes=tx, **more)  # type: ignore[arg-type]


def follow(*looks: tuple[Shown, Uptimes]) -> list[Total]:
    ledger = Ledger()
    return [ledger.follow({"eth0": look}, uptimes)["eth0"] for look, uptimes in looks]


def test_a_narrow_counter_goes_on_over_wraps() -> None:
    narrow = [shown(rx, tx, is_narrow=True, speed_mbps=1000) for rx, tx in ((_WRAP - 1, 5), (9, 6), (8, 7))]
    uptimes = [up(0, 0), up(6000, 60), up(12000, 120)]
    assert follow(*zip(narrow, uptimes, strict=True)) == [
        Total(_WRAP - 1, 5, None),
        Total(_WRAP + 9, 6, False),
        Total(2 * _WRAP + 8, 7, False),
    ]


def test_what_the_line_cannot_have_carried_is_no_wrap() -> None:
    looks = [shown(_WRAP // 2, is_narrow=True, speed_mbps=10), shown(9, is_narrow=True, speed_mbps=10)]
    assert follow((looks[0], up(0, 0)), (looks[1], up(6000, 60)))[-1] == Total(9, 0, restarted=True)


def test_without_an_uptime_nothing_is_taken_for_a_wrap() -> None:
    looks = [shown(_WRAP - 1, is_narrow=True), shown(9, is_narrow=True)]
    assert follow((looks[0], up(None, 0)), (looks[1], up(None, 60)))[-1] == Total(9, 0, restarted=True)


def test_a_wide_counter_that_goes_back_has_begun_anew() -> None:
    assert follow((shown(10**12), up(0, 0)), (shown(5), up(6000, 60)))[-1] == Total(5, 0, restarted=True)


def test_a_restart_is_told_even_where_the_counter_is_higher() -> None:
    looks = ((shown(1000), up(6000, 0)), (shown(5000), up(500, 3600)))
    assert follow(*looks)[-1] == Total(5000, 0, restarted=True)


def test_a_discontinuity_is_a_begin_unless_it_is_the_time_of_the_question() -> None:
    first = (shown(1000, discontinuity_ticks=0), up(6000, 0))
    assert follow(first, (shown(2000, discontinuity_ticks=9000), up(12000, 60)))[-1].restarted
    assert follow(first, (shown(2000, discontinuity_ticks=12000), up(12000, 60)))[-1].restarted is False


def test_a_missing_counter_is_none_and_no_begin() -> None:
    looks = ((shown(1000), up(0, 0)), (shown(None), up(6000, 60)), (shown(3000), up(12000, 120)))
    assert follow(*looks) == [Total(1000, 0, None), Total(None, 0, False), Total(3000, 0, False)]


@given(st.lists(st.integers(0, 400_000_000), min_size=1, max_size=40), st.integers(0, _WRAP - 1))
def test_the_total_of_a_narrow_counter_grows_by_what_passed(steps: list[int], start: int) -> None:
    ledger, true, at = Ledger(), start, 0
    for step in [0, *steps]:
        true, at = true + step, at + 60
        look = shown(true % _WRAP, is_narrow=True, speed_mbps=1000)
        told = ledger.follow({"eth0": look}, up(at * 100, at))["eth0"]
        assert told.rx_bytes == true
        assert not told.restarted
