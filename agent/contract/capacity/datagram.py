# SPDX-License-Identifier: Apache-2.0
"""How does a UDP socket send many packets with one call, and tell by the kernel's clock when each came?"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# linux/udp.h; include/uapi/asm-generic/socket.h
_SOL_UDP, _UDP_SEGMENT = 17, 103
_SO_TIMESTAMPNS_NEW, _SO_RXQ_OVFL = 64, 40
_TIMESPEC = struct.Struct("=qq")
_OVERRUN = struct.Struct("=I")
_SEGMENT = struct.Struct("=H")
_BUFFER_BYTES = 8 << 20
_ANCILLARY_BYTES = 128
_MAX_DATAGRAM_BYTES = 2048
_MAX_SENDING_BYTES = 60_000
_BILLION = 1_000_000_000

IPV4_HEADERS_BYTES, IPV6_HEADERS_BYTES = 28, 48


@dataclass(frozen=True, slots=True)
class Arrival:
    """One datagram and when it came, Unix time of the kernel's clock."""

    data: bytes
    address: Any
    at_ns: int


def headers_bytes(address: Any) -> int:
    """What the IP and UDP headers add to a datagram to or from this address."""
    is_6 = ":" in address[0] and not address[0].startswith("::ffff:")
    return IPV6_HEADERS_BYTES if is_6 else IPV4_HEADERS_BYTES


class Datagrams:
    """A socket that does not block."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.overrun = 0
        """How many datagrams the kernel dropped because they were not taken soon enough."""
        self._segments = True
        sock.setblocking(False)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
        for option in (_SO_TIMESTAMPNS_NEW, _SO_RXQ_OVFL):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, option, 1)

    def fileno(self) -> int:
        """For select(2)."""
        return self.sock.fileno()

    def close(self) -> None:
        """Give the port back."""
        self.sock.close()

    def received(self, most: int) -> Iterator[Arrival]:
        """What has come, so many at most."""
        receive = self.sock.recvmsg
        for _ in range(most):
            try:
                data, ancillary, _, address = receive(_MAX_DATAGRAM_BYTES, _ANCILLARY_BYTES)
            except BlockingIOError:
                return
            yield Arrival(data, address, self._stamp_ns(ancillary))

    def _stamp_ns(self, ancillary: list[tuple[int, int, bytes]]) -> int:
        at_ns = 0
        for _, kind, data in ancillary:
            if kind == _SO_TIMESTAMPNS_NEW:
                seconds, nanoseconds = _TIMESPEC.unpack_from(data)
                at_ns = seconds * _BILLION + nanoseconds
            elif kind == _SO_RXQ_OVFL:
                self.overrun = _OVERRUN.unpack_from(data)[0]
        return at_ns

    def send(self, datagram: bytes, address: Any = None) -> bool:
        """Send one; False when the kernel had no room for it now.

        Raises:
            OSError: it cannot be sent at all.
        """
        try:
            if address is None:
                self.sock.send(datagram)
            else:
                self.sock.sendto(datagram, address)
        except BlockingIOError:
            return False
        return True

    def send_many(self, datagrams: bytearray, length: int, address: Any = None) -> bool:
        """Send datagrams of one length that lie one behind the other.

        Raises:
            OSError: they cannot be sent at all.
        """
        if self._segments and len(datagrams) > length:
            with contextlib.suppress(BlockingIOError):
                return self._send_segments(datagrams, length, address)
            return False
        pieces = range(0, len(datagrams), length)
        return all(self.send(bytes(datagrams[at : at + length]), address) for at in pieces)

    def _send_segments(self, datagrams: bytearray, length: int, address: Any) -> bool:
        """UDP GSO (Linux 4.18): the kernel, or the interface, cuts one buffer into datagrams."""
        step = max(1, _MAX_SENDING_BYTES // length) * length
        control = [(_SOL_UDP, _UDP_SEGMENT, _SEGMENT.pack(length))]
        for at in range(0, len(datagrams), step):
            piece = memoryview(datagrams)[at : at + step]
            try:
                if address is None:
                    self.sock.sendmsg([piece], control)
                else:
                    self.sock.sendmsg([piece], control, 0, address)
            except BlockingIOError:
                raise
            except OSError:
                # An interface without checksums of its own, or a kernel without GSO.
                self._segments = False
                return self.send_many(datagrams[at:], length, address)
        return True
