# SPDX-License-Identifier: Apache-2.0
"""Whose number does a packet that came in carry, and what does it say about our own?

Read by hand: scapy raises on quotes that are cut off and on odd options, and what comes in is anybody's.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

from agent.trace.told import Method

_IP = struct.Struct("!BxHH3xB2x4s4s")
_ICMP = struct.Struct("!BBxxHH")
_TCP = struct.Struct("!HHIIBB")
_PORTS = struct.Struct("!HH")
_SYN_QUOTED = struct.Struct("!HHI")

_PROTOCOL = {"icmp": socket.IPPROTO_ICMP, "udp": socket.IPPROTO_UDP, "tcp": socket.IPPROTO_TCP}
_ECHO_REPLY, _UNREACHABLE, _EXCEEDED = 0, 3, 11
_TOO_BIG_CODE, _PORT_CODE = 4, 3
_SYN, _RST, _ACK = 2, 4, 16
NUMBERS = 0xFFFF


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
        mtu_bytes: the next link's, where `too_big` says it (RFC 1191 §4).
    """

    number: int
    host: str
    kind: str
    mtu_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class _Packet:
    ident: int
    protocol: int
    source: str
    destination: str
    body: bytes


def read(flow: Flow, data: bytes) -> Answer | None:
    """What this packet, IP header and all, says about one of ours; None for anything else."""
    try:
        packet = _packet(data)
        if packet.protocol == socket.IPPROTO_ICMP:
            return _of_icmp(flow, packet)
        if packet.protocol == socket.IPPROTO_TCP and flow.method == "tcp" and packet.source == flow.target:
            return _of_tcp(flow, packet)
    except struct.error:
        return None
    return None


def _packet(data: bytes) -> _Packet:
    first, _, ident, protocol, source, destination = _IP.unpack_from(data)
    body = data[(first & 0x0F) * 4 :]
    return _Packet(ident, protocol, socket.inet_ntoa(source), socket.inet_ntoa(destination), body)


def _of_icmp(flow: Flow, packet: _Packet) -> Answer | None:
    kind, code, ident, seq = _ICMP.unpack_from(packet.body)
    if kind == _ECHO_REPLY:
        is_ours = (flow.method, flow.ident, flow.target) == ("icmp", ident, packet.source)
        return Answer(number=seq, host=packet.source, kind="arrived") if is_ours else None
    if kind not in (_EXCEEDED, _UNREACHABLE):
        return None
    number = _quoted(flow, _packet(packet.body[_ICMP.size :]))
    if number is None:
        return None
    if kind == _EXCEEDED:
        return Answer(number=number, host=packet.source, kind="expired")
    if code == _TOO_BIG_CODE:
        return Answer(number=number, host=packet.source, kind="too_big", mtu_bytes=seq or None)
    arrived = packet.source == flow.target and flow.method == "udp" and code == _PORT_CODE
    return Answer(number=number, host=packet.source, kind="arrived" if arrived else "unreachable")


def _quoted(flow: Flow, ours: _Packet) -> int | None:
    """The number of our packet that an error quotes: its IP header and 8 bytes are sure (RFC 792)."""
    if ours.destination != flow.target or ours.protocol != _PROTOCOL[flow.method]:
        return None
    if flow.method == "icmp":
        _, _, ident, seq = _ICMP.unpack_from(ours.body)
        return int(seq) if ident == flow.ident else None
    if flow.method == "udp":
        return ours.ident if _PORTS.unpack_from(ours.body) == (flow.ident, flow.port) else None
    return _own_number(flow, *_SYN_QUOTED.unpack_from(ours.body))


def _of_tcp(flow: Flow, packet: _Packet) -> Answer | None:
    sport, dport, _, ack, _, flags = _TCP.unpack_from(packet.body)
    if not flags & (_SYN | _RST) or not flags & _ACK:
        return None
    number = _own_number(flow, dport, sport, (ack - 1) & 0xFFFFFFFF)
    return None if number is None else Answer(number=number, host=packet.source, kind="arrived")


def tcp_number(flow: Flow, number: int) -> int:
    """The sequence number of a SYN."""
    return flow.ident << 16 | number


def _own_number(flow: Flow, sport: int, dport: int, seq: int) -> int | None:
    if (sport, dport) != (flow.ident, flow.port) or seq >> 16 != flow.ident:
        return None
    return seq & NUMBERS
