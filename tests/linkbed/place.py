# SPDX-License-Identifier: Apache-2.0
"""Who lives where on the bed, under which address?

school ─┐                                            ┌─ 1.1.1.1, 8.8.8.8, 9.9.9.9
        ├─ switch ── router ── modem ══ operator ────┼─ resolvers
pupil ──┘                            link            └─ web host
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

ROOMS = ("school", "pupil", "router", "modem", "operator", "internet")

SCHOOL = ("192.168.77.10", "fd77::10")
PUPIL = ("192.168.77.20", "fd77::20")
GATEWAY = ("192.168.77.1", "fd77::1")
MODEM = ("192.168.100.1", "fd64:100::1")
FIRST_HOP = ("100.64.0.1", "fd64::1")

ANCHORS = ("1.1.1.1", "8.8.8.8", "9.9.9.9")
ANCHORS_6 = ("2606:4700:4700::1111", "2001:4860:4860::8888", "2620:fe::fe")
RESOLVERS = ("100.64.53.53", "fd64:53::53")
WEB = ("192.0.2.80", "2001:db8::80")
SERVER = ("192.0.2.10", "2001:db8::10")
"""For the other end of a test: nothing listens there."""

HOSTS = (*ANCHORS, *ANCHORS_6, *RESOLVERS, *WEB, *SERVER)
NAMES: Mapping[str, tuple[str, str]] = {
    "example.org": WEB,
    "web.school.test": WEB,
    "server.school.test": SERVER,
}

NEAR = ("modem", "line")
FAR = ("operator", "line")
"""Room and TUN device of the two ends of the link."""

INTERFACES: Mapping[str, tuple[str, str]] = {
    "cable": ("router", "to-school"),
    "gateway": ("router", "to-router"),
    "modem": ("modem", "to-router"),
}
"""Room and interface that is down while the place is cut; the other side of it loses its carrier."""

_LINKS = """
link add eth0 netns {school} type veth peer name to-school netns {router}
link add eth0 netns {pupil} type veth peer name to-pupil netns {router}
link add lan netns {router} type veth peer name to-router netns {router}
link add wan netns {router} type veth peer name to-router netns {modem}
link add core netns {operator} type veth peer name net netns {internet}
"""

_ROOMS: Mapping[str, str] = {
    "school": """
addr add 192.168.77.10/24 dev eth0
addr add fd77::10/64 dev eth0
link set eth0 up
route add default via 192.168.77.1
route add ::/0 via fd77::1
""",
    "pupil": """
addr add 192.168.77.20/24 dev eth0
addr add fd77::20/64 dev eth0
link set eth0 up
route add default via 192.168.77.1
route add ::/0 via fd77::1
""",
    # The switch is a bridge without addresses; the router hangs on it like any other host.
    "router": """
link add switch type bridge
link set to-school master switch up
link set to-pupil master switch up
link set to-router master switch up
link set switch up
addr add 192.168.77.1/24 dev lan
addr add fd77::1/64 dev lan
addr add 192.168.100.2/24 dev wan
addr add fd64:100::2/64 dev wan
link set lan up
link set wan up
route add default via 192.168.100.1
route add ::/0 via fd64:100::1
""",
    "modem": """
link add lan type bridge
link set to-router master lan up
addr add 192.168.100.1/24 dev lan
addr add fd64:100::1/64 dev lan
addr add 100.64.0.2/30 dev line
addr add fd64::2/64 dev line
link set lan up
link set line up
route add default via 100.64.0.1
route add ::/0 via fd64::1
route add 192.168.77.0/24 via 192.168.100.2
route add fd77::/64 via fd64:100::2
""",
    "operator": """
addr add 100.64.0.1/30 dev line
addr add fd64::1/64 dev line
addr add 100.64.1.1/30 dev core
addr add fd64:1::1/64 dev core
link set line up
link set core up
route add default via 100.64.1.2
route add ::/0 via fd64:1::2
route add 192.168.0.0/16 via 100.64.0.2
route add fd77::/64 via fd64::2
route add fd64:100::/64 via fd64::2
""",
    "internet": """
addr add 100.64.1.2/30 dev net
addr add fd64:1::2/64 dev net
link set net up
route add default via 100.64.1.1
route add ::/0 via fd64:1::1
""",
}


def links(rooms: Mapping[str, str]) -> str:
    """Commands of ip(8) that join the rooms, given the names of their namespaces."""
    return _LINKS.format(**rooms)


def inside(room: str) -> str:
    """Commands of ip(8) for the inside of a room, once the TUN devices are there."""
    hosts = (f"addr add {host}/{_bits(host)} dev lo\n" for host in HOSTS if room == "internet")
    return "link set lo up\n" + "".join(hosts) + _ROOMS[room]


def _bits(host: str) -> int:
    return ipaddress.ip_address(host).max_prefixlen
