# SPDX-License-Identifier: Apache-2.0
"""Which probes exist? One line each; a probe's module is imported only when it is used."""

from __future__ import annotations

import importlib
from typing import cast

from agent.contract.decoder import nearest
from agent.probes.base import Probe

PROBES: dict[str, str] = {
    "reach": "agent.probes.reach:ReachProbe",
    "latency": "agent.probes.latency:LatencyProbe",
    "dns": "agent.probes.dns:DnsProbe",
    "interface": "agent.probes.interface:InterfaceProbe",
    "host": "agent.probes.host:HostProbe",
    "http": "agent.probes.http:HttpProbe",
    "portal": "agent.probes.portal:PortalProbe",
    "path": "agent.probes.path:PathProbe",
    "ipv6": "agent.probes.ipv6:Ipv6Probe",
    "capacity": "agent.probes.capacity:CapacityProbe",
    "tcp": "agent.probes.tcp:TcpProbe",
    "ndt7": "agent.probes.ndt7:Ndt7Probe",
    "iperf3": "agent.probes.iperf3:Iperf3Probe",
    "speedtest": "agent.probes.speedtest:SpeedtestProbe",
    "modem": "agent.probes.modem:ModemProbe",
    "router": "agent.probes.router:RouterProbe",
    "satellite": "agent.probes.satellite:SatelliteProbe",
    "power": "agent.probes.power:PowerProbe",
    "gnss": "agent.probes.gnss:GnssProbe",
}


def load(kind: str) -> type[Probe]:
    """The class of one kind of probe.

    Raises:
        ValueError: no such kind.
    """
    if kind not in PROBES:
        raise ValueError(f"{kind!r} is not a known probe" + nearest(kind, PROBES))
    module, _, name = PROBES[kind].partition(":")
    return cast("type[Probe]", getattr(importlib.import_module(module), name))
