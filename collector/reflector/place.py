# SPDX-License-Identifier: Apache-2.0
"""Which place does an address stand for? Whoever holds one holds all of it."""

from __future__ import annotations

import contextlib
import ipaddress

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
