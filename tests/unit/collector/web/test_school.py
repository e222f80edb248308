# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import pytest

from agent.contract.kinds import Host, Latency
from collector.web.school import Found, clock_quality, said
from tests.unit.collector.web.fakes import CLOCK, NOW_MS, Reader, Stored

UNSET = dataclasses.replace(CLOCK, age_s=None)


@pytest.mark.parametrize(
    ("newest", "host", "quality"),
    [
        ([Stored(at_ms=1, fields=None)], None, "last set 12 s before its newest record"),
        ([Stored(at_ms=1, fields=None, clock=UNSET)], Host(clock_synchronised=True), "synchronised"),
        ([Stored(at_ms=1, fields=None, clock=UNSET)], Host(clock_synchronised=False), "not synchronised"),
        ([Stored(at_ms=1, fields=None, clock=UNSET)], Host(), "not known to be right"),
        ([], None, "–"),
    ],
)
def test_clock_quality_says_what_is_known(newest: list[Stored], host: Host | None, quality: str) -> None:
    assert clock_quality(newest, host) == quality


def test_said_names_what_was_measured_and_nothing_else() -> None:
    fields = Latency(target="a", sent=3, rtt_median_ms=612.3456, loaded=False, rtt_histogram=((1, 1),))
    assert said(Stored(at_ms=1, fields=fields)) == "target=a sent=3 rtt_median_ms=612.3 loaded=no"
    assert said(Stored(at_ms=1, fields=None, reason="timeout")) == ""


def test_newest_and_failures_come_latest_first() -> None:
    stored = [
        Stored(at_ms=NOW_MS - 10 + i, fields=None, seq=i, reason="timeout" if i % 2 else None)
        for i in range(9)
    ]
    found = Found.read(Reader(stored={"a": stored}), "a", NOW_MS)
    assert [s.seq for s in found.newest(3)] == [8, 7, 6]
    assert [s.seq for s in found.failures(3)] == [7, 5, 3]
