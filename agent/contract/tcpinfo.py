# SPDX-License-Identifier: Apache-2.0
"""What does the kernel know of a TCP connection (`TCP_INFO`, tcp(7))?"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass

_BYTES = 232
# linux/tcp.h, struct tcp_info: where each number lies. Kernels only ever append to it.
_U32 = {
    "snd_mss_bytes": 16,
    "rcv_mss_bytes": 20,
    "rtt_us": 68,
    "rttvar_us": 72,
    "rcv_rtt_us": 92,
    "total_retrans": 100,
    "min_rtt_us": 148,
    "data_segs_in": 152,
    "data_segs_out": 156,
    "dsack_dups": 216,
}
_U64 = {
    "bytes_acked": 120,
    "bytes_received": 128,
    "delivery_rate_bytes_per_s": 160,
    "busy_us": 168,
    "rwnd_limited_us": 176,
    "sndbuf_limited_us": 184,
    "bytes_sent": 200,
    "bytes_retrans": 208,
}
_OPTIONS = 5
_TIMESTAMPS, _TIMESTAMP_BYTES = 1, 12
_TCP_BYTES = 20
_IP_BYTES = {socket.AF_INET: 20, socket.AF_INET6: 40}


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpInfo:
    """One look at a connection; a number that an old kernel does not have is 0.

    Attributes:
        header_bytes: of IP and TCP in each full segment of it.
        rcv_rtt_us: the receiver's own estimate; 0 before it has one.
        dsack_dups: segments that the receiver said had come twice.
    """

    header_bytes: int
    snd_mss_bytes: int
    rcv_mss_bytes: int
    rtt_us: int
    rttvar_us: int
    rcv_rtt_us: int
    total_retrans: int
    min_rtt_us: int
    data_segs_in: int
    data_segs_out: int
    dsack_dups: int
    bytes_acked: int
    bytes_received: int
    delivery_rate_bytes_per_s: int
    busy_us: int
    rwnd_limited_us: int
    sndbuf_limited_us: int
    bytes_sent: int
    bytes_retrans: int


def parse(data: bytes, family: int) -> TcpInfo:
    """Read what `getsockopt` gave, however short."""
    padded = data.ljust(_BYTES, b"\0")
    has_timestamps = padded[_OPTIONS] & _TIMESTAMPS
    header_bytes = _IP_BYTES.get(socket.AddressFamily(family), 20) + _TCP_BYTES
    return TcpInfo(
        header_bytes=header_bytes + (_TIMESTAMP_BYTES if has_timestamps else 0),
        **{name: struct.unpack_from("=I", padded, at)[0] for name, at in _U32.items()},
        **{name: struct.unpack_from("=Q", padded, at)[0] for name, at in _U64.items()},
    )


def look(sock: socket.socket) -> TcpInfo:
    """Ask the kernel.

    Raises:
        OSError: the socket is closed.
    """
    family = socket.AF_INET if _is_mapped(sock) else sock.family
    return parse(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BYTES), family)


def _is_mapped(sock: socket.socket) -> bool:
    """Whether IPv4 is spoken on a socket of IPv6 (RFC 4291 §2.5.5.2)."""
    return sock.family == socket.AF_INET6 and str(sock.getsockname()[0]).startswith("::ffff:")
