# SPDX-License-Identifier: Apache-2.0
"""What do the cellular modems on this device's own ports hear, and are they on a network?

How: AT commands that only ask (`firmware_bridge/protocols/at_commands.py`), or ModemManager where it has the
port. Each modem is asked in a thread of its own with its own deadline; one that hangs costs only itself.

Costs no bytes of the link, a second or two of a serial port and some milliseconds of the processor.

Does not tell: what a modem inside a router hears (see `router`), nor anything of the SIM but whether it is
there.
"""

from __future__ import annotations

import asyncio
import functools
import re
from dataclasses import dataclass, field
from typing import ClassVar

from agent.asking import Asking, check_times, finding_of
from agent.contract.devices import Modem
from agent.contract.option import option
from agent.contract.reason import Reason
from agent.outage.board import Board
from agent.probes.base import Finding, ProbeFailed, ProbeOptions, Reading
from firmware_bridge import modem

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")


@dataclass(frozen=True, kw_only=True)
class ModemProbe(ProbeOptions):
    """Its fields are the table `[probes.modem]`."""

    kind: ClassVar[str] = "modem"

    enabled: bool = option("whether the probe runs", False)
    every_s: float = option("seconds from one start to the next", 60.0, low=5, high=86400)
    deadline_s: float = option(
        "a round that takes longer is stopped and recorded as `overran`", 45.0, low=1, high=86400
    )
    ports: tuple[str, ...] = option(
        "modems as `name=path`, the path best one below /dev/serial/by-id or by-path; the name is told, "
        "the path is not",
        (),
        example=("lte=/dev/serial/by-id/usb-Quectel_EG25-G-if02-port0",),
    )
    device_s: float = option("longest that one modem may take", 30.0, low=1, high=600)
    board: Board = field(default_factory=Board, init=False, repr=False, compare=False)
    asking: Asking = field(default_factory=Asking, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        names = [_named(port)[0] for port in self.ports]
        if len(set(names)) < len(names):
            raise ValueError("ports must not repeat a name")
        if self.enabled and not self.ports:
            raise ValueError("ports must name at least one modem, as `lte=/dev/serial/by-id/…`")
        check_times(self.device_s, self.deadline_s)

    async def measure(self) -> Reading:
        """Ask each modem once, all at the same time."""
        if not self.ports:
            raise ProbeFailed(Reason.NO_TARGET, "no modem is named in ports")
        return tuple(await asyncio.gather(*(self._ask(*_named(port)) for port in self.ports)))

    async def _ask(self, name: str, path: str) -> Finding:
        return await finding_of(
            self.asking,
            self.board,
            name,
            functools.partial(modem.read, path, name, within_s=self.device_s),
            within_s=self.device_s,
            unknown=functools.partial(Modem, port=name),
            hidden=path,
            absent=("modem_absent",),
        )


def _named(port: str) -> tuple[str, str]:
    name, parted, path = port.partition("=")
    if not parted or not _NAME.fullmatch(name) or not path.startswith("/dev/"):
        raise ValueError(
            f"{port!r} in ports is not `name=path` with a name of a-z, 0-9, - and _ and a path below /dev"
        )
    return name, path
