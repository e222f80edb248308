# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import pytest

from agent.contract.kinds import Host, Latency, Reach
from collector.registry import School
from collector.web.board import Board
from collector.web.fleet import Fleet
from collector.web.options import WebOptions
from collector.web.school import Found, clock_quality, make, said
from collector.web.templating import times
from tests.unit.collector.web.fakes import CLOCK, MINUTE_MS, NOW_MS, Reader, Seen, Stored, view

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


def test_state_of_the_day_ends_with_the_last_arrival_when_the_clock_ran_ahead() -> None:
    ahead = [
        Stored(at_ms=NOW_MS - m * MINUTE_MS, fields=Reach(up=False), received_ms=NOW_MS - 60 * MINUTE_MS)
        for m in range(90, 0, -1)
    ]
    reader = Reader(stored={"a": ahead}, seen={"a": Seen(at_ms=NOW_MS, received_ms=NOW_MS)})
    shown = view(reader, School(id="a"))
    board = Board(shown, refresh_every_s=1)
    board.close()
    fleet = Fleet(shown, board, WebOptions())
    found = Found.read(reader, "a", NOW_MS)
    page = make(fleet, fleet.schools()[0], found, times("UTC"), devices=(), seen=None)
    assert [r.end_ms for r in page.outages] == [NOW_MS - 59 * MINUTE_MS]


def test_newest_and_failures_come_latest_first() -> None:
    stored = [
        Stored(at_ms=NOW_MS - 10 + i, fields=None, seq=i, reason="timeout" if i % 2 else None)
        for i in range(9)
    ]
    found = Found.read(Reader(stored={"a": stored}), "a", NOW_MS)
    assert [s.seq for s in found.newest(3)] == [8, 7, 6]
    assert [s.seq for s in found.failures(3)] == [7, 5, 3]
