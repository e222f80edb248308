# SPDX-License-Identifier: Apache-2.0
"""Whatever happens to the clock: are durations right, and is every time that counts as known true?"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from agent.clock.offset import MAX_ROUND_TRIP_MS
from tests.unit.agent.clock.machine import YEAR_MS, Machine

EXAMPLES = int(os.environ.get("SCHOOLPULSE_TEST_HISTORIES", "60"))
_wrong = st.sampled_from([0, -56 * YEAR_MS, 7 * YEAR_MS, -5000, 5000]) | st.integers(
    -60 * YEAR_MS, 60 * YEAR_MS
)
_shown = {"moments": 0, "known": 0}


class Histories(RuleBasedStateMachine):
    """One device over any number of boots."""

    @initialize(wrong_ms=_wrong)
    def _first_boot(self, wrong_ms: int) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.machine = Machine(Path(self.directory.name) / "clock", wrong_ms=wrong_ms)
        self.clock = self.machine.start()
        self.sure_ms = -(2**60)
        self.before = self.machine.mono_ms, self.clock.now()

    @rule(ms=st.integers(0, 40 * 60_000))
    def passes(self, ms: int) -> None:
        self.machine.true_ms += ms
        state = self.clock.now()
        assert state.mono_ms - self.before[1].mono_ms == self.machine.mono_ms - self.before[0]
        self.before = self.machine.mono_ms, state

    @rule(by_ms=_wrong)
    def somebody_sets_the_clock(self, by_ms: int) -> None:
        self.machine.set_wall(by_ms)

    @rule()
    def time_service_comes(self) -> None:
        self.machine.synchronise()
        self.clock.now()

    @rule()
    def time_service_goes(self) -> None:
        self.machine.is_synchronised = False

    @rule(there_ms=st.integers(0, 30_000), back_ms=st.integers(0, 30_000))
    def collector_answers(self, there_ms: int, back_ms: int) -> None:
        self.machine.ask(self.clock, there_ms, back_ms)

    @rule()
    def saves(self) -> None:
        self.clock.save(at_once=True)
        if self.clock.now().age_s is not None:
            self.sure_ms = max(self.sure_ms, self.machine.true_ms)

    @rule()
    def agent_starts_again(self) -> None:
        self.clock = self.machine.start()
        self.before = self.machine.mono_ms, self.clock.now()

    @rule(off_ms=st.integers(0, YEAR_MS), wrong_ms=_wrong)
    def power_is_cut(self, off_ms: int, wrong_ms: int) -> None:
        self.clock = self.machine.boot(off_ms, wrong_ms)
        self.before = self.machine.mono_ms, self.clock.now()

    @precondition(lambda self: hasattr(self, "machine"))
    @invariant()
    def what_counts_as_known_is_true(self) -> None:
        state = self.clock.now()
        _shown["moments"] += 1
        if state.age_s is not None:
            _shown["known"] += 1
            error_ms = abs(state.wall_ms - self.machine.true_ms)
            assert error_ms <= MAX_ROUND_TRIP_MS / 2 + 2
        else:
            assert state.wall_ms >= self.sure_ms - MAX_ROUND_TRIP_MS

    def teardown(self) -> None:
        if hasattr(self, "directory"):
            self.directory.cleanup()


def test_any_history_of_steps_and_boots() -> None:
    from hypothesis.stateful import run_state_machine_as_test  # noqa: PLC0415

    run_state_machine_as_test(
        Histories, settings=settings(max_examples=EXAMPLES, stateful_step_count=40, deadline=None)
    )
    print(f"\n{_shown['moments']} moments looked at, {_shown['known']} of them with a known time")
    assert _shown["known"] > 0
