# SPDX-License-Identifier: Apache-2.0
"""What do the host's own cable, route and receive counter say?"""

from __future__ import annotations

import socket
from pathlib import Path

from agent.echo import route
from agent.echo.address import Address
from agent.outage.evidence import Sight


class HostEvidence:
    """Looks into `/proc/net` and `/sys/class/net`; costs no packet.

    A Raspberry Pi with a cable sees only its own packets and the LAN's, so its counter proves nothing of the
    link. One that has the modem itself does.
    """

    def __init__(
        self, wan_interface: str = "", *, proc_net: Path = route.PROC_NET, sys_net: Path = route.SYS_NET
    ) -> None:
        self._wan_interface = wan_interface
        self._proc_net = proc_net
        self._sys_net = sys_net
        self._interface: str | None = None
        self.gateway: str | None = None

    def look(self) -> Sight:
        """Look once."""
        default = route.default_route(self._proc_net)
        if default is not None:
            self._interface = default.interface
            self.gateway = None if default.gateway is None else written(default.gateway)
        carrier = None if self._interface is None else route.has_carrier(self._interface, self._sys_net)
        return Sight(carrier=carrier, route=default is not None, received=self._received())

    def _received(self) -> int | None:
        if not self._wan_interface:
            return None
        try:
            return int((self._sys_net / self._wan_interface / "statistics/rx_packets").read_text())
        except (OSError, ValueError):
            return None


def written(address: Address) -> str:
    """An address as text that can be read again."""
    return f"{address.host}%{socket.if_indextoname(address.scope)}" if address.scope else address.host
