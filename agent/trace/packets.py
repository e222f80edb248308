# SPDX-License-Identifier: Apache-2.0
"""How is a numbered packet of a trace built, and whose number does an answer carry?

Built and taken apart with scapy, so this module is imported only by the child. All packets of a method have
the same addresses, ports and (ICMP) checksum, so that a load balancer sends them the same way (as Paris
traceroute does); the number is in the sequence number (ICMP, TCP) or the IP identification (UDP), which an
ICMP error quotes (RFC 792: the IP header and 8 bytes).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass

# scapy looks for routes and interfaces and warns when there are none; here it only builds and reads.
logging.getLogger("scapy").setLevel(logging.CRITICAL)

from scapy.layers.inet import ICMP, IP, TCP, UDP, ICMPerror, IPerror, TCPerror, UDPerror  # noqa: E402
from scapy.packet import Raw  # noqa: E402

from agent.trace.told import Method  # noqa: E402

IP_BYTES = 20
_L4_BYTES = {"icmp": 8, "udp": 8, "tcp": 20}
_ECHO_REPLY, _UNREACHABLE, _ECHO, _EXCEEDED = 0, 3, 8, 11
_TOO_BIG_CODE, _PORT_CODE = 4, 3
_SEQ_BITS = 0xFFFF
_SYN, _RST, _ACK = 2, 4, 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Everything that stays the same from packet to packet.

    Attributes:
        ident: own identification of this trace: ICMP identifier, source port, upper half of a TCP number.
        port: of the target.
    """

    target: str
    method: Method
    ident: int
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What somebody said about one of our packets.

    Attributes:
        kind: `arrived` (the target answered), `expired` (a hop did), `too_big`, or `unreachable`.
        mtu_bytes: the next link's, where `too_big` says it.
    """

    number: int
    host: str
    kind: str
    mtu_bytes: int | None = None


def build(flow: Flow, *, number: int, ttl: int, size: int = 0) -> bytes:
    """One packet that must not be fragmented, of `size` bytes with its IP header or as small as can be."""
    head = IP(dst=flow.target, ttl=ttl, id=(number & _SEQ_BITS) or _SEQ_BITS, flags="DF")
    filling = max(2, size - IP_BYTES - _L4_BYTES[flow.method])
    if flow.method == "icmp":
        # The first two bytes make up for the sequence number, so that the checksum stays.
        balance = (_SEQ_BITS - number) & _SEQ_BITS
        load = balance.to_bytes(2, "big") + bytes(filling - 2)
        return bytes(head / ICMP(type=_ECHO, id=flow.ident, seq=number) / Raw(load))
    if flow.method == "udp":
        return bytes(head / UDP(sport=flow.ident, dport=flow.port) / Raw(bytes(filling)))
    filling = size - IP_BYTES - _L4_BYTES["tcp"]
    syn = TCP(sport=flow.ident, dport=flow.port, flags="S", seq=_tcp_number(flow, number))
    return bytes(head / syn / Raw(bytes(filling))) if filling > 0 else bytes(head / syn)


def read(flow: Flow, data: bytes) -> Answer | None:
    """What this packet, IP header and all, says about one of ours; None for anything else."""
    packet = IP(data)
    if ICMP in packet and packet[IP].proto == 1:
        return _of_icmp(flow, packet)
    if flow.method == "tcp" and TCP in packet and packet.src == flow.target:
        return _of_tcp(flow, packet)
    return None


def _of_icmp(flow: Flow, packet: IP) -> Answer | None:
    icmp = packet[ICMP]
    if icmp.type == _ECHO_REPLY and flow.method == "icmp":
        is_ours = icmp.id == flow.ident and packet.src == flow.target
        return Answer(number=icmp.seq, host=packet.src, kind="arrived") if is_ours else None
    if icmp.type not in (_EXCEEDED, _UNREACHABLE) or IPerror not in packet:
        return None
    number = _quoted(flow, packet)
    if number is None:
        return None
    if icmp.type == _EXCEEDED:
        return Answer(number=number, host=packet.src, kind="expired")
    if icmp.code == _TOO_BIG_CODE:
        return Answer(number=number, host=packet.src, kind="too_big", mtu_bytes=icmp.nexthopmtu or None)
    arrived = packet.src == flow.target and flow.method == "udp" and icmp.code == _PORT_CODE
    return Answer(number=number, host=packet.src, kind="arrived" if arrived else "unreachable")


def _quoted(flow: Flow, packet: IP) -> int | None:
    """The number of our packet that an error quotes."""
    inner = packet[IPerror]
    if inner.dst != flow.target:
        return None
    if flow.method == "icmp" and ICMPerror in packet:
        quoted = packet[ICMPerror]
        return int(quoted.seq) if quoted.id == flow.ident else None
    if flow.method == "udp" and UDPerror in packet:
        quoted = packet[UDPerror]
        return int(inner.id) if (quoted.sport, quoted.dport) == (flow.ident, flow.port) else None
    if flow.method == "tcp" and TCPerror in packet:
        quoted = packet[TCPerror]
        return _own_number(flow, quoted.sport, quoted.dport, int(quoted.seq))
    return None


def _of_tcp(flow: Flow, packet: IP) -> Answer | None:
    tcp = packet[TCP]
    if not int(tcp.flags) & (_SYN | _RST) or not int(tcp.flags) & _ACK:
        return None
    # A SYN with bytes may be acknowledged with or without them; ours are all below the number's step.
    number = _own_number(flow, tcp.dport, tcp.sport, int(tcp.ack) - 1)
    return None if number is None else Answer(number=number, host=packet.src, kind="arrived")


def _tcp_number(flow: Flow, number: int) -> int:
    return flow.ident << 16 | number


def _own_number(flow: Flow, sport: int, dport: int, seq: int) -> int | None:
    if (sport, dport) != (flow.ident, flow.port) or seq >> 16 != flow.ident:
        return None
    return seq & _SEQ_BITS
