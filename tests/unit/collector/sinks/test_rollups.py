# SPDX-License-Identifier: Apache-2.0
"""Do roll-ups stay exact sums, in whatever order records come, move and go?"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.contract.histogram import count, quantile_ms
from agent.contract.kinds import Latency
from agent.contract.record import ClockState
from collector.sinks import rollups
from collector.sinks.rollups import RollUp
from collector.sinks.schema import open_for_writing
from collector.sinks.stored import Stored

HOUR_MS = 3_600_000
SCHOOL = 7


def _record(at_ms: int, *rtts_ms: float, late: int | None = 0, lost: int = 0) -> Stored:
    sent = len(rtts_ms) + (late or 0) + lost
    fields = Latency(target="a", sent=sent, received=len(rtts_ms), late=late, rtt_histogram=count(rtts_ms))
    return Stored(
        device="pi-1",
        session="0" * 16,
        seq=at_ms + 1,
        kind="latency",
        at_ms=at_ms,
        duration_ms=1,
        reason=None,
        detail=None,
        fields=fields,
        clock=ClockState(wall_ms=at_ms, mono_ms=1, boot="deadbeef"),
        received_ms=at_ms,
        backlog=False,
    )


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    made = open_for_writing(tmp_path / "store.sqlite", busy_s=1)
    made.execute("PRAGMA synchronous = OFF")
    yield made
    made.close()


def _read(db: sqlite3.Connection) -> list[RollUp]:
    return [one for span in rollups.SPANS for one in rollups.read(db, SCHOOL, span, 0, 2**60)]


times_ms = st.lists(st.sampled_from([0.5, 20.0, 21.0, 612.0]), max_size=4)
records = st.lists(
    st.builds(
        lambda at_ms, rtts_ms, late, lost: _record(at_ms, *rtts_ms, late=late, lost=lost),
        st.sampled_from([0, HOUR_MS - 1, HOUR_MS, 30 * HOUR_MS]),
        times_ms,
        st.sampled_from([None, 0, 2]),
        st.integers(0, 3),
    ),
    max_size=8,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(staying=records, leaving=records, chance=st.randoms())
def test_what_was_counted_in_and_out_again_in_any_order_leaves_the_sum_of_the_rest(
    db: sqlite3.Connection, staying: list[Stored], leaving: list[Stored], chance: random.Random
) -> None:
    db.execute("DELETE FROM rollups")
    rollups.add(db, [(SCHOOL, stored) for stored in staying])
    at_once = _read(db)

    db.execute("DELETE FROM rollups")
    everything = [*staying, *leaving]
    chance.shuffle(everything)
    for stored in everything:
        rollups.add(db, [(SCHOOL, stored)])
    for stored in leaving:
        rollups.subtract(db, SCHOOL, stored)
    assert [one for one in _read(db) if one.sent] == [one for one in at_once if one.sent]


def test_an_hours_sums_and_percentiles_are_those_of_all_its_echoes(db: sqlite3.Connection) -> None:
    rtts_ms = [20.0 + n for n in range(100)]
    for n in range(10):
        rollups.add(db, [(SCHOOL, _record(n, *rtts_ms[n::10], late=1, lost=2))])
    rollups.add(db, [(SCHOOL, _record(HOUR_MS, 5000.0, late=None))])
    first, second, day = _read(db)

    assert (first.hour_ms, first.sent, first.received, first.late) == (0, 130, 100, 10)
    assert first.histogram == count(rtts_ms)
    assert quantile_ms(first.histogram, 0.95) == pytest.approx(114, rel=0.01)
    assert (second.hour_ms, second.sent, second.received, second.late) == (HOUR_MS, 1, 1, 0)
    assert day.histogram == count([*rtts_ms, 5000.0])


def test_what_says_no_numbers_counts_for_none(db: sqlite3.Connection) -> None:
    untold = _record(0)
    object.__setattr__(untold, "fields", Latency(target="a"))
    rollups.add(db, [(SCHOOL, untold), (SCHOOL, _record(1, 7.0))])
    assert {(one.sent, one.received, one.late) for one in _read(db)} == {(1, 1, 0)}
