# SPDX-License-Identifier: Apache-2.0
"""May this host stand in the school, so that its answer says nothing of the link?

Routers and school servers answer for names from memory, and that they cannot, while the link is dead. Private
addresses (RFC 1918, RFC 4193), those of this host and of its LAN (RFC 1122 §3.2.1.3, RFC 3927, RFC 4291) may
be theirs. An operator's resolver may have one, too; then it is no witness.
"""

from __future__ import annotations

import ipaddress

_NEAR = tuple(
    ipaddress.ip_network(net)
    for net in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "fc00::/7",
        "fe80::/10",
        "::1/128",
    )
)


def may_be_near(host: str) -> bool:
    """Whether the school may have an address like this; shared ones of operators (RFC 6598) it may not.

    Raises:
        ValueError: not an IP address.
    """
    address = ipaddress.ip_address(host)
    return any(address in net for net in _NEAR if net.version == address.version)
