# SPDX-License-Identifier: Apache-2.0
"""What is the socket address of this text, for IPv4 and IPv6 alike?"""

from __future__ import annotations

import socket
from dataclasses import dataclass

SockAddr = tuple[str, int] | tuple[str, int, int, int]


@dataclass(frozen=True, slots=True)
class Address:
    """One host.

    Attributes:
        family: AF_INET or AF_INET6.
        host: numeric address as the kernel writes it, without a scope.
        scope: index of the interface of a link-local IPv6 address, else 0.
    """

    family: socket.AddressFamily
    host: str
    scope: int = 0

    def __str__(self) -> str:
        return self.host

    def at(self, port: int) -> SockAddr:
        """What `sendto` and `connect` want."""
        if self.family == socket.AF_INET:
            return (self.host, port)
        return (self.host, port, 0, self.scope)


def parse(text: str) -> Address:
    """Read `192.0.2.1`, `2001:db8::1` or `fe80::1%eth0`.

    Raises:
        ValueError: not a numeric address, or its interface does not exist.
    """
    host, _, interface = text.partition("%")
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            packed = socket.inet_pton(family, host)
        except (OSError, ValueError):
            continue
        return Address(family, socket.inet_ntop(family, packed), _scope(interface))
    raise ValueError(f"{text!r} is not an IP address")


def is_numeric(text: str) -> bool:
    """Whether the text is an address by its form; its interface need not exist."""
    try:
        parse(text.partition("%")[0])
    except ValueError:
        return False
    return True


def _scope(interface: str) -> int:
    if not interface:
        return 0
    try:
        return socket.if_nametoindex(interface)
    except OSError as e:
        raise ValueError(f"there is no interface {interface!r}") from e
