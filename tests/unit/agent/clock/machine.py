# SPDX-License-Identifier: Apache-2.0
"""A machine without a clock of its own, whose true time only the test knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from agent.clock import system
from agent.clock.clock import Clock

TRUE_START_MS = 1_795_000_000_000
YEAR_MS = 31_557_600_000


@dataclass
class Machine:
    """True time, by how much the wall clock is wrong, and the boot; `start` starts an agent."""

    path: Path
    true_ms: int = TRUE_START_MS
    booted_ms: int = TRUE_START_MS - 20_000
    wrong_ms: int = -50 * YEAR_MS
    is_synchronised: bool = False
    boots: int = 0

    @property
    def mono_ms(self) -> int:
        """Since the boot."""
        return self.true_ms - self.booted_ms

    def shown(self) -> system.Shown:
        """What its clocks show."""
        return system.Shown(self.mono_ms, self.true_ms + self.wrong_ms, self.is_synchronised)

    def start(self) -> Clock:
        """The agent starts."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(system, "read_boot", lambda: f"{self.boots:08x}")
            return Clock(self.path, self.shown)

    def boot(self, off_ms: int, wrong_ms: int) -> Clock:
        """Power comes back after a while, and the wall clock shows anything."""
        self.true_ms += off_ms
        self.booted_ms = self.true_ms
        self.true_ms += 15_000
        self.boots += 1
        self.wrong_ms, self.is_synchronised = wrong_ms, False
        return self.start()

    def synchronise(self) -> None:
        """A time service sets the clock."""
        self.wrong_ms, self.is_synchronised = 0, True

    def set_wall(self, by_ms: int) -> None:
        """Somebody sets it; the kernel then no longer vouches for it."""
        self.wrong_ms += by_ms
        self.is_synchronised = False

    def ask(self, clock: Clock, there_ms: int, back_ms: int) -> None:
        """The collector's acknowledgement comes, with its time."""
        asked_ms = self.mono_ms
        wall_ms = self.true_ms + there_ms
        self.true_ms += there_ms + back_ms
        clock.learn(wall_ms, asked_ms, self.mono_ms)
