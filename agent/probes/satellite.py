# SPDX-License-Identifier: Apache-2.0
"""What do satellite terminals see of the sky and of their network, by their own word?

How: a Starlink terminal is asked by its own gRPC service in the school's network; two requests that only ask.
Each terminal is asked in a thread of its own with its own deadline; one that hangs costs only itself.
Experimental: not yet seen on hardware.

Costs no bytes of the link, some tens of kilobytes in the school's own network and some milliseconds of the
processor. Behind another router that needs a route to 192.168.100.1.

Does not tell: how the link is behind the terminal (see `latency`, `reach`), nor where the terminal is.
"""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass, field
from typing import ClassVar

from agent.asking import Asking, check_times, finding_of, named_devices
from agent.contract.devices import Satellite
from agent.contract.option import option
from agent.contract.reason import Reason
from agent.outage.board import Board
from agent.probes.base import Finding, ProbeFailed, ProbeOptions, Reading
from firmware_bridge import satellite
from firmware_bridge.address import Address


@dataclass(frozen=True, kw_only=True)
class SatelliteProbe(ProbeOptions):
    """Its fields are the table `[probes.satellite]`."""

    kind: ClassVar[str] = "satellite"

    enabled: bool = option("whether the probe runs; experimental, not yet seen on hardware", False)
    every_s: float = option("seconds from one start to the next", 60.0, low=5, high=86400)
    deadline_s: float = option(
        "a round that takes longer is stopped and recorded as `overran`", 30.0, low=1, high=86400
    )
    dishes: tuple[str, ...] = option(
        "terminals as `name=starlink://host`; the name is told, the address is not",
        (),
        example=("dish=starlink://192.168.100.1",),
    )
    device_s: float = option("longest that one terminal may take", 10.0, low=1, high=600)
    board: Board = field(default_factory=Board, init=False, repr=False, compare=False)
    asking: Asking = field(default_factory=Asking, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        named_devices("dishes", self.dishes, satellite.SCHEMES, needed=self.enabled)
        check_times(self.device_s, self.deadline_s)

    async def measure(self) -> Reading:
        """Ask each terminal once, all at the same time."""
        named = named_devices("dishes", self.dishes, satellite.SCHEMES, needed=False)
        if not named:
            raise ProbeFailed(Reason.NO_TARGET, "no terminal is named in dishes")
        return tuple(await asyncio.gather(*(self._ask(name, address) for name, address in named)))

    async def _ask(self, name: str, address: Address) -> Finding:
        return await finding_of(
            self.asking,
            self.board,
            name,
            functools.partial(satellite.read, address, name, within_s=self.device_s),
            within_s=self.device_s,
            unknown=functools.partial(Satellite, dish=name),
            hidden=address.path,
        )
