# SPDX-License-Identifier: Apache-2.0
"""Is what a resolver says true, as far as can be told from the answers alone?"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from agent.echo.lookup import Lookup

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_SHARED = ipaddress.ip_network("100.64.0.0/10")
"""Between operator and customer (RFC 6598): no public server has such an address."""

_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "198.18.0.0/15",
            "224.0.0.0/3",
            "::/127",
            "::ffff:0:0/96",
            "fc00::/7",
            "fe80::/10",
            "ff00::/8",
        ),
    )
)
"""Where no server of the internet is (IANA's special-purpose registries, RFC 6890)."""


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Read `192.0.2.0/24`, or an address alone.

    Raises:
        ValueError: not a network.
    """
    return tuple(ipaddress.ip_network(text) for text in texts)


def is_public(host: str) -> bool:
    """Whether a server of the internet can have this address."""
    return not _is_in(host, (*_NOT_PUBLIC, _SHARED))


def is_shared(host: str) -> bool:
    """Whether the address is one of an operator's own network before its NAT."""
    return ipaddress.ip_address(host) in _SHARED


def is_poisoned(addresses: Sequence[str], expected: Sequence[Network]) -> bool | None:
    """Whether an address cannot be right: not among those expected or, when nothing is expected, not public.

    None when there is no address to judge.
    """
    if not addresses:
        return None
    if expected:
        return not all(_is_in(host, expected) for host in addresses)
    return not all(map(is_public, addresses))


def differs(own: Lookup, others: Iterable[Lookup]) -> bool | None:
    """Whether none of the others gave any of these addresses; None when there is nobody to compare with.

    Large sites answer each resolver with a server near it, so this alone proves nothing.
    """
    given = [set(other.answer.addresses) for other in others if other.answer and other.answer.addresses]
    if own.answer is None or not own.answer.addresses or not given:
        return None
    return not any(hosts & set(own.answer.addresses) for hosts in given)


def is_hijacked(absent: Lookup) -> bool | None:
    """Whether a name that cannot exist was given an address; None when that was not answered.

    SERVFAIL does not deny the name, and an answer that does not fit a datagram shows no address.
    """
    if absent.answer is None or not absent.is_of_use:
        return None
    is_hidden = absent.answer.truncated and absent.reason is None
    return None if is_hidden else bool(absent.answer.addresses)


def _is_in(host: str, allowed: Sequence[Network]) -> bool:
    found = ipaddress.ip_address(host)
    return any(found in network for network in allowed)
