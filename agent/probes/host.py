# SPDX-License-Identifier: Apache-2.0
"""How is the Raspberry Pi itself: load, heat, memory, disk, supply voltage, clock?

How: psutil, and the kernel's own files for what the Raspberry Pi's firmware knows. What the board does not
have is None. The fields `spool_*` and `wire_bytes_today` are left to the agent, which alone knows them.

Costs no traffic and a few milliseconds.

Does not tell: by how much the clock is wrong, nor whether the voltage was low between two records.
"""

from __future__ import annotations

import contextlib
import ctypes
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import psutil

from agent.contract.kinds import Host
from agent.contract.option import option
from agent.probes.base import Finding, ProbeOptions, Reading

T = TypeVar("T")

SYS = Path("/sys")

_CPU_SENSORS = ("cpu_thermal", "soc_thermal", "coretemp", "k10temp", "zenpower", "acpitz")
# Raspberry Pi documentation, `get_throttled`: capped, throttled, at the soft limit of heat; voltage low.
_SLOWED_NOW, _LOW_NOW = 0b1110, 0b0001
# adjtimex(2): the clock's state, and more room than any platform's struct timex needs.
_TIME_ERROR = 5
_TIMEX_BYTES = 512


class BusyShare:
    """Share of all cores that was busy since it was last asked for."""

    def __init__(self) -> None:
        self._last: tuple[float, float] | None = None

    def since_last(self) -> float | None:
        """None the first time."""
        now = known(_cpu_seconds)
        last, self._last = self._last, now
        if now is None or last is None:
            return None
        return _share(now[0] - last[0], now[1] - last[1])


@dataclass(frozen=True, kw_only=True)
class HostProbe(ProbeOptions):
    """Its fields are the table `[probes.host]`."""

    kind: ClassVar[str] = "host"

    every_s: float = option("seconds from one start to the next", 600.0, low=1, high=86400)
    disk: str = option(
        "folder whose file system is told about; where the spool lives", "/var/lib/schoolpulse"
    )
    cpu: BusyShare = field(default_factory=BusyShare, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not self.disk.startswith("/"):
            raise ValueError(f"disk {self.disk!r} must be an absolute path")

    async def measure(self) -> Reading:
        """Look once."""
        memory = known(psutil.virtual_memory)
        disk = known(lambda: psutil.disk_usage(str(_nearest_existing(Path(self.disk)))))
        return (
            Finding(
                Host(
                    uptime_s=int(time.clock_gettime(time.CLOCK_BOOTTIME)),
                    cpu_ratio=self.cpu.since_last(),
                    cpu_temperature_c=cpu_temperature_c(),
                    memory_ratio=_share(memory.total - memory.available, memory.total) if memory else None,
                    disk_free_bytes=disk.free if disk else None,
                    agent_rss_bytes=known(lambda: int(psutil.Process().memory_info().rss)),
                    undervoltage=undervoltage(),
                    throttled=throttled(),
                    clock_synchronised=clock_synchronised(),
                )
            ),
        )


def known(call: Callable[[], T]) -> T | None:
    """What the call says, None where this system does not."""
    try:
        return call()
    except (OSError, psutil.Error, AttributeError, NotImplementedError):
        return None


def cpu_temperature_c() -> float | None:
    """Temperature of the first sensor that is known to sit in a processor."""
    sensors = known(psutil.sensors_temperatures) or {}
    for name in _CPU_SENSORS:
        for reading in sensors.get(name, ()):
            if reading.current is not None:
                return round(float(reading.current), 1)
    return None


def undervoltage(sys: Path = SYS) -> bool | None:
    """The Raspberry Pi's supply alarm (kernel driver raspberrypi-hwmon, else `get_throttled`)."""
    for folder in sorted(sys.glob("class/hwmon/*")):
        if _text(folder / "name") == "rpi_volt":
            alarm = _text(folder / "in0_lcrit_alarm")
            return None if alarm is None else alarm != "0"
    bits = firmware_bits(sys)
    return None if bits is None else bool(bits & _LOW_NOW)


def firmware_bits(sys: Path = SYS) -> int | None:
    """What the firmware says by `get_throttled`; None where its kernel does not show that."""
    for file in sorted(sys.glob("devices/platform/soc*/soc*firmware/get_throttled")):
        with contextlib.suppress(TypeError, ValueError):
            return int(_text(file) or "", 16)
    return None


def throttled(sys: Path = SYS) -> bool | None:
    """Whether the firmware slows the processor now; None where its kernel does not show that."""
    bits = firmware_bits(sys)
    return None if bits is None else bool(bits & _SLOWED_NOW)


def clock_synchronised() -> bool | None:
    """Whether the kernel counts its clock as synchronised (adjtimex(2)); None where it may not be asked."""
    timex = ctypes.create_string_buffer(_TIMEX_BYTES)
    state = known(lambda: int(ctypes.CDLL(None).adjtimex(timex)))
    return None if state is None or state < 0 else state != _TIME_ERROR


def _cpu_seconds() -> tuple[float, float]:
    times: Any = psutil.cpu_times()
    idle_s = times.idle + getattr(times, "iowait", 0.0)
    # The kernel counts guests within user and nice (proc_stat(5)).
    total_s = sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0)
    return total_s - idle_s, total_s


def _share(part: float, whole: float) -> float | None:
    return round(min(1.0, max(0.0, part / whole)), 4) if whole > 0 else None


def _nearest_existing(path: Path) -> Path:
    return next((place for place in (path, *path.parents) if place.exists()), Path("/"))


def _text(path: Path) -> str | None:
    return known(lambda: path.read_text(encoding="ascii", errors="replace").strip())
