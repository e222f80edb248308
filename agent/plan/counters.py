# SPDX-License-Identifier: Apache-2.0
"""How many bytes crossed an interface between two looks at its counters?

Counters restart with the host and with the interface, and narrow ones wrap. What passed between the last look
and a restart is not known and not guessed; what the counter shows after it has passed for sure.
"""

from __future__ import annotations

import contextlib
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from agent.clock.system import mono_ns, read_boot
from agent.echo.route import default_route

SYS_NET = Path("/sys/class/net")
_WIDE, _NARROW = 2**64, 2**32
_FASTEST_BYTES_PER_MS = 125_000
"""1 Gbit/s: a narrow counter wraps in 34 s, so a longer pause than this cannot be told from several wraps."""
_LATE = 3 / 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Counters of one interface at one instant.

    Attributes:
        epoch: since when the one who counts is up; another text means that all its counters began at 0 anew.
        line: which interface of it; one that was made anew has another name here.
        rx_bytes: received, from the internet.
        tx_bytes: sent to it.
        mono_ms: when.
        wraps_at: they hold less than this.
    """

    epoch: str
    line: str
    rx_bytes: int
    tx_bytes: int
    mono_ms: int
    wraps_at: int = _WIDE

    @property
    def interface(self) -> str:
        """What stays of `line` when the interface is renamed, for its counters go on."""
        return self.line.rpartition("/")[2]

    def goes_on_as(self, later: Counted) -> bool:
        """Whether the later look is at the same counters."""
        return (self.epoch, self.interface) == (later.epoch, later.interface)

    @property
    def bytes(self) -> int:
        """Both ways."""
        return self.rx_bytes + self.tx_bytes


class Counters(Protocol):
    """Who counts what crosses the school's line: this host's interface, or its router's by SNMP."""

    def read(self) -> Counted | None:
        """Now; None when they cannot be read."""
        ...


def growth(before: Counted | None, now: Counted) -> tuple[int, int]:
    """Bytes received and sent since, at least.

    Args:
        before: None where the counter is known to have begun at 0 since.
        now: what it shows.
    """
    if before is None or not before.goes_on_as(now):
        return now.rx_bytes, now.tx_bytes
    elapsed_ms = now.mono_ms - before.mono_ms
    return (
        _passed(before.rx_bytes, now.rx_bytes, now.wraps_at, elapsed_ms),
        _passed(before.tx_bytes, now.tx_bytes, now.wraps_at, elapsed_ms),
    )


def _passed(before: int, now: int, wraps_at: int, elapsed_ms: int) -> int:
    if now >= before:
        return now - before
    wrapped = now + wraps_at - before
    is_wrap = before >= wraps_at * _LATE and wrapped <= elapsed_ms * _FASTEST_BYTES_PER_MS
    return wrapped if is_wrap else now


class HostCounters:
    """This host's own interface: all of the school's traffic only where it passes through this host."""

    def __init__(
        self, interface: str = "", *, sys_net: Path = SYS_NET, mono_ns: Callable[[], int] = mono_ns
    ) -> None:
        self._interface = interface
        self._sys_net = sys_net
        self._mono_ns = mono_ns
        self._boot = read_boot()

    def read(self) -> Counted | None:
        """Now; None without that interface, or without a default route where none is named."""
        name = self._interface or self._of_default_route()
        if name is None:
            return None
        folder = self._sys_net / name
        with contextlib.suppress(OSError, ValueError):
            index = int((folder / "ifindex").read_text())
            rx = int((folder / "statistics" / "rx_bytes").read_text())
            tx = int((folder / "statistics" / "tx_bytes").read_text())
            return Counted(
                epoch=self._boot,
                # An interface that is made anew has another index.
                line=f"{name}/{index}",
                rx_bytes=rx,
                tx_bytes=tx,
                mono_ms=self._mono_ns() // 1_000_000,
                wraps_at=_width(),
            )
        return None

    def _of_default_route(self) -> str | None:
        route = default_route()
        return None if route is None else route.interface


def _width() -> int:
    """The kernel counts in words of its own (`unsigned long` of struct net_device_stats)."""
    is_narrow = struct.calcsize("P") == 4 and not os.uname().machine.endswith("64")  # noqa: PLR2004 -- bytes
    return _NARROW if is_narrow else _WIDE
