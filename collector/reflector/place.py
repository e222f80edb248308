# SPDX-License-Identifier: Apache-2.0
"""Which place does an address stand for, and which one is listened on?"""

from __future__ import annotations

import contextlib
import ipaddress
import socket

_HOST_BITS = 64


def place_of(address: str) -> str:
    """An IPv4 address however written; of IPv6 its /64, of which a host takes what it likes (RFC 8981)."""
    with contextlib.suppress(ValueError):
        found = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(found, ipaddress.IPv4Address):
            return str(found)
        if found.ipv4_mapped:
            return str(found.ipv4_mapped)
        return str(ipaddress.IPv6Network((found, _HOST_BITS), strict=False))
    return address


def listened_on(host: str) -> tuple[socket.AddressFamily, str]:
    """Family and address to bind; `::` is all of IPv4 where the machine has no IPv6."""
    if host == "::" and not socket.has_dualstack_ipv6():
        return socket.AF_INET, "0.0.0.0"  # noqa: S104 -- the operator said: all
    return (socket.AF_INET6 if ":" in host else socket.AF_INET), host
