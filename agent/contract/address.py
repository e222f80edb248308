# SPDX-License-Identifier: Apache-2.0
"""Can this text be the name or address of a host at all? Nothing is looked up."""

from __future__ import annotations

import ipaddress
import re

_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"(?=.{{1,253}}\.?\Z)(?:{_LABEL}\.)*(?!\d+\.?\Z){_LABEL}\.?", re.IGNORECASE)
"""RFC 1035 §2.3.4, underscores allowed; a name that ends in a number is a mistyped address."""


def host_problem(host: str) -> str | None:
    """What is wrong with it, None when nothing is; what may hold a password is not repeated."""
    if not host:
        return "must not be empty"
    if "@" in host:
        return "must be a name or an address alone, without user name or password"
    return None if _is_address(host) or _is_name(host) else f"{host!r} is neither a host name nor an address"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return host.isascii() and host.isprintable()


def _is_name(host: str) -> bool:
    """Whether the resolver's library can be handed it, which raises UnicodeError for `a..b`."""
    try:
        encoded = host.encode("idna").decode("ascii")
    except UnicodeError:
        return False
    return _NAME.fullmatch(encoded) is not None
