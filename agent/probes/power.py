# SPDX-License-Identifier: Apache-2.0
"""Is there mains, sun, and charge in the battery, by the chargers, battery monitors and UPSes themselves?

How: Victron devices are listened to at a serial port (VE.Direct), never written to; UPSes are asked through
Network UPS Tools or apcupsd, on this device or beside it. Each device is asked in a thread of its own with
its own deadline; one that hangs costs only itself.

Costs no bytes of the link, a few seconds of a port and some milliseconds of the processor.

Does not tell: what the Raspberry Pi's own supply is like (see `host`), nor what happened between two records.
"""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass, field
from typing import ClassVar

from agent.asking import Asking, check_times, finding_of, named_devices
from agent.contract.devices import Power
from agent.contract.option import option
from agent.contract.reason import Reason
from agent.outage.board import Board
from agent.probes.base import Finding, ProbeFailed, ProbeOptions, Reading
from firmware_bridge import power
from firmware_bridge.address import Address
from firmware_bridge.reading import DeviceReading


@dataclass(frozen=True, kw_only=True)
class PowerProbe(ProbeOptions):
    """Its fields are the table `[probes.power]`."""

    kind: ClassVar[str] = "power"

    enabled: bool = option("whether the probe runs", False)
    every_s: float = option("seconds from one start to the next", 60.0, low=5, high=86400)
    deadline_s: float = option(
        "a round that takes longer is stopped and recorded as `overran`", 30.0, low=1, high=86400
    )
    controllers: tuple[str, ...] = option(
        "devices as `name=address`: `vedirect:/dev/…`, `nut://host/ups` or `apcupsd://host`; the name is "
        "told, the address is not",
        (),
        example=(
            "solar=vedirect:/dev/serial/by-id/usb-VictronEnergy_cable-if00-port0",
            "ups=nut://127.0.0.1/ups",
        ),
    )
    device_s: float = option("longest that one device may take", 10.0, low=1, high=600)
    board: Board = field(default_factory=Board, init=False, repr=False, compare=False)
    used: set[str] = field(default_factory=set, init=False, repr=False, compare=False)
    asking: Asking = field(default_factory=Asking, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        named_devices("controllers", self.controllers, power.SCHEMES, needed=self.enabled)
        check_times(self.device_s, self.deadline_s)

    async def measure(self) -> Reading:
        """Ask each device once, all at the same time."""
        named = named_devices("controllers", self.controllers, power.SCHEMES, needed=False)
        if not named:
            raise ProbeFailed(Reason.NO_TARGET, "no device is named in controllers")
        return tuple(await asyncio.gather(*(self._ask(name, address) for name, address in named)))

    async def _ask(self, name: str, address: Address) -> Finding:
        return await finding_of(
            self.asking,
            self.board,
            name,
            functools.partial(self._read, name, address),
            within_s=self.device_s,
            unknown=functools.partial(Power, controller=name),
            hidden=address.path,
        )

    def _read(self, name: str, address: Address) -> DeviceReading:
        """An output that was never seen on is one that nobody uses: that it is off means nothing."""
        told = power.read(address, name, within_s=self.device_s)
        if any(isinstance(fields, Power) and fields.load_on for fields in told.fields):
            self.used.add(name)
        return told if name in self.used else power.without_load_off(told)
