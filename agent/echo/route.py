# SPDX-License-Identifier: Apache-2.0
"""By which interface and gateway does the host leave the school, and is the cable in?

Read from `/proc/net` and `/sys/class/net`: no privilege, no child process, no netlink socket. Only the main
routing table is seen; policy routing and the two half-defaults of some VPNs are not.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from agent.echo.address import Address, parse

PROC_NET = Path("/proc/net")
SYS_NET = Path("/sys/class/net")

# linux/route.h and linux/ipv6_route.h
_RTF_UP = 0x0001
_RTF_GATEWAY = 0x0002
_RTF_REJECT = 0x0200
# linux/if_arp.h: the hardware address is known
_ATF_COM = 0x02

_NOWHERE_4 = "00000000"
_NOWHERE_6 = "0" * 32
_ARP_COLUMNS = 6
_IPV4_COLUMNS = 8
_IPV6_COLUMNS = 10
_ADDRESS_COLUMNS = 6
# linux/if_addr.h
_IFA_F_DADFAILED = 0x08
_IFA_F_TENTATIVE = 0x40


@dataclass(frozen=True, slots=True)
class Route:
    """The default route; `gateway` is None on a point-to-point link."""

    interface: str
    gateway: Address | None


def default_route(proc_net: Path = PROC_NET) -> Route | None:
    """The default route of lowest metric, IPv4 before IPv6; None when there is none."""
    for candidates in (_routes_4(_lines(proc_net / "route")), _routes_6(_lines(proc_net / "ipv6_route"))):
        best = min(candidates, key=lambda found: found[0], default=None)
        if best is not None:
            return best[1]
    return None


def has_default_route_6(proc_net: Path = PROC_NET) -> bool:
    """Whether IPv6 has a default route of its own."""
    return any(True for _ in _routes_6(_lines(proc_net / "ipv6_route")))


def has_global_address_6(proc_net: Path = PROC_NET) -> bool:
    """Whether the host has an IPv6 address of the internet (2000::/3, RFC 4291 §2.4) that it may use."""
    for line in _lines(proc_net / "if_inet6"):
        columns = line.split()
        is_global = len(columns) == _ADDRESS_COLUMNS and columns[0][0] in "23"
        if is_global and not _hex(columns[4]) & (_IFA_F_TENTATIVE | _IFA_F_DADFAILED):
            return True
    return False


def has_carrier(interface: str, sys_net: Path = SYS_NET) -> bool | None:
    """Whether the interface sees a signal; None when the interface or its driver does not say."""
    folder = sys_net / interface
    try:
        return (folder / "carrier").read_text().strip() == "1"
    except FileNotFoundError:
        return None
    except OSError:
        # Reading fails with EINVAL while the interface is administratively down.
        return False


def is_neighbour(address: Address, proc_net: Path = PROC_NET) -> bool | None:
    """Whether the kernel has the hardware address of this LAN host, so the host answered ARP; None for IPv6.

    While packets are sent and go unanswered, the kernel asks again and within seconds marks it as failed.
    """
    if address.family != socket.AF_INET:
        return None
    for line in _lines(proc_net / "arp"):
        columns = line.split()
        if len(columns) >= _ARP_COLUMNS and columns[0] == address.host:
            return bool(_hex(columns[2]) & _ATF_COM)
    return False


def _routes_4(lines: list[str]) -> Iterator[tuple[int, Route]]:
    """Interface Destination Gateway Flags RefCnt Use Metric Mask; addresses in the host's byte order."""
    for line in lines[1:]:
        columns = line.split()
        if len(columns) < _IPV4_COLUMNS or (columns[1], columns[7]) != (_NOWHERE_4, _NOWHERE_4):
            continue
        if _is_usable(_hex(columns[3])):
            yield _decimal(columns[6]), Route(columns[0], _gateway_4(columns[2], _hex(columns[3])))


def _routes_6(lines: list[str]) -> Iterator[tuple[int, Route]]:
    """Destination, length, source, length, next hop, metric, references, uses, flags, interface; in hex."""
    for line in lines:
        columns = line.split()
        if len(columns) < _IPV6_COLUMNS or (columns[0], columns[1]) != (_NOWHERE_6, "00"):
            continue
        if _is_usable(_hex(columns[8])):
            interface = columns[9]
            yield _hex(columns[5]), Route(interface, _gateway_6(columns[4], interface))


def _is_usable(flags: int) -> bool:
    return bool(flags & _RTF_UP) and not flags & _RTF_REJECT


def _gateway_4(text: str, flags: int) -> Address | None:
    if not flags & _RTF_GATEWAY or text == _NOWHERE_4:
        return None
    packed = _hex(text).to_bytes(4, sys.byteorder)
    return Address(socket.AF_INET, socket.inet_ntop(socket.AF_INET, packed))


def _gateway_6(text: str, interface: str) -> Address | None:
    if text == _NOWHERE_6:
        return None
    try:
        host = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(text))
        return parse(f"{host}%{interface}" if host.startswith("fe80:") else host)
    except ValueError:
        return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return []


def _hex(text: str) -> int:
    try:
        return int(text, 16) & 0xFFFFFFFF
    except ValueError:
        return 0


def _decimal(text: str) -> int:
    return int(text) if text.isdecimal() else 0
