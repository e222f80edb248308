# SPDX-License-Identifier: Apache-2.0
"""What time is it here, and how far can that be trusted? The only caller of the system's clocks for records.

A Raspberry Pi has no battery-backed clock. The wall clock counts as good while the kernel says it is
disciplined (`adjtimex(2)`, STA_UNSYNC clear); durations come from CLOCK_BOOTTIME, which no one can set.
"""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path

from agent.contract.record import ClockState

_TIME_ERROR = 5
_TIMEX_BYTES = 208
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Clock:
    """Both clocks, the boot they belong to and how long ago the wall clock was last known good."""

    def __init__(self) -> None:
        self._boot = _read_boot()
        self._last_good_ms: int | None = None

    def now(self) -> ClockState:
        """Both clocks at this instant."""
        mono_ms = mono_ns() // 1_000_000
        if is_synchronised():
            self._last_good_ms = mono_ms
        last_good_ms = self._last_good_ms
        age_s = None if last_good_ms is None else (mono_ms - last_good_ms) // 1000
        wall_ms = time.time_ns() // 1_000_000
        return ClockState(wall_ms=wall_ms, mono_ms=mono_ms, boot=self._boot, age_s=age_s)


def mono_ns() -> int:
    """Nanoseconds of the clock that no one can set; it runs on while the machine sleeps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def is_synchronised() -> bool:
    """Whether the kernel's clock is disciplined by a time service."""
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
    state: int = _libc.adjtimex(buffer)
    return 0 <= state < _TIME_ERROR


def _read_boot() -> str:
    """First eight digits of the kernel's boot id; random where there is none: boots never look alike."""
    try:
        return _BOOT_ID.read_text().replace("-", "")[:8]
    except OSError:
        return os.urandom(4).hex()


_libc = ctypes.CDLL(None, use_errno=True)
