# SPDX-License-Identifier: Apache-2.0
"""Does a device with no clock of its own have the right times in the store in the end, and know it?"""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from pathlib import Path

import pytest

from agent.clock.offset import MAX_ROUND_TRIP_MS
from agent.clock.system import mono_ns
from agent.contract.kinds import Event
from collector.moment import SETTLED, TimeBasis
from collector.sinks.stored import Stored
from tests.system.trio import Trio, wait_until
from tests.system.witness import CLOCK, FaultyClock

YEAR_MS = 31_557_600_000
_MADE_BEFORE = 12
_UNCOMMITTED = 6
"""A kill and another boot are a power cut: it takes what was made since the last commit, half a second."""


def _grows(trio: Trio) -> None:
    before = len(trio.noted("made"))
    wait_until(lambda: len(trio.noted("made")) >= before + _MADE_BEFORE, 40, "it measures")


def _events(trio: Trio) -> int:
    return sum(kind == "event" for _, _, kind, _ in trio.noted("made"))


def _is_all_stored(trio: Trio) -> bool:
    made = [(session, int(seq)) for session, seq, *_ in trio.noted("made")]
    last = dict(made)
    stored = {(r.session, r.seq) for r in trio.stored()}
    return len(made) > 0 and all(
        (session, seq) in stored or seq > last[session] - _UNCOMMITTED for session, seq in made
    )


@pytest.mark.parts
@pytest.mark.timeout(180)
def test_times_are_right_over_three_boots_with_clocks_from_1970_to_2033(tmp_path: Path) -> None:
    trio, file = Trio(tmp_path), tmp_path / "clock.json"
    trio.environment[CLOCK] = str(file)
    now_ms = int(time.time() * 1000)
    never = FaultyClock(wall_ms=-now_ms, mono_ms=0, boot="00000001")
    late = FaultyClock(wall_ms=7 * YEAR_MS, mono_ms=-mono_ns() // 2_000_000, boot="00000002")
    taught = FaultyClock(wall_ms=-3_600_000, mono_ms=-mono_ns() // 1_500_000, boot="00000003")
    with contextlib.closing(trio):
        never.write(file)
        trio.start("agent")
        _grows(trio)
        trio.kill("agent")

        late.write(file)
        trio.start("agent")
        _grows(trio)
        synchronised = FaultyClock(wall_ms=0, mono_ms=late.mono_ms, is_synchronised=True, boot=late.boot)
        events = _events(trio)
        synchronised.write(file)
        _grows(trio)
        wait_until(lambda: _events(trio) >= events + 2, 20, "it says that the time became known")
        stepped = FaultyClock(wall_ms=-2 * YEAR_MS, mono_ms=late.mono_ms, boot=late.boot)
        events = _events(trio)
        stepped.write(file)
        _grows(trio)
        wait_until(lambda: _events(trio) >= events + 1, 20, "it says that the clock stepped")
        trio.kill("agent")

        taught.write(file)
        trio.start("agent")
        _grows(trio)
        for name in ("broker", "collector"):
            trio.start(name)
        wait_until(lambda: "clock.set source=collector" in trio.log("agent"), 40, "it learns the time")
        _grows(trio)
        assert trio.stop("agent") == 0
        trio.start("agent")
        _grows(trio)
        wait_until(lambda: _is_all_stored(trio), 60, "all is stored")
        stored = trio.stored()
    _expect_true_times(stored, {"00000002": late.mono_ms, "00000003": taught.mono_ms})
    _expect_kept_and_marked(stored, "00000001")
    _expect_steps(stored)


def _expect_true_times(stored: list[Stored], shifts_ms: dict[str, int]) -> None:
    """Compared with what the real clocks of this machine say."""
    real_ms = time.time_ns() // 1_000_000 - mono_ns() // 1_000_000
    bases: Counter[str] = Counter()
    for s in stored:
        if s.clock.boot in shifts_ms:
            true_ms = s.clock.mono_ms - shifts_ms[s.clock.boot] + real_ms
            bases[f"{s.clock.boot} {s.time_basis}"] += 1
            assert s.time_basis in SETTLED
            assert abs(s.at_ms - true_ms) <= MAX_ROUND_TRIP_MS / 2
    print(f"\n{len(stored)} records, {dict(bases)}")
    assert bases[f"00000002 {TimeBasis.CORRECTED}"] >= _MADE_BEFORE - _UNCOMMITTED
    assert bases[f"00000002 {TimeBasis.DEVICE}"] >= 2 * (_MADE_BEFORE - _UNCOMMITTED)
    assert bases[f"00000003 {TimeBasis.CORRECTED}"] >= 1
    assert bases[f"00000003 {TimeBasis.DEVICE}"] >= _MADE_BEFORE - _UNCOMMITTED


def _expect_kept_and_marked(stored: list[Stored], boot: str) -> None:
    of_boot = [s for s in stored if s.clock.boot == boot]
    assert len(of_boot) >= _MADE_BEFORE - _UNCOMMITTED
    assert {s.time_basis for s in of_boot} == {TimeBasis.UNKNOWN}


def _expect_steps(stored: list[Stored]) -> None:
    events = [s.fields for s in stored if isinstance(s.fields, Event)]
    steps = [e.step_ms for e in events if e.event == "clock_step" and e.step_ms is not None]
    assert any(abs(step + 7 * YEAR_MS) < 60_000 for step in steps)
    assert any(abs(step + 2 * YEAR_MS) < 60_000 for step in steps)
    assert {"kernel", "collector"} <= {e.subject for e in events if e.event == "clock_set"}
