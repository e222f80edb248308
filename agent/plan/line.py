# SPDX-License-Identifier: Apache-2.0
"""Do others use the line now, and when do they stop?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from agent.plan.counters import Counters, growth

Sleep = Callable[[float], Awaitable[None]]


async def is_quiet(
    counters: Counters, sleep: Sleep, *, busy_bps: float, look_s: float, wait_s: float
) -> bool | None:
    """Wait until it is, `wait_s` at most; False when it never was, None when no counter says.

    What this agent itself sends meanwhile counts as use too: `busy_bps` has to be well above it.
    """
    waited_s = 0.0
    while True:
        bps = await used_bps(counters, sleep, look_s)
        if bps is None or bps <= busy_bps:
            return None if bps is None else True
        waited_s += look_s
        if waited_s >= wait_s:
            return False


async def used_bps(counters: Counters, sleep: Sleep, look_s: float) -> float | None:
    """Bits per second the line carried for so long, the busier way; None when that is not known."""
    before = counters.read()
    await sleep(look_s)
    now = counters.read()
    if before is None or now is None or not before.goes_on_as(now):
        return None
    return max(growth(before, now)) * 8000 / max(1, now.mono_ms - before.mono_ms)
