# SPDX-License-Identifier: Apache-2.0
"""How is an echo request written and its answer read (RFC 792, RFC 4443 §4)?"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

HEADER = struct.Struct("!BBHHH")
"""Type, code, checksum, identifier, sequence number."""

TOKEN_BYTES = 8
PACKET_BYTES = HEADER.size + TOKEN_BYTES
"""One request or answer above the IP header."""

_REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}
_ANSWER = {socket.AF_INET: 0, socket.AF_INET6: 129}


@dataclass(frozen=True, slots=True)
class EchoAnswer:
    """One echo reply; `token` is its payload."""

    ident: int
    seq: int
    token: bytes


def write_request(family: socket.AddressFamily, *, ident: int, seq: int, token: bytes) -> bytes:
    """One echo request; the kernel fills in the checksum of ICMPv6 (RFC 3542 §3.1)."""
    kind = _REQUEST[family]
    checksum = _checksum(HEADER.pack(kind, 0, 0, ident, seq) + token) if family == socket.AF_INET else 0
    return HEADER.pack(kind, 0, checksum, ident, seq) + token


def read_answer(data: bytes, family: socket.AddressFamily, *, has_ip_header: bool) -> EchoAnswer | None:
    """The echo reply in these bytes; None for anything else."""
    if has_ip_header:
        data = data[_ip_header_bytes(data) :]
    if len(data) < HEADER.size:
        return None
    kind, code, _, ident, seq = HEADER.unpack_from(data)
    if kind != _ANSWER[family] or code != 0:
        return None
    return EchoAnswer(ident, seq, data[HEADER.size :])


def quoted_request(data: bytes, family: socket.AddressFamily) -> tuple[int, int] | None:
    """Identifier and sequence number of our request that an ICMP error quotes; None for anything else.

    Only the first 8 bytes are sure to be quoted (RFC 792), so the token cannot be asked for.
    """
    if len(data) < HEADER.size:
        return None
    kind, _, _, ident, seq = HEADER.unpack_from(data)
    return (ident, seq) if kind == _REQUEST[family] else None


def seq_before(token: bytes, frame: bytes) -> int | None:
    """Sequence number of our request in a frame with headers and padding; None when it is not there."""
    at = frame.find(token)
    return int.from_bytes(frame[at - 2 : at], "big") if at >= HEADER.size else None


def _ip_header_bytes(data: bytes) -> int:
    return (data[0] & 0x0F) * 4 if data else 0


def _checksum(data: bytes) -> int:
    """Internet checksum (RFC 1071) of an even number of bytes."""
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    total += total >> 16
    return ~total & 0xFFFF
