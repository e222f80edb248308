# SPDX-License-Identifier: Apache-2.0
"""What do the machine's own clocks show? The only caller of them for records.

The wall clock counts as good while the kernel says it is disciplined (`adjtimex(2)`, STA_UNSYNC clear);
whoever sets it by hand makes the kernel forget that. Durations come from CLOCK_BOOTTIME, which no one can set
and which runs on while the machine sleeps.
"""

from __future__ import annotations

import ctypes
import os
import time
from dataclasses import dataclass
from pathlib import Path

_TIME_ERROR = 5
_TIMEX_BYTES = 208
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TRIES = 5
_SAME_INSTANT_NS = 5_000_000


@dataclass(frozen=True, slots=True)
class Shown:
    """Both clocks at the same instant, and whether the kernel vouches for the wall clock."""

    mono_ms: int
    wall_ms: int
    is_synchronised: bool


def read() -> Shown:
    """Look at both clocks; again where the program was interrupted between the two looks."""
    before_ns, wall_ns, after_ns = 0, 0, 0
    for _ in range(_TRIES):
        before_ns, wall_ns, after_ns = mono_ns(), time.time_ns(), mono_ns()
        if after_ns - before_ns < _SAME_INSTANT_NS:
            break
    mono_ms = (before_ns + after_ns) // 2_000_000
    return Shown(mono_ms, wall_ns // 1_000_000, is_synchronised())


def mono_ns() -> int:
    """Nanoseconds of the clock that no one can set."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


def is_synchronised() -> bool:
    """Whether the kernel's clock is disciplined by a time service."""
    buffer = ctypes.create_string_buffer(_TIMEX_BYTES)
    state: int = _libc.adjtimex(buffer)
    return 0 <= state < _TIME_ERROR


def read_boot() -> str:
    """First eight digits of the kernel's boot id; random where there is none: boots never look alike."""
    try:
        return _BOOT_ID.read_text().replace("-", "")[:8]
    except OSError:
        return os.urandom(4).hex()


_libc = ctypes.CDLL(None, use_errno=True)
