# SPDX-License-Identifier: Apache-2.0
"""How do numbered packets leave this host and answers come in?

Raw sockets of the kernel, not a packet capture: what is not for this host, or neither ICMP nor TCP, is never
seen, and a busy link costs nothing. Needs CAP_NET_RAW.
"""

from __future__ import annotations

import errno
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from agent.trace.answer import Answer, Flow, read
from agent.trace.packets import build

_PACKET_BYTES = 65_535
# linux/in.h
_MTU_DISCOVER, _PMTUDISC_PROBE = 10, 3
_IGNORED = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNREFUSED}
"""Errors of an earlier packet, told to the socket; the packet with the news is read too."""


@dataclass(slots=True)
class Sent:
    """One packet and the first answer to it."""

    number: int
    ttl: int
    size: int
    at_ns: int
    answer: Answer | None = None
    rtt_ms: float | None = None


@dataclass(slots=True)
class Line:
    """Sends packets of one flow and waits for answers, to the deadline (`time.monotonic`) at most."""

    flow: Flow
    deadline_s: float
    sent: dict[int, Sent] = field(default_factory=dict)
    _out: socket.socket = field(init=False)
    _in: list[socket.socket] = field(init=False)

    def __post_init__(self) -> None:
        self._out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        # Not what was once heard about this path, but the path itself (ip(7)).
        self._out.setsockopt(socket.IPPROTO_IP, _MTU_DISCOVER, _PMTUDISC_PROBE)
        protocols = [socket.IPPROTO_ICMP] + [socket.IPPROTO_TCP] * (self.flow.method == "tcp")
        self._in = [socket.socket(socket.AF_INET, socket.SOCK_RAW, p) for p in protocols]
        for sock in self._in:
            sock.setblocking(False)

    def close(self) -> None:
        """Close the sockets."""
        for sock in (self._out, *self._in):
            sock.close()

    @property
    def is_over(self) -> bool:
        """Whether the time is used up."""
        return time.monotonic() >= self.deadline_s

    def send(self, *, ttl: int, size: int = 0) -> Sent:
        """Send the next packet; one that the host itself finds too big is answered at once.

        Raises:
            OSError: this host cannot send at all.
        """
        number = len(self.sent) + 1
        data = build(self.flow, number=number, ttl=ttl, size=size)
        made = self.sent[number] = Sent(number, ttl, len(data), time.monotonic_ns())
        try:
            self._out.sendto(data, (self.flow.target, 0))
        except OSError as e:
            if e.errno != errno.EMSGSIZE:
                raise
            made.answer = Answer(number=number, host="0.0.0.0", kind="too_big")  # noqa: S104 -- nobody's
        return made

    def listen(self, for_s: float, until: Callable[[], bool] = lambda: False) -> None:
        """Take answers in, for so long or until there is enough."""
        end_s = min(time.monotonic() + for_s, self.deadline_s)
        while not until():
            left_s = end_s - time.monotonic()
            ready, _, _ = select.select(self._in, [], [], max(0.0, left_s))
            for sock in ready:
                self._take(sock)
            if left_s <= 0:
                return

    def _take(self, sock: socket.socket) -> None:
        try:
            data = sock.recv(_PACKET_BYTES)
        except BlockingIOError:
            return
        except OSError as e:
            if e.errno not in _IGNORED:
                raise
            return
        at_ns = time.monotonic_ns()
        answer = read(self.flow, data)
        made = self.sent.get(answer.number) if answer else None
        if made is not None and made.answer is None:
            made.answer = answer
            made.rtt_ms = round((at_ns - made.at_ns) / 1e6, 2)
