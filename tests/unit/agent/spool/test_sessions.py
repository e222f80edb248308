# SPDX-License-Identifier: Apache-2.0
"""Does a start know how far the ones before it went, whatever ended them?"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.spool.sessions import Sessions

DAY_MS = 86_400_000


def test_each_start_knows_the_last_few(tmp_path: Path) -> None:
    for n in range(6):
        Sessions(tmp_path).note(f"{n:016x}", 10 * n + 1, wall_ms=n, mono_ms=0, at_once=True)
    assert Sessions(tmp_path).ended(6) == {f"{n:016x}": 10 * n + 1 for n in (2, 3, 4, 5)}


def test_a_killed_agent_is_known_to_the_last_number_from_the_copy(tmp_path: Path) -> None:
    early = tmp_path / "early"
    early.mkdir()
    sessions = Sessions(tmp_path, early)
    sessions.note("00000000000000aa", 1, wall_ms=0, mono_ms=0)
    sessions.note("00000000000000aa", 77, wall_ms=0, mono_ms=1000)
    assert Sessions(tmp_path).ended(1) == {"00000000000000aa": 1}
    assert Sessions(tmp_path, early).ended(1) == {"00000000000000aa": 77}


def test_the_card_is_written_every_half_hour(tmp_path: Path) -> None:
    sessions = Sessions(tmp_path)
    for minute in range(31):
        sessions.note("00000000000000aa", minute + 1, wall_ms=0, mono_ms=minute * 60_000)
        known = Sessions(tmp_path).ended(1)["00000000000000aa"]
        assert known == (31 if minute == 30 else 1)
    assert (tmp_path / "sessions").stat().st_size == 4096


@pytest.mark.parametrize("now_ms", [-1, 31 * DAY_MS])
def test_what_is_from_another_time_is_not_spoken_of(tmp_path: Path, now_ms: int) -> None:
    Sessions(tmp_path).note("00000000000000aa", 7, wall_ms=0, mono_ms=0)
    assert Sessions(tmp_path).ended(now_ms) == {}


@given(st.binary(max_size=300), st.integers(0, 400))
def test_a_torn_page_is_as_none(tmp_path_factory: pytest.TempPathFactory, junk: bytes, at: int) -> None:
    directory = tmp_path_factory.mktemp("sessions")
    Sessions(directory).note("00000000000000aa", 7, wall_ms=0, mono_ms=0)
    page = bytearray((directory / "sessions").read_bytes())
    page[at : at + len(junk)] = junk
    (directory / "sessions").write_bytes(page)
    assert Sessions(directory).ended(1) in ({}, {"00000000000000aa": 7})


def test_a_card_that_refuses_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "sessions").mkdir()
    sessions = Sessions(tmp_path, tmp_path / "nowhere")
    sessions.note("00000000000000aa", 7, wall_ms=0, mono_ms=0)
    assert sessions.ended(1) == {"00000000000000aa": 7}
