# SPDX-License-Identifier: Apache-2.0
"""How is a numbered packet of a trace built?

With scapy, so this module is imported only by the child. All packets of a method have the same addresses,
ports and (ICMP) checksum, so that a load balancer sends them the same way, as Paris traceroute does; the
number is in the sequence number (ICMP, TCP) or the IP identification (UDP), which an ICMP error quotes.
"""

from __future__ import annotations

import logging

# scapy looks for routes and interfaces and warns when there are none; here it only builds.
logging.getLogger("scapy").setLevel(logging.CRITICAL)

from scapy.layers.inet import ICMP, IP, TCP, UDP  # noqa: E402
from scapy.packet import Raw  # noqa: E402

from agent.trace.answer import NUMBERS, Flow, tcp_number  # noqa: E402

_ECHO = 8
_HEADERS_BYTES = {"icmp": 28, "udp": 28, "tcp": 40}
_BALANCE_BYTES = 2


def build(flow: Flow, *, number: int, ttl: int, size: int = 0) -> bytes:
    """One packet that must not be fragmented, of `size` bytes with its IP header or as small as can be."""
    head = IP(dst=flow.target, ttl=ttl, id=number, flags="DF")
    filling = bytes(max(0, size - _HEADERS_BYTES[flow.method] - _BALANCE_BYTES))
    if flow.method == "icmp":
        # The first two bytes make up for the sequence number, so that the checksum stays.
        balance = (NUMBERS - number).to_bytes(_BALANCE_BYTES, "big")
        return bytes(head / ICMP(type=_ECHO, id=flow.ident, seq=number) / Raw(balance + filling))
    if flow.method == "udp":
        load = Raw(bytes(_BALANCE_BYTES) + filling)
        return bytes(head / UDP(sport=flow.ident, dport=flow.port) / load)
    syn = TCP(sport=flow.ident, dport=flow.port, flags="S", seq=tcp_number(flow, number))
    return bytes(head / syn)
