# SPDX-License-Identifier: Apache-2.0
"""May this process send echo requests, and how does it send and receive them?

A datagram ICMP socket needs no privilege where `net.ipv4.ping_group_range` names one of our groups (it rules
IPv6 too); a raw socket needs CAP_NET_RAW. A raw socket sees the answers to everybody's requests, hence a
random identifier and a random token in each request.
"""

from __future__ import annotations

import secrets
import socket
import struct
import sys
from socket import AF_INET, AF_INET6, SOCK_RAW, AddressFamily
from typing import Literal, Protocol

from agent.contract.reason import Reason
from agent.echo import packet, stamp
from agent.echo.address import Address
from agent.echo.problem import reason_of

Permission = Literal["datagram", "raw", "denied"]

_PROTOCOL = {AF_INET: socket.IPPROTO_ICMP, AF_INET6: socket.IPPROTO_ICMPV6}
_KINDS: tuple[tuple[Permission, socket.SocketKind], ...] = (
    ("datagram", socket.SOCK_DGRAM),
    ("raw", SOCK_RAW),
)
_MESSAGE_BYTES = 512
_ANCILLARY_BYTES = 256
_MSG_ERRQUEUE = 0x2000

# linux/in.h, linux/in6.h, linux/errqueue.h
_RECVERR = {AF_INET: (socket.IPPROTO_IP, 11), AF_INET6: (socket.IPPROTO_IPV6, 25)}
_EXTENDED_ERR = struct.Struct("=IBBBBII")
_FROM_NETWORK = (2, 3)
_FROM_TIMESTAMPING = 4

# linux/icmp.h, RFC 3542 §3.2: a set bit keeps the type out.
_SOL_RAW = 255
_ICMP_FILTER = 1
_ALL_BUT_0 = (0xFFFFFFFF ^ 1).to_bytes(4, sys.byteorder)
_ALL_BUT_129 = b"".join(
    (0xFFFFFFFF ^ (1 << 129 - 32 * word if word == 129 // 32 else 0)).to_bytes(4, sys.byteorder)
    for word in range(8)
)
_ONLY_ANSWERS = {
    AF_INET: (_SOL_RAW, _ICMP_FILTER, _ALL_BUT_0),
    AF_INET6: (socket.IPPROTO_ICMPV6, 1, _ALL_BUT_129),
}


def icmp_permission(family: AddressFamily = AF_INET) -> Permission:
    """How echo requests may be sent: `datagram`, `raw`, or `denied` (then TCP is used)."""
    for permission, kind in _KINDS:
        try:
            socket.socket(family, kind, _PROTOCOL[family]).close()
        except OSError:
            continue
        return permission
    return "denied"


class Book(Protocol):
    """Who takes note of what becomes of each request; times are nanoseconds of the monotonic clock."""

    def sent_at(self, index: int) -> stamp.Instant | None:
        """When the request was handed to the kernel; None for one that never was."""
        ...

    def is_from(self, index: int, host: str) -> bool:
        """Whether this is the host that was asked."""
        ...

    def sent(self, index: int, at: stamp.Instant) -> None:
        """The request was handed to the kernel."""
        ...

    def left(self, index: int, at_ns: int) -> None:
        """It left for the wire."""
        ...

    def failed(self, index: int, reason: Reason) -> None:
        """It could not be sent, or not be delivered."""
        ...

    def answered(self, index: int, at_ns: int) -> None:
        """It was answered."""
        ...


class EchoLine:
    """One ICMP socket of one address family.

    A failure to open it is the outcome of each request that would have used it. Without a token a request has
    28 bytes with its IPv4 header; then the identifier alone tells ours from others, and no sending stamp is
    found.
    """

    def __init__(self, family: AddressFamily, ledger: Book, *, token_bytes: int = packet.TOKEN_BYTES) -> None:
        self.family = family
        self._ledger = ledger
        self._ident = secrets.randbits(16)
        self._token = secrets.token_bytes(token_bytes)
        self.socket, self._problem = _opened(family)
        self._is_raw = self.socket is not None and self.socket.type == SOCK_RAW

    def close(self) -> None:
        """Give the socket back."""
        if self.socket is not None:
            self.socket.close()

    def send(self, index: int, address: Address) -> None:
        """Send the request of this place in the plan, or note why it could not be sent."""
        if self.socket is None:
            self._ledger.failed(index, self._problem)
            return
        request = packet.write_request(self.family, ident=self._ident, seq=index, token=self._token)
        # An ICMP error about an earlier request would otherwise be reported for this one.
        self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        at = stamp.now()
        try:
            self.socket.sendto(request, address.at(0))
        except OSError as e:
            self._ledger.failed(index, reason_of(e))
            return
        self._ledger.sent(index, at)
        self._read_error(self.socket)

    def read(self) -> None:
        """Take in everything that has arrived."""
        if self.socket is None:
            return
        while self._read_error(self.socket):
            pass
        while self._read_answer(self.socket):
            pass

    def _read_answer(self, sock: socket.socket) -> bool:
        try:
            data, ancillary, _, sender = sock.recvmsg(_MESSAGE_BYTES, _ANCILLARY_BYTES)
        except OSError:
            # Nothing more, or a pending ICMP error, whose particulars in the error queue wake the loop again.
            return False
        until = stamp.now()
        has_ip_header = self._is_raw and self.family == AF_INET
        answer = packet.read_answer(data, self.family, has_ip_header=has_ip_header)
        if answer is not None and self._is_ours(answer, sender[0]):
            self._ledger.answered(answer.seq, self._on_mono(answer.seq, ancillary, until) or until.mono_ns)
        return True

    def _is_ours(self, answer: packet.EchoAnswer, host: str) -> bool:
        if answer.token != self._token or (self._is_raw and answer.ident != self._ident):
            return False
        return self._ledger.sent_at(answer.seq) is not None and self._ledger.is_from(answer.seq, host)

    def _read_error(self, sock: socket.socket) -> bool:
        """Take one entry off the error queue: a request left (its stamp), or an ICMP error about one."""
        try:
            data, ancillary, _, sender = sock.recvmsg(_MESSAGE_BYTES, _ANCILLARY_BYTES, _MSG_ERRQUEUE)
        except OSError:
            return False
        origin = self._origin(ancillary)
        if origin == _FROM_TIMESTAMPING:
            self._note_left(data, ancillary)
        elif origin in _FROM_NETWORK:
            self._note_unreachable(data, sender[0] if sender else "")
        return True

    def _origin(self, ancillary: stamp.AncillaryData) -> int | None:
        for level, kind, data in ancillary:
            if (level, kind) == _RECVERR[self.family] and len(data) >= _EXTENDED_ERR.size:
                return int(_EXTENDED_ERR.unpack_from(data)[1])
        return None

    def _note_left(self, frame: bytes, ancillary: stamp.AncillaryData) -> None:
        seq = packet.seq_before(self._token, frame)
        left_ns = None if seq is None else self._on_mono(seq, ancillary, stamp.now())
        if seq is not None and left_ns is not None:
            self._ledger.left(seq, left_ns)

    def _note_unreachable(self, quoted: bytes, host: str) -> None:
        found = packet.quoted_request(quoted, self.family)
        if found is None or (self._is_raw and found[0] != self._ident):
            return
        if self._ledger.sent_at(found[1]) is not None and self._ledger.is_from(found[1], host):
            self._ledger.failed(found[1], Reason.UNREACHABLE)

    def _on_mono(self, seq: int, ancillary: stamp.AncillaryData, until: stamp.Instant) -> int | None:
        stamp_ns = stamp.stamp_ns(ancillary)
        since = self._ledger.sent_at(seq)
        if stamp_ns is None or since is None:
            return None
        return stamp.mono_of(stamp_ns, since=since, until=until)


def _opened(family: AddressFamily) -> tuple[socket.socket | None, Reason]:
    problem = Reason.NOT_PERMITTED
    for _, kind in _KINDS:
        try:
            sock = socket.socket(family, kind | socket.SOCK_NONBLOCK, _PROTOCOL[family])
        except OSError as e:
            problem = reason_of(e)
            continue
        _prepare(sock)
        return sock, problem
    return None, problem


def _prepare(sock: socket.socket) -> None:
    family = AddressFamily(sock.family)
    level, option = _RECVERR[family]
    sock.setsockopt(level, option, 1)
    if sock.type == SOCK_RAW:
        sock.setsockopt(*_ONLY_ANSWERS[family])
    stamp.ask_for_stamps(sock)
