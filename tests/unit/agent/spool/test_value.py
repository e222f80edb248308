# SPDX-License-Identifier: Apache-2.0
"""How old is a record, exactly when some clock tells?"""

from __future__ import annotations

import pytest

from agent.contract.record import ClockState
from agent.spool.value import age_days

DAY_MS = 86_400_000
YEAR_MS = 365 * DAY_MS
NOW = ClockState(wall_ms=1_795_000_000_000, mono_ms=5 * DAY_MS, boot="00000002", age_s=30)


@pytest.mark.parametrize(
    ("wall_ms", "mono_ms", "boot", "age_s", "days"),
    [
        (0, 2 * DAY_MS, "00000002", None, 3),
        (NOW.wall_ms + YEAR_MS, 5 * DAY_MS, "00000002", 0, 0),
        (NOW.wall_ms - 7 * DAY_MS, 9 * DAY_MS, "00000001", 60, 7),
        (NOW.wall_ms + YEAR_MS, 9 * DAY_MS, "00000001", 60, 0),
        (NOW.wall_ms - 7 * DAY_MS, 9 * DAY_MS, "00000001", None, None),
    ],
)
def test_age_is_told_by_the_boot_or_by_two_good_clocks(
    wall_ms: int, mono_ms: int, boot: str, age_s: int | None, days: float | None
) -> None:
    then = ClockState(wall_ms=wall_ms, mono_ms=mono_ms, boot=boot, age_s=age_s)
    assert age_days(then, NOW) == days
