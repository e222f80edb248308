# SPDX-License-Identifier: Apache-2.0
"""Which sentence says what a word of the contract means for whoever has to mend it?"""

from __future__ import annotations

TLS = {
    "expired": "the site's certificate has expired",
    "not_yet_valid": "the certificate is not valid yet: look at the device's clock, too",
    "wrong_name": "the certificate is of another site",
    "self_signed": "a certificate that vouches for itself",
    "unknown_ca": "a certificate that nobody known vouches for",
    "intercepted": "somebody on the way reads along: the certificate is not the site's",
    "old_tls": "the site, or a box on the way, speaks only TLS below 1.2",
    "no_tls": "what answered speaks no TLS: a box on the way, or not the site",
    "other": "TLS failed",
}
IPV6 = {
    "large_lost": "large packets vanish on the way: pages hang although pings answer",
    "no_route": "an address, but the router offers no way",
    "broken": "an address that leads nowhere while IPv4 works",
}
PORTAL = {
    "portal": "a portal stands before the web",
    "quota": "account or data used up",
    "tampered": "somebody changes pages on the way",
    "blocked": "the page is blocked",
}
DNS = {
    "hijacked": "gives addresses to names that do not exist",
    "poisoned": "gives an address that cannot be right",
    "differs": "says something else than all others",
    "truncated": "does not give the whole answer",
    "slow": "takes too long",
}
DOUBTS = {
    "cross_traffic": "others used the link",
    "jitter": "delays varied too much",
    "loss": "packets lost that no full queue explains",
    "unsettled": "the rate still changed at the end",
    "unsaturated": "the link was never full: at least this much",
    "wide": "the interval is wide",
    "packets": "so many packets a second pass, however long: UDP held back, or a slow radio",
    "cpu_bound": "the processor was the limit",
    "overrun": "the receiver dropped packets itself",
    "nic_bound": "the interface was the limit, not the link",
    "throttled": "the processor was slowed",
    "sender_slow": "the sender was the limit",
    "disagrees": "another method says something else",
    "doubled": "packets came twice",
    "interrupted": "ended early",
    "implausible": "the server claims what cannot be",
    "too_few": "too few packets arrived",
}
