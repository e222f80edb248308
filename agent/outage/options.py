# SPDX-License-Identifier: Apache-2.0
"""What may be set in agent.toml for watching outages?"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from agent.contract.option import option
from agent.echo import address
from agent.echo.message import is_host_name
from agent.outage.plan import PLANS, Plan, Profile


@dataclass(frozen=True, kw_only=True)
class OutageOptions:
    """The table `[outage]`: what is asked, and how often, to date outages and find their cause."""

    enabled: bool = option("whether outages are watched for", True)
    profile: Profile = option(
        "`standard` asks each 0.9 s, 15 MB a day where little is lost; `metered` each 1.68 s, 3 MB",
        "standard",
    )
    anchors: tuple[str, ...] = option(
        "independent public addresses; the link is dead when all of them are silent",
        ("1.1.1.1", "8.8.8.8", "9.9.9.9"),
    )
    timeout_s: float = option(
        "an answer that takes longer counts as none; not below 3 where a satellite is on the way",
        3.0,
        low=0.5,
        high=15,
    )
    anchor_every_s: float | None = option(
        "seconds between two requests to anchors; unset: the profile's", None, low=0.1, high=3600
    )
    dns_every_s: float | None = option(
        "seconds between two questions to a resolver; unset: 2 or 240, by the profile",
        None,
        low=0.5,
        high=3600,
    )
    dns_name: str = option("name asked for; empty for none", "example.org")
    modem: str = option("address of the modem behind the gateway; empty: found by itself", "")
    first_hop: str = option("address of the operator's first host; empty: found by itself", "")
    wan_interface: str = option(
        "interface of this host that is the link itself (a modem on USB): what it receives proves the link; "
        "empty for none",
        "",
    )
    tcp_port: int = option("port asked where ICMP is not permitted", 443, low=1, high=65535)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        if not self.anchors:
            raise ValueError("anchors must name at least one address")
        if len(set(self.anchors)) < len(self.anchors):
            raise ValueError("anchors must not repeat an address")
        for host in (*self.anchors, self.modem, self.first_hop):
            if host and not address.is_numeric(host):
                raise ValueError(f"{host!r} is not an IP address")
        if self.dns_name and not is_host_name(self.dns_name):
            raise ValueError(f"dns_name {self.dns_name!r} is not a host name")
        if "/" in self.wan_interface:
            raise ValueError(f"wan_interface {self.wan_interface!r} is not the name of an interface")

    def plan(self) -> Plan:
        """The profile's, with what is set here."""
        plan = PLANS[self.profile]
        return dataclasses.replace(
            plan,
            anchor_every_s=self.anchor_every_s or plan.anchor_every_s,
            by_connection_every_s=self.anchor_every_s or plan.by_connection_every_s,
            dns_every_s=self.dns_every_s or plan.dns_every_s,
            timeout_s=self.timeout_s,
        )
