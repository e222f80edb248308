# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from agent.contract.kinds import Throughput
from agent.probes.base import Finding
from agent.throughput.agreement import OFTEN_WITHIN_S, WITHIN_S, Agreement

CAPACITY = Throughput(
    direction="down",
    server="one",
    method="capacity",
    mbps=10.0,
    mbps_low=9.9,
    mbps_high=10.1,
    validity="valid",
)
TCP = replace(CAPACITY, method="tcp_bbr_4", mbps=9.8, mbps_low=9.6, mbps_high=10.0)


def judged(*told: tuple[float, Throughput]) -> list[tuple[str | None, str | None]]:
    agreement = Agreement()
    said = [agreement.judged((Finding(fields),), at_s)[0].fields for at_s, fields in told]
    return [(f.validity, f.reasons) for f in said if isinstance(f, Throughput)]


AGREED, DISAGREED = ("valid", None), ("suspect", "disagrees")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, AGREED),
        ({"mbps": 10.4, "mbps_low": 10.3, "mbps_high": 10.5}, AGREED),
        ({"mbps": 11.5, "mbps_low": 11.2, "mbps_high": 11.8}, DISAGREED),
        ({"mbps": 11.5, "mbps_low": None, "mbps_high": None}, DISAGREED),
        ({"mbps": 6.0, "mbps_low": 5.9, "mbps_high": 6.1}, AGREED),
        ({"mbps": 2.4, "mbps_low": 2.3, "mbps_high": 2.5}, DISAGREED),
        ({"method": "ndt7", "mbps": 2.4, "mbps_low": None, "mbps_high": None}, AGREED),
        ({"method": "ndt7", "mbps": 14.0, "mbps_low": None, "mbps_high": None}, DISAGREED),
        ({"direction": "up", "mbps": 2.0, "mbps_high": 2.0}, AGREED),
        ({"server": "another", "mbps": 40.0, "mbps_low": 39.0}, AGREED),
        ({"method": "capacity", "mbps": 40.0, "mbps_low": 39.0, "mbps_high": 41.0}, AGREED),
    ],
)
def test_two_methods_agree_or_the_later_says_that_they_do_not(
    changed: dict[str, Any], expected: tuple[str, str | None]
) -> None:
    other = replace(TCP, **changed)
    assert judged((0.0, CAPACITY), (60.0, other)) == [AGREED, expected]
    assert judged((0.0, other), (60.0, CAPACITY)) == [AGREED, expected]


def test_tests_long_after_one_another_are_not_compared() -> None:
    fast = replace(TCP, mbps=40.0, mbps_low=39.0, mbps_high=41.0)
    assert judged((0.0, CAPACITY), (WITHIN_S + 1, fast)) == [AGREED, AGREED]


def test_what_passes_in_a_burst_is_no_contradiction() -> None:
    fast = replace(TCP, mbps=40.0, mbps_low=39.0, mbps_high=41.0)
    assert judged((0.0, replace(CAPACITY, burst_mbps=90.0)), (1.0, fast)) == [AGREED, AGREED]


def test_a_figure_that_is_doubted_already_contradicts_nobody() -> None:
    shared = replace(
        CAPACITY, mbps=4.0, mbps_low=3.9, mbps_high=4.1, validity="suspect", reasons="cross_traffic"
    )
    assert judged((0.0, shared), (1.0, TCP)) == [("suspect", "cross_traffic"), AGREED]
    assert judged((0.0, replace(TCP, mbps=None, validity=None)), (1.0, CAPACITY)) == [(None, None), AGREED]


HOUR_S = 3600.0


def day(*figures: tuple[float, float], every_s: float = 3 * HOUR_S) -> list[tuple[str | None, str | None]]:
    """Capacity and TCP in turns."""
    told = [
        replace(fields, mbps=mbps, mbps_low=0.99 * mbps, mbps_high=1.01 * mbps)
        for pair in figures
        for fields, mbps in zip((CAPACITY, TCP), pair, strict=True)
    ]
    return judged(*((n * every_s, fields) for n, fields in enumerate(told)))


def test_udp_that_is_held_back_all_day_is_told_by_what_tcp_gets() -> None:
    assert day((0.56, 9.8), (0.55, 9.1), (0.57, 10.2), (0.56, 9.5)) == [AGREED] * 5 + [DISAGREED] * 3


def test_tcp_that_is_held_up_all_day_is_told_too() -> None:
    assert day((10.0, 1.0), (9.0, 2.0), (11.0, 0.5)) == [AGREED] * 5 + [DISAGREED]


@pytest.mark.parametrize("figures", [((10, 9.8), (4, 9), (10, 10)), ((10, 1), (9, 2), (4, 3.9))])
def test_a_rate_that_changes_by_the_hour_is_no_contradiction(
    figures: tuple[tuple[float, float], ...],
) -> None:
    assert day(*figures) == [AGREED] * 6


def test_what_was_said_days_ago_no_longer_counts() -> None:
    assert day((0.5, 9.0), (0.5, 9.0), (0.5, 9.0), every_s=OFTEN_WITHIN_S / 4) == [AGREED] * 6
