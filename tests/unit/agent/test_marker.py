# SPDX-License-Identifier: Apache-2.0
"""Simulated boots: how did the last run end, and for how long was nobody there?"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.record import ClockState
from agent.marker import BEAT_EVERY_S, SUBJECTS, Away, Mark, MarkFile, away, mark, next_mark

WALL_MS = 1_795_000_000_000


def clock(boot: str, mono_s: float, wall_s: float, *, known: bool = True) -> ClockState:
    return ClockState(
        wall_ms=WALL_MS + round(wall_s * 1000),
        mono_ms=round(mono_s * 1000),
        boot=boot,
        age_s=0 if known else None,
    )


def test_the_first_start_follows_nothing() -> None:
    assert away(None, clock("aaaaaaaa", 5, 0)) == Away("first")


def test_a_killed_agent_knows_to_the_millisecond_how_long_it_was_away() -> None:
    before = mark(clock("aaaaaaaa", 100, 0))
    gone = away(before, clock("aaaaaaaa", 110, 10))
    assert (gone.end, gone.lasted_s, gone.resolution_s) == ("killed", 10.0, 10.0)


def test_a_stopped_agent_is_no_accident() -> None:
    before = mark(clock("aaaaaaaa", 100, 0), has_stopped=True)
    assert away(before, clock("aaaaaaaa", 160, 60)) == Away("stopped", WALL_MS, 60.0, None)
    assert away(before, clock("bbbbbbbb", 20, 80)).end == "shut_down"
    assert not {"stopped", "shut_down", "first"} & set(SUBJECTS)


def test_a_power_cut_lasted_from_the_last_sign_of_life_to_the_boot() -> None:
    before = mark(clock("aaaaaaaa", 4000, 0))
    gone = away(before, clock("bbbbbbbb", 30, 3630))
    assert gone == Away("power_cut", WALL_MS, 3600.0, BEAT_EVERY_S)


def test_a_power_cut_has_no_length_until_the_clock_is_known() -> None:
    before = mark(clock("aaaaaaaa", 4000, 0))
    assert away(before, clock("bbbbbbbb", 30, -9e6, known=False)).lasted_s is None
    unknown_before = mark(clock("aaaaaaaa", 4000, 0, known=False))
    assert away(unknown_before, clock("bbbbbbbb", 30, 3630)).lasted_s is None


def test_low_voltage_before_the_cut_makes_it_a_brown_out() -> None:
    before = mark(clock("aaaaaaaa", 4000, 0), is_low=True)
    assert away(before, clock("bbbbbbbb", 30, 60)).end == "brown_out"


def test_boots_cut_short_one_after_the_other_are_a_brown_out() -> None:
    ends = []
    before: Mark | None = None
    for number in range(4):
        now = clock(f"{number:08x}", 20, 200 * number)
        ends.append(away(before, now).end)
        before = mark(clock(now.boot, 90, 200 * number + 70), short_boots=next_mark(before, now).short_boots)
    assert ends == ["first", "power_cut", "brown_out", "brown_out"]
    calm = mark(clock("cccccccc", 90_000, 90_000), short_boots=before.short_boots if before else 0)
    assert away(calm, clock("dddddddd", 20, 90_100)).end == "power_cut"


def test_the_file_keeps_what_is_written(tmp_path: Path) -> None:
    file = MarkFile(tmp_path / "running")
    assert file.read() is None
    made = mark(clock("aaaaaaaa", 100, 0), is_low=True, short_boots=2)
    for each in (mark(clock("aaaaaaaa", 100_000, 0), has_stopped=True), made):
        file.write(each)
        assert file.read() == each
    assert (tmp_path / "running").stat().st_size == 512


@given(st.binary(max_size=600))
def test_a_damaged_file_says_at_least_that_the_agent_ran(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.mktemp("mark") / "running"
    path.write_bytes(data)
    found = MarkFile(path).read()
    assert found is not None
    assert away(found, clock("bbbbbbbb", 30, 60)).end in {"power_cut", "shut_down", "brown_out"}


def test_the_file_of_an_earlier_version_is_understood(tmp_path: Path) -> None:
    (tmp_path / "running").write_text("deadbeef")
    assert MarkFile(tmp_path / "running").read() == Mark(boot="deadbeef")
