# SPDX-License-Identifier: Apache-2.0
"""Where may a hook's URL lead? Looked up once; the address found is the one that is connected to.

A URL is written by an administrator, but names are answered by strangers: one that leads to a private address
would let them reach what only this machine can. So every address of a name must be public, unless the hook
says `allow_private`; link-local ones (cloud metadata among them) and those of groups never are.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable

from collector.alerts.hooks.base import HookFailed

_DISGUISES = tuple(
    ipaddress.ip_network(n)
    for n in (
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/32",
        "::/96",
        "::ffff:0:0:0/96",
        "fec0::/10",
    )
)
"""IPv6 with an IPv4 address inside (NAT64, 6to4, Teredo, compatible, translated), or of one site only."""

_IN_THE_LAST_BITS = tuple(net for net in _DISGUISES if net.prefixlen == 96)  # noqa: PLR2004 -- RFC 6052 §2.2

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Lookup = Callable[[str, int], Iterable[str]]


def look_up(host: str, port: int) -> list[str]:
    """Addresses of a name.

    Raises:
        OSError: it has none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def pinned(host: str, port: int, *, allow_private: bool, lookup: Lookup = look_up) -> str:
    """The address to connect to.

    Raises:
        HookFailed: the name has no address, or one that a hook may not use.
    """
    try:
        addresses = [ipaddress.ip_address(text.partition("%")[0]) for text in lookup(host, port)]
    except (OSError, UnicodeError, ValueError) as e:
        raise HookFailed(f"{host} has no address: {e}") from e
    if not addresses:
        raise HookFailed(f"{host} has no address")
    for address in addresses:
        if not _may(address, allow_private=allow_private):
            advice = (
                "" if allow_private or _is_never(address) else "; set allow_private = true if that is meant"
            )
            raise HookFailed(f"{host} leads to {address}, which is not public{advice}")
    return str(addresses[0])


def _may(address: Address, *, allow_private: bool) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return _may(address.ipv4_mapped, allow_private=allow_private)
    if _is_never(address):
        return False
    return allow_private or (address.is_global and not any(address in net for net in _DISGUISES))


def _is_never(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and (inner := _inside(address)) is not None:
        return _is_never(inner)
    return address.is_link_local or address.is_multicast or address.is_unspecified


def _inside(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that one of these carries."""
    if address.teredo is not None:
        return address.teredo[1]
    if address.ipv4_mapped is not None or address.sixtofour is not None:
        return address.ipv4_mapped or address.sixtofour
    is_last = any(address in net for net in _IN_THE_LAST_BITS) and int(address) > 1
    return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF) if is_last else None
