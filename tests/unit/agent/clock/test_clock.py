# SPDX-License-Identifier: Apache-2.0
"""Does the agent know what time it is exactly when it can, and say so when it cannot?"""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.clock import system
from agent.clock.clock import SAVE_EVERY_MS, SAVE_NEWS_EVERY_MS, Clock
from tests.unit.agent.clock.machine import TRUE_START_MS, YEAR_MS, Machine

MINUTE_MS = 60_000


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path / "clock")


@pytest.mark.parametrize("wrong_ms", [-56 * YEAR_MS, 7 * YEAR_MS, -3_000, 0])
def test_a_clock_nobody_vouches_for_counts_as_not_known(machine: Machine, wrong_ms: int) -> None:
    machine.wrong_ms = wrong_ms
    state = machine.start().now()

    assert state.age_s is None
    assert state.wall_ms == machine.true_ms + wrong_ms


def test_a_synchronised_clock_is_believed_and_stays_known(machine: Machine) -> None:
    clock = machine.start()
    machine.synchronise()
    assert clock.now().age_s == 0

    machine.is_synchronised = False
    machine.true_ms += 90_000
    assert (clock.now().wall_ms, clock.now().age_s) == (machine.true_ms, 90)


@pytest.mark.parametrize("wrong_ms", [-56 * YEAR_MS, -20 * YEAR_MS, 300 * YEAR_MS])
def test_a_time_service_that_says_what_cannot_be_is_not_believed_and_the_collector_is(
    machine: Machine, wrong_ms: int
) -> None:
    machine.wrong_ms, machine.is_synchronised = wrong_ms, True
    clock = machine.start()
    assert clock.now().age_s is None

    machine.ask(clock, 100, 100)
    assert (clock.now().wall_ms, clock.now().age_s) == (machine.true_ms, 0)


@pytest.mark.parametrize("step_ms", [-2000, 2000, -YEAR_MS, 10 * YEAR_MS])
def test_a_step_while_running_changes_no_time_that_was_known(machine: Machine, step_ms: int) -> None:
    clock = machine.start()
    machine.synchronise()
    clock.take_events()
    machine.set_wall(step_ms)
    machine.true_ms += 60_000

    assert (clock.now().wall_ms, clock.now().age_s) == (machine.true_ms, 60)
    assert [(e.event, e.step_ms) for e in clock.take_events()] == [("clock_step", step_ms)]
    assert clock.take_events() == []


def test_a_clock_that_steps_all_the_time_is_told_in_few_records(machine: Machine) -> None:
    clock = machine.start()
    clock.now()
    for _ in range(1000):
        machine.set_wall(1000)
        clock.now()
    told = clock.take_events()

    assert len(told) == 6
    assert sum(e.count or 0 for e in told) == 1000
    assert sum(e.step_ms or 0 for e in told) == 1_000_000


def test_the_collectors_answer_gives_the_time_to_half_a_round_trip(machine: Machine) -> None:
    clock = machine.start()
    machine.ask(clock, there_ms=1900, back_ms=100)

    assert abs(clock.now().wall_ms - machine.true_ms) <= 1000
    assert clock.now().age_s == 0
    assert [(e.event, e.subject) for e in clock.take_events()] == [("clock_set", "collector")]


def test_an_answer_that_was_long_under_way_says_nothing(machine: Machine) -> None:
    clock = machine.start()
    machine.ask(clock, there_ms=3 * 3600_000, back_ms=100)

    assert clock.now().age_s is None


@pytest.mark.parametrize("wall_ms", [0, -(10**300), 10**300, 1_735_000_000_000])
def test_an_answer_with_an_impossible_time_is_not_believed(machine: Machine, wall_ms: int) -> None:
    clock = machine.start()
    clock.learn(wall_ms, machine.mono_ms, machine.mono_ms + 10)

    assert clock.now().age_s is None


def test_a_worse_answer_confirms_a_better_one(machine: Machine) -> None:
    clock = machine.start()
    machine.ask(clock, there_ms=20, back_ms=20)
    before_ms = clock.now().wall_ms - machine.true_ms
    machine.true_ms += 600_000
    machine.ask(clock, there_ms=4000, back_ms=0)

    assert clock.now().wall_ms - machine.true_ms == before_ms
    assert clock.now().age_s == 0


def test_an_answer_that_excludes_what_was_known_is_believed(machine: Machine) -> None:
    clock = machine.start()
    clock.learn(TRUE_START_MS + YEAR_MS, machine.mono_ms, machine.mono_ms)
    machine.ask(clock, there_ms=2000, back_ms=2000)

    assert abs(clock.now().wall_ms - machine.true_ms) <= 2000


def test_a_kernel_that_is_sure_goes_before_the_collector(machine: Machine) -> None:
    clock = machine.start()
    machine.synchronise()
    clock.learn(TRUE_START_MS + YEAR_MS, machine.mono_ms, machine.mono_ms)

    assert clock.now().wall_ms == machine.true_ms


def test_an_agent_started_again_in_the_same_boot_still_knows_the_time(machine: Machine) -> None:
    clock = machine.start()
    machine.ask(clock, there_ms=20, back_ms=20)
    clock.save(at_once=True)
    machine.true_ms += 120_000
    state = machine.start().now()

    assert (state.wall_ms, state.age_s) == (machine.true_ms, 120)


def test_the_last_known_time_is_a_lower_bound_after_a_power_cut(machine: Machine) -> None:
    clock = machine.start()
    machine.synchronise()
    clock.save()
    saved_ms = machine.true_ms
    clock = machine.boot(off_ms=3600_000, wrong_ms=-56 * YEAR_MS)

    assert clock.now().age_s is None
    assert saved_ms <= clock.now().wall_ms <= machine.true_ms


def test_a_lower_bound_outlasts_boots_that_never_knew_the_time(machine: Machine) -> None:
    machine.synchronise()
    machine.start().save()
    seen_ms = []
    for _ in range(5):
        clock = machine.boot(off_ms=MINUTE_MS, wrong_ms=7 * YEAR_MS)
        machine.wrong_ms = -50 * YEAR_MS
        machine.true_ms += SAVE_EVERY_MS
        seen_ms.append(clock.now().wall_ms)
        clock.save()

    assert seen_ms == sorted(seen_ms)
    assert seen_ms[-1] - seen_ms[0] >= 4 * SAVE_EVERY_MS
    assert seen_ms[-1] <= machine.true_ms


def test_the_time_is_saved_now_and_then(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.synchronise()
    clock = machine.start()
    written: list[int] = []
    monkeypatch.setattr("agent.pages.os.pwrite", lambda _fd, data, _at: written.append(len(data)))
    for _ in range(24 * 60):
        machine.true_ms += MINUTE_MS
        clock.save()

    assert len(written) == 24 * 60 * MINUTE_MS // SAVE_EVERY_MS
    assert sum(written) <= 200_000
    print(f"\na day online: {len(written)} saves, {sum(written)} bytes")


def test_news_are_saved_at_most_every_ten_minutes(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = machine.start()
    written: list[int] = []
    monkeypatch.setattr("agent.pages.os.pwrite", lambda _fd, data, _at: written.append(len(data)))
    for minute in range(60):
        machine.true_ms += MINUTE_MS
        machine.wrong_ms, machine.is_synchronised = minute % 2 * 10_000, True
        clock.save()

    assert len(written) == 60 * MINUTE_MS // SAVE_NEWS_EVERY_MS


@pytest.mark.parametrize("kept", [0, 1, 20, 4096, 4100, 8191])
def test_a_torn_file_stops_nothing(machine: Machine, kept: int) -> None:
    machine.synchronise()
    machine.start().save()
    machine.path.write_bytes(machine.path.read_bytes()[:kept])

    assert machine.boot(off_ms=0, wrong_ms=0).now().age_s is None


def test_one_torn_slot_leaves_the_other(machine: Machine) -> None:
    machine.synchronise()
    clock = machine.start()
    clock.save()
    first_ms = machine.true_ms
    machine.true_ms += SAVE_EVERY_MS
    clock.save()
    data = bytearray(machine.path.read_bytes())
    data[20] ^= 1
    machine.path.write_bytes(data)
    clock = machine.boot(off_ms=0, wrong_ms=-YEAR_MS)

    assert clock.now().wall_ms >= first_ms


def test_a_card_that_takes_nothing_stops_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "missing" / "clock")
    machine.synchronise()
    clock = machine.start()
    clock.save()

    assert clock.now().age_s == 0


def test_the_real_clocks_agree_with_each_other() -> None:
    first, second = Clock().now(), Clock().now()

    assert first.boot == second.boot or not Path("/proc/sys/kernel/random/boot_id").exists()
    assert 0 <= second.mono_ms - first.mono_ms < 60_000
    assert system.read().mono_ms >= second.mono_ms
