# SPDX-License-Identifier: Apache-2.0
"""How many bytes crossed the host's network interface, and how many packets were damaged or dropped?

How: the kernel's counters through psutil; by default only of the interface of the default route. Counters are
told as they are, since the host started; differences and restarts are the reader's business.

Costs no traffic and less than a millisecond.

Does not tell: what other hosts of the school send past this one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import psutil

from agent.contract.kinds import Interface
from agent.contract.option import option
from agent.contract.reason import Reason
from agent.echo.route import default_route
from agent.probes.base import Finding, ProbeFailed, ProbeOptions, Reading

_SOURCE = "host"


@dataclass(frozen=True, kw_only=True)
class InterfaceProbe(ProbeOptions):
    """Its fields are the table `[probes.interface]`."""

    kind: ClassVar[str] = "interface"

    every_s: float = option("seconds from one start to the next", 300.0, low=1, high=86400)
    interfaces: tuple[str, ...] = option("names of interfaces; empty for that of the default route", ())

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if "" in self.interfaces:
            raise ValueError("interfaces must not hold an empty name")
        if len(set(self.interfaces)) < len(self.interfaces):
            raise ValueError("interfaces must not repeat a name")

    async def measure(self) -> Reading:
        """Read the counters once."""
        names = self.interfaces or _of_default_route()
        try:
            counters = psutil.net_io_counters(pernic=True, nowrap=False)
            states = psutil.net_if_stats()
        except (OSError, psutil.Error) as e:
            raise ProbeFailed(Reason.INTERNAL, f"the counters cannot be read: {e}") from e
        return tuple(_finding(name, counters.get(name), states.get(name)) for name in names)


def _of_default_route() -> tuple[str, ...]:
    route = default_route()
    if route is None:
        raise ProbeFailed(Reason.NETWORK_DOWN, "there is no default route, so no interface to read")
    return (route.interface,)


def _finding(name: str, counters: Any, state: Any) -> Finding:
    if counters is None:
        problem = f"there is no interface {name!r}"
        return Finding(Interface(interface=name, source=_SOURCE), Reason.NOT_PRESENT, problem)
    return Finding(
        Interface(
            interface=name,
            source=_SOURCE,
            up=None if state is None else state.isup,
            # psutil says 0 where the driver does not say.
            speed_mbps=(state.speed or None) if state else None,
            mtu_bytes=(state.mtu or None) if state else None,
            rx_bytes=counters.bytes_recv,
            tx_bytes=counters.bytes_sent,
            rx_errors=counters.errin,
            tx_errors=counters.errout,
            rx_drops=counters.dropin,
            tx_drops=counters.dropout,
        )
    )
