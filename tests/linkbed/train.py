# SPDX-License-Identifier: Apache-2.0
"""When does each packet of a train leave the one host and reach the other, by the kernel's stamps alone?

Independent of the link program: UDP packets through the whole bed, stamped by the kernel as they leave the
sender's interface and as they reach the receiver's.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.linkbed import namespace, place
from tests.linkbed.bed import Bed
from tests.linkbed.truth import WayName

AncillaryData = list[tuple[int, int, bytes]]

HEADERS_BYTES = 28
"""IPv4 and UDP."""

_SEQ = struct.Struct("!I")
_PORT = 20_000
_BUFFER_BYTES = 256 << 20
_ANCILLARY_BYTES = 256
_PATIENCE_S = 0.3
_STAMPS_BEGIN_S = 0.1
_BILLION = 1_000_000_000

# linux/net_tstamp.h, linux/errqueue.h
_SO_TIMESTAMPING_NEW = 65
_TX_SOFTWARE, _RX_SOFTWARE, _SOFTWARE, _OPT_ID, _OPT_TSONLY = 1 << 1, 1 << 3, 1 << 4, 1 << 7, 1 << 11
_STAMP = (socket.SOL_SOCKET, _SO_TIMESTAMPING_NEW)
_IP_RECVERR = (socket.IPPROTO_IP, 11)
_TIMESPEC = struct.Struct("=qq")
_EE_DATA = struct.Struct("=12xI")
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33


@dataclass(frozen=True, slots=True)
class Passage:
    """One packet of a train that arrived, or one more time; both stamps are of the same clock."""

    seq: int
    sent_ns: int
    received_ns: int

    @property
    def delay_ns(self) -> int:
        """From the sender's interface to the receiver's."""
        return self.received_ns - self.sent_ns


@dataclass(frozen=True, kw_only=True)
class Train:
    """So many packets of one length at the IP layer, one each `every_s`; 0 is as fast as possible."""

    count: int
    length_bytes: int = 1500
    every_s: float = 0.0
    way: WayName = "up"

    def send(self, bed: Bed) -> list[Passage]:
        """Send all and wait for what comes, in the order of arrival."""
        ends = [("school", place.SCHOOL[0]), ("internet", place.SERVER[0])]
        (near, near_host), (far, far_host) = ends if self.way == "up" else ends[::-1]
        udp = (socket.AF_INET, socket.SOCK_DGRAM)
        with (
            namespace.open_socket(bed.rooms[near], *udp) as sender,
            namespace.open_socket(bed.rooms[far], *udp) as receiver,
        ):
            prepare(sender, receives=False)
            prepare(receiver, receives=True)
            receiver.bind((far_host, _PORT))
            sender.bind((near_host, 0))
            sender.connect((far_host, _PORT))
            # The kernel stamps only while somebody wants it, and a work queue tells it so.
            time.sleep(_STAMPS_BEGIN_S)
            with _hurrying():
                self._send_paced(sender)
            received = list(_received(receiver))
            sent_ns = dict(_left(sender))
        return [Passage(seq, sent_ns[seq], received_ns) for seq, received_ns in received]

    def _send_paced(self, sender: socket.socket) -> None:
        padding = bytes(self.length_bytes - HEADERS_BYTES - _SEQ.size)
        begin_s = time.monotonic()
        for seq in range(self.count):
            wait_s = begin_s + seq * self.every_s - time.monotonic()
            if wait_s > _SPIN_S:
                time.sleep(wait_s - _SPIN_S)
            while time.monotonic() < begin_s + seq * self.every_s:
                pass
            sender.send(_SEQ.pack(seq) + padding)


_SPIN_S = 200e-6
_PRIORITY = 10
"""Below the link program's, above everybody else's."""


@contextlib.contextmanager
def _hurrying() -> Iterator[None]:
    """Nobody else's work makes gaps in the train."""
    usual = os.sched_getscheduler(0), os.sched_getparam(0)
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))
    try:
        yield
    finally:
        os.sched_setscheduler(0, *usual)


def served_ns(passages: list[Passage], *, length_bytes: int, rate_bps: float) -> list[int]:
    """When an ideal link without burst would have served these packets, from the sender's stamps alone."""
    free_ns = 0.0
    ends = []
    for passage in sorted(passages, key=lambda p: p.seq):
        free_ns = max(free_ns, passage.sent_ns) + length_bytes * 8e9 / rate_bps
        ends.append(round(free_ns))
    return ends


def rate_bps(passages: list[Passage], *, length_bytes: int) -> float:
    """IP-layer rate at which a train that filled the link came out."""
    stamps = sorted(passage.received_ns for passage in passages)
    return (len(stamps) - 1) * length_bytes * 8e9 / (stamps[-1] - stamps[0])


def prepare(sock: socket.socket, *, receives: bool) -> None:
    """Have the kernel stamp what this socket receives, or else what it sends, and hold a great deal of it."""
    for option in (_SO_SNDBUFFORCE, _SO_RCVBUFFORCE):
        sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
    flags = _RX_SOFTWARE if receives else _TX_SOFTWARE | _OPT_ID | _OPT_TSONLY
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPING_NEW, flags | _SOFTWARE)


def _received(receiver: socket.socket) -> Iterator[tuple[int, int]]:
    """Sequence number and stamp of each packet, until none has come for a while."""
    receiver.settimeout(_PATIENCE_S)
    while True:
        try:
            data, ancillary, _, _ = receiver.recvmsg(_SEQ.size, _ANCILLARY_BYTES)
        except TimeoutError:
            return
        yield _SEQ.unpack(data)[0], stamp_ns(ancillary)


def _left(sender: socket.socket) -> Iterator[tuple[int, int]]:
    """Number and stamp of each packet that left the sender, off its error queue."""
    sender.setblocking(False)
    while True:
        try:
            _, ancillary, _, _ = sender.recvmsg(0, _ANCILLARY_BYTES, socket.MSG_ERRQUEUE)
        except OSError as e:
            if e.errno != errno.EAGAIN:
                raise
            return
        number = next(
            _EE_DATA.unpack_from(d)[0] for level, kind, d in ancillary if (level, kind) == _IP_RECVERR
        )
        yield number, stamp_ns(ancillary)


def stamp_ns(ancillary: AncillaryData) -> int:
    """The kernel's stamp that came with a message, Unix time."""
    seconds, nanoseconds = _TIMESPEC.unpack_from(_message(ancillary, _STAMP))
    return int(seconds * _BILLION + nanoseconds)


def _message(ancillary: AncillaryData, wanted: tuple[int, int]) -> bytes:
    for level, kind, data in ancillary:
        if (level, kind) == wanted:
            return data
    raise RuntimeError(f"a packet came without its {wanted}")
