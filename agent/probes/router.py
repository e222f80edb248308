# SPDX-License-Identifier: Apache-2.0
"""What do the school's router, radio, access points and satellite terminal say of themselves and of the line?

How: SNMP questions that only read (`firmware_bridge/drivers/*_snmp.py`), with version 3 where the device can.
Makes a record `router` of each device, `interface` of its way out and of those named here, `modem` for a
modem inside it, `satellite` for a terminal. Each device is asked in a thread of its own with its own
deadline; one that hangs costs only itself.

Costs no bytes of the link, some ten packets a device and round on the school's own network, and some
milliseconds of the processor for each interface.

Does not tell: who the clients are, only how many; nor of networks in the air more than the community's bytes.
"""

from __future__ import annotations

import asyncio
import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from agent.asking import Asking, check_times, findings_of
from agent.contract.devices import Router
from agent.contract.kinds import Fields, Interface
from agent.contract.option import option
from agent.contract.reason import Reason
from agent.outage.board import Board
from agent.probes.base import Finding, ProbeFailed, ProbeOptions, Reading
from firmware_bridge import router
from firmware_bridge.drivers.snmp_tables import Wish
from firmware_bridge.links.snmp_access import SnmpAccess, load_access

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_ALL = "*"
_REQUEST_S = 4.0
"""What a request that was begun before the deadline may take beyond it."""


@dataclass(frozen=True, kw_only=True)
class RouterProbe(ProbeOptions):
    """Its fields are the table `[probes.router]`."""

    kind: ClassVar[str] = "router"

    enabled: bool = option("whether the probe runs", False)
    every_s: float = option("seconds from one start to the next", 60.0, low=5, high=86400)
    deadline_s: float = option(
        "a round that takes longer is stopped and recorded as `overran`", 35.0, low=1, high=86400
    )
    routers: tuple[str, ...] = option(
        "devices as `name=address`, `:port` behind it where it is not 161; the name is told, the address not",
        (),
        example=("main=192.168.1.1", "ap=192.168.1.20"),
    )
    access_file: str = option(
        "file with SNMP version, name and secrets, see `firmware_bridge/links/snmp_access.py`; empty for "
        "version 2c and the community `public`",
        "",
    )
    wan: tuple[str, ...] = option(
        "interfaces towards the operator as `name=interface`; of other devices that of the default route",
        (),
        example=("main=ether1",),
    )
    interfaces: tuple[str, ...] = option(
        "names of further interfaces whose counters are told; `*` for all", (), example=("*",)
    )
    community_network: str = option(
        "name of the wireless network for the community, whose bytes are told; empty for none", ""
    )
    device_s: float = option("longest that one device may take", 25.0, low=5, high=600)
    board: Board = field(default_factory=Board, init=False, repr=False, compare=False)
    asking: Asking = field(default_factory=Asking, init=False, repr=False, compare=False)
    known: dict[str, router.Router] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        named = [_named(text) for text in self.routers]
        if len(dict(named)) < len(named):
            raise ValueError("routers must not repeat a name")
        if self.enabled and not named:
            raise ValueError("routers must name at least one device, as `main=192.168.1.1`")
        for text in self.wan:
            name, parted, interface = text.partition("=")
            if not parted or not interface or name not in dict(named):
                raise ValueError(f"{text!r} in wan is not `name=interface` with a name of routers")
        check_times(self.device_s, self.deadline_s)

    async def measure(self) -> Reading:
        """Ask each device once, all at the same time."""
        if not self.routers:
            raise ProbeFailed(Reason.NO_TARGET, "no device is named in routers")
        self._make_known()
        found = await asyncio.gather(*(self._ask(name) for name in self.known))
        return tuple(finding for findings in found for finding in findings)

    def close(self) -> None:
        """Leave no socket open; only once nothing is being asked."""
        for each in self.known.values():
            each.close()
        self.known.clear()

    def _make_known(self) -> None:
        if self.known:
            return
        try:
            access = load_access(Path(self.access_file)) if self.access_file else {"": SnmpAccess()}
        except ValueError as e:
            raise ProbeFailed(Reason.NOT_PERMITTED, str(e)) from e
        ways = dict(text.split("=", 1) for text in self.wan)
        for name, host in map(_named, self.routers):
            wish = Wish(wan=ways.get(name), community=self.community_network or None)
            self.known[name] = router.Router(host, access.get(name, access[""]), name, wish=wish)

    async def _ask(self, name: str) -> Sequence[Finding]:
        within_s = self.device_s - _REQUEST_S
        found = await findings_of(
            self.asking,
            self.board,
            name,
            functools.partial(self.known[name].read, within_s=within_s),
            within_s=self.device_s,
            unknown=functools.partial(Router, router=name),
        )
        way = next((f.fields.wan_interface for f in found if isinstance(f.fields, Router)), None)
        told = {f"{name}/{line}" for line in (way, *self.interfaces)}
        return [finding for finding in found if self._is_told(finding.fields, told)]

    def _is_told(self, fields: Fields, told: set[str]) -> bool:
        return not isinstance(fields, Interface) or _ALL in self.interfaces or fields.interface in told


def _named(text: str) -> tuple[str, str]:
    name, parted, host = text.partition("=")
    if not parted or not _NAME.fullmatch(name):
        raise ValueError(f"{text!r} in routers is not `name=address` with a name of a-z, 0-9, - and _")
    router.address_of(host)
    return name, host
