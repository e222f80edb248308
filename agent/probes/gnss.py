# SPDX-License-Identifier: Apache-2.0
"""What time is it by the satellites, and is the receiver where it was?

How: a GNSS receiver at a serial port is listened to (NMEA 0183), never written to. Where it is first seen is
kept in a file on this device (`home_folder`) and compared with where it is; take the file away after moving
it on purpose. Each receiver is heard in a thread of its own; one that hangs costs only itself.

Costs no bytes of the link, a few seconds of a port and some milliseconds of the processor.

Does not tell: any position. The clock's offset includes what the receiver and the port took, some tenths of a
second at 9600 baud.
"""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from agent.asking import Asking, check_times, finding_of, named_devices
from agent.contract.devices import Gnss
from agent.contract.option import option
from agent.contract.reason import Reason
from agent.outage.board import Board
from agent.probes.base import Finding, ProbeFailed, ProbeOptions, Reading
from firmware_bridge import gnss
from firmware_bridge.address import Address
from firmware_bridge.home import Home

_SCHEMES = frozenset({"nmea"})


@dataclass(frozen=True, kw_only=True)
class GnssProbe(ProbeOptions):
    """Its fields are the table `[probes.gnss]`."""

    kind: ClassVar[str] = "gnss"

    enabled: bool = option("whether the probe runs", False)
    every_s: float = option("seconds from one start to the next", 600.0, low=5, high=86400)
    deadline_s: float = option(
        "a round that takes longer is stopped and recorded as `overran`", 30.0, low=1, high=86400
    )
    receivers: tuple[str, ...] = option(
        "receivers as `name=nmea:/dev/…`; the name is told, the path is not",
        (),
        example=("gps=nmea:/dev/serial/by-id/usb-u-blox_AG_u-blox_7-if00",),
    )
    baud: int = option("speed of their ports; any for USB", 9600, low=1200, high=921_600)
    device_s: float = option("longest that one receiver is listened to", 10.0, low=1, high=600)
    moved_m: float = option("further from where it was first seen counts as moved", 200.0, low=50, high=1e6)
    home_folder: str = option(
        "folder of the files that say where each was first seen; empty: nobody wants to know",
        "/var/lib/schoolpulse/gnss",
    )
    board: Board = field(default_factory=Board, init=False, repr=False, compare=False)
    asking: Asking = field(default_factory=Asking, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        named = named_devices("receivers", self.receivers, _SCHEMES, needed=self.enabled)
        if any(not address.path for _, address in named):
            raise ValueError("receivers are listened to at a port, as `gps=nmea:/dev/…`")
        check_times(self.device_s, self.deadline_s)
        if self.home_folder and not self.home_folder.startswith("/"):
            raise ValueError(f"home_folder {self.home_folder!r} must be an absolute path")

    async def measure(self) -> Reading:
        """Listen to each receiver once, all at the same time."""
        named = named_devices("receivers", self.receivers, _SCHEMES, needed=False)
        if not named:
            raise ProbeFailed(Reason.NO_TARGET, "no receiver is named in receivers")
        return tuple(await asyncio.gather(*(self._hear(name, address) for name, address in named)))

    async def _hear(self, name: str, address: Address) -> Finding:
        home = Home(Path(self.home_folder, f"{name}.json"), self.moved_m) if self.home_folder else None
        read = functools.partial(
            gnss.read, address.path, name, within_s=self.device_s, baud=self.baud, home=home
        )
        return await finding_of(
            self.asking,
            self.board,
            name,
            read,
            within_s=self.device_s,
            unknown=functools.partial(Gnss, receiver=name),
            hidden=address.path,
        )
