# SPDX-License-Identifier: Apache-2.0
"""Simulated boots: how did the last run end, and for how long was nobody there?"""

from __future__ import annotations

import os
import zlib
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


def test_only_cuts_within_the_first_minutes_of_a_boot_count_as_short() -> None:
    after = clock("bbbbbbbb", 20, 0)
    cut_early = mark(clock("aaaaaaaa", 599, 0), short_boots=1)
    cut_late = mark(clock("aaaaaaaa", 600, 0), short_boots=1)
    shut_down = mark(clock("aaaaaaaa", 90, 0), short_boots=1, has_stopped=True)
    found = [next_mark(one, after).short_boots for one in (cut_early, cut_late, shut_down, None)]
    assert found == [2, 0, 0, 0]
    assert [away(one, after).end for one in (cut_early, cut_late)] == ["brown_out", "power_cut"]
    assert next_mark(Mark(boot="00000000", short_boots=1), after).short_boots == 0


def test_an_agent_killed_within_a_boot_does_not_forget_how_short_the_boots_before_were() -> None:
    before = mark(clock("aaaaaaaa", 90, 0), short_boots=2)
    again = next_mark(before, clock("aaaaaaaa", 95, 5))
    assert again == mark(clock("aaaaaaaa", 95, 5), short_boots=2)
    assert away(again, clock("bbbbbbbb", 20, 60)).end == "brown_out"


def test_the_first_mark_of_a_boot_says_nothing_of_the_supply_and_is_no_stop() -> None:
    before = mark(clock("aaaaaaaa", 90_000, 0), is_low=True, has_stopped=True)
    assert next_mark(before, clock("bbbbbbbb", 20, 60, known=False)) == Mark(boot="bbbbbbbb", mono_ms=20_000)


def test_nobody_was_away_for_less_than_no_time() -> None:
    before = mark(clock("aaaaaaaa", 100, 0))
    assert away(before, clock("bbbbbbbb", 30, 20)) == Away("power_cut", WALL_MS, 0.0, 0.0)
    assert away(before, clock("aaaaaaaa", 99, 0)) == Away("killed", WALL_MS, 0.0, 0.0)


@pytest.mark.parametrize("cut_after_s", [0, 1, 299, 299.999])
@pytest.mark.parametrize("down_s", [0, 1, 3600])
def test_the_power_was_away_for_as_long_as_is_told_or_less_by_the_resolution(
    cut_after_s: float, down_s: float
) -> None:
    beat_s = 7 * BEAT_EVERY_S
    before = mark(clock("aaaaaaaa", beat_s, beat_s))
    booted_s = beat_s + cut_after_s + down_s
    gone = away(before, clock("bbbbbbbb", 45, booted_s + 45))
    assert gone.lasted_s is not None
    assert gone.resolution_s is not None
    assert gone.lasted_s - gone.resolution_s <= down_s <= gone.lasted_s
    assert gone.resolution_s <= 300


def test_when_the_clock_becomes_known_later_the_same_length_is_told() -> None:
    before = mark(clock("aaaaaaaa", 4000, 0))
    told = {away(before, clock("bbbbbbbb", mono_s, 3600 + mono_s)) for mono_s in (1, 30, 86_400)}
    assert told == {Away("power_cut", WALL_MS, 3600.0, BEAT_EVERY_S)}


def test_the_file_keeps_what_is_written(tmp_path: Path) -> None:
    file = MarkFile(tmp_path / "running")
    assert file.read() is None
    made = mark(clock("aaaaaaaa", 100, 0), is_low=True, short_boots=2)
    for each in (mark(clock("aaaaaaaa", 100_000, 0), has_stopped=True), made):
        file.write(each)
        assert file.read() == each
    assert (tmp_path / "running").stat().st_size == 512


def test_a_mark_is_on_the_disk_in_its_one_place_before_the_agent_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "running"
    synced: list[tuple[int, bool]] = []

    def fdatasync(fd: int) -> None:
        synced.append((os.fstat(fd).st_ino, MarkFile(path).read() is not None))

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    open_files = len(list(Path("/proc/self/fd").iterdir()))
    for n in range(3):
        MarkFile(path).write(mark(clock("aaaaaaaa", n, n)))
    assert synced == [(path.stat().st_ino, True)] * 3
    assert len(list(Path("/proc/self/fd").iterdir())) == open_files


def test_a_new_file_has_its_name_on_the_disk_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.fstat(fd).st_ino))
    for n in range(2):
        MarkFile(tmp_path / "running").write(mark(clock("aaaaaaaa", n, n)))
        assert synced == [tmp_path.stat().st_ino]


def test_a_mark_in_which_one_byte_changed_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "running"
    MarkFile(path).write(mark(clock("aaaaaaaa", 4000, 0), has_stopped=True))
    whole = path.read_bytes()
    for place in range(len(whole.rstrip())):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert MarkFile(path).read() == Mark(boot="00000000")


@pytest.mark.parametrize(
    "body",
    [
        '["nonsense",false,1,1,false,0]',
        '["aaaaaaaa",false,1.5,1,false,0]',
        '["aaaaaaaa",false,1,true,false,0]',
        '["aaaaaaaa",false,1,1,false,null]',
        f'["aaaaaaaa",false,{2**53},1,false,0]',
        f'["aaaaaaaa",false,1,{-(2**53)},false,0]',
        '["aaaaaaaa",false,1,1,false]',
        '"aaaaaa"',
        "[" * 400,
    ],
)
def test_a_whole_mark_that_nobody_wrote_is_not_believed(tmp_path: Path, body: str) -> None:
    (tmp_path / "running").write_text(f"{body} {zlib.crc32(body.encode()):08x}\n")
    assert MarkFile(tmp_path / "running").read() == Mark(boot="00000000")


def test_a_torn_mark_says_neither_when_nor_for_how_long() -> None:
    assert away(Mark(boot="00000000"), clock("bbbbbbbb", 30, 60)) == Away("power_cut")
    assert away(Mark(boot="bbbbbbbb"), clock("bbbbbbbb", 30, 60)) == Away("killed")


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
