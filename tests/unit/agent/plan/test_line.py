# SPDX-License-Identifier: Apache-2.0
"""Is the line's use what its counters say, and is a quiet one not taken for a busy one?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from agent.plan.counters import Counted
from agent.plan.line import is_quiet, used_bps

AT_FIRST = Counted(epoch="a", line="eth0/2", rx_bytes=1000, tx_bytes=9000, mono_ms=50)


class Line:
    """Counters that show one thing after the other, and a clock that only sleeping moves."""

    def __init__(self, shown: Sequence[Counted | None]) -> None:
        self.shown, self.slept_s = list(shown), 0.0

    def read(self) -> Counted | None:
        """The next; the last for ever."""
        return self.shown.pop(0) if len(self.shown) > 1 else self.shown[0]

    async def sleep(self, seconds: float) -> None:
        """Note it."""
        self.slept_s += seconds


def _later(seconds: float, *, rx: int = 0, tx: int = 0, before: Counted = AT_FIRST) -> Counted:
    return replace(
        before,
        rx_bytes=before.rx_bytes + rx,
        tx_bytes=before.tx_bytes + tx,
        mono_ms=before.mono_ms + round(seconds * 1000),
    )


@pytest.mark.parametrize(("rx", "tx"), [(25_000, 0), (0, 25_000), (25_000, 24_000)])
async def test_the_busier_way_is_told_in_bits_per_second_of_the_time_that_really_passed(
    rx: int, tx: int
) -> None:
    line = Line([AT_FIRST, _later(4, rx=rx, tx=tx)])
    assert await used_bps(line, line.sleep, 3) == 50_000
    assert line.slept_s == 3


@pytest.mark.parametrize(
    "shown",
    [
        [None, AT_FIRST],
        [AT_FIRST, None],
        [AT_FIRST, replace(_later(3), line="eth0/3")],
        [AT_FIRST, replace(_later(3), epoch="b")],
    ],
)
async def test_counters_that_cannot_be_compared_say_nothing(shown: list[Counted | None]) -> None:
    line = Line(shown)
    assert await is_quiet(line, line.sleep, busy_bps=1, look_s=3, wait_s=30) is None
    assert line.slept_s == 3


async def test_two_looks_at_the_same_moment_are_no_infinite_rate() -> None:
    line = Line([AT_FIRST, _later(0, rx=1)])
    assert await used_bps(line, line.sleep, 0) == 8000


async def test_as_much_as_is_allowed_is_quiet_and_a_bit_more_is_not() -> None:
    for rx, quiet in ((12_500, True), (12_501, False)):
        line = Line([AT_FIRST, _later(1, rx=rx)])
        assert await is_quiet(line, line.sleep, busy_bps=100_000, look_s=1, wait_s=0) is quiet


async def test_a_busy_line_is_waited_for_as_long_as_was_said() -> None:
    shown = [AT_FIRST, *(_later(n, rx=n * 100_000) for n in range(1, 100))]
    line = Line([one for one in shown for _ in range(2)][1:])
    assert await is_quiet(line, line.sleep, busy_bps=100_000, look_s=1, wait_s=20) is False
    assert line.slept_s == 20
