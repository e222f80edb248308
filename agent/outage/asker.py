# SPDX-License-Identifier: Apache-2.0
"""How are the watch's requests sent, and its answers read, on real sockets?

Echo requests without payload on one socket for each address family; where ICMP is not permitted, connections.
Names by the agent's own resolver code.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Coroutine

from agent.contract.reason import Reason
from agent.echo import stamp
from agent.echo.address import Address, parse
from agent.echo.connect import connect
from agent.echo.icmp import EchoLine, icmp_permission
from agent.echo.knock import Knocker
from agent.echo.lookup import look_up
from agent.echo.way import FAR
from agent.outage.rota import Ask

Answered = Callable[[int, float, bool], None]
"""Takes the request's number, when it was answered, in seconds of the monotonic clock, and whether the answer
is a failure."""

_SEQUENCE = 0x10000
_BILLION = 1e9
_MOST_TASKS = 128


class Asker:
    """The sockets of one watch."""

    def __init__(
        self,
        answered: Answered,
        arrived: Callable[[], None],
        *,
        dns_name: str,
        timeout_s: float,
        tcp_port: int,
    ) -> None:
        self._answered = answered
        self._arrived = arrived
        self._dns_name = dns_name
        self._timeout_s = timeout_s
        self._tcp_port = tcp_port
        self._book = _Book(answered)
        self._lines: dict[socket.AddressFamily, EchoLine] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._knocker = Knocker()
        self.echo_is_permitted = icmp_permission() != "denied"

    def send(self, ask: Ask) -> None:
        """Send a request; one that cannot be sent is one that gets no answer."""
        try:
            address = parse(ask.host)
        except ValueError:
            return
        if ask.part == "dns":
            self._begin(self._look_up(ask.number, address))
        elif ask.way == "connection":
            self._begin(self._knock(ask.number, address))
        elif not self.echo_is_permitted:
            self._begin(self._connect(ask.number, address))
        else:
            self._book.note(ask.number, address, is_anchor=ask.part == "anchors")
            self._line(address.family).send(ask.number % _SEQUENCE, address)

    def read(self) -> None:
        """Take in what has arrived."""
        for line in self._lines.values():
            line.read()

    async def close(self) -> None:
        """Give the sockets back."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._knocker.close()
        for line in self._lines.values():
            if line.socket is not None:
                asyncio.get_running_loop().remove_reader(line.socket)
            line.close()

    def _line(self, family: socket.AddressFamily) -> EchoLine:
        line = self._lines.get(family)
        if line is None:
            line = self._lines[family] = EchoLine(family, self._book, token_bytes=0)
            if line.socket is not None:
                asyncio.get_running_loop().add_reader(line.socket, self._arrived)
        return line

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        if len(self._tasks) >= _MOST_TASKS:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _look_up(self, number: int, resolver: Address) -> None:
        lookup = await look_up(resolver, self._dns_name, timeout_s=self._timeout_s)
        if lookup.answer is not None:
            self._answered(number, time.monotonic(), not lookup.is_of_use)
            self._arrived()

    async def _knock(self, number: int, anchor: Address) -> None:
        began_s = time.monotonic()
        outcome = await self._knocker.knock(anchor, port=self._tcp_port, timeout_s=self._timeout_s)
        took_ms = outcome.rtt_ms if outcome.rtt_ms is not None else outcome.first_syn_ms
        if took_ms is not None:
            self._answered(number, began_s + took_ms / 1000, False)
            self._arrived()
        elif outcome.reason == Reason.UNTRUE:
            self._answered(number, time.monotonic(), True)
            self._arrived()

    async def _connect(self, number: int, address: Address) -> None:
        """On the LAN a refusal may be a router's for a dead modem."""
        outcome = await connect(address, timeout_s=self._timeout_s, port=self._tcp_port)
        if outcome.answered and not outcome.refused:
            self._answered(number, time.monotonic(), False)
            self._arrived()


class _Book:
    """Requests under way, by their 16-bit sequence number."""

    def __init__(self, answered: Answered) -> None:
        self._told = answered
        self._hosts: dict[int, tuple[int, str]] = {}
        self._sent: dict[int, stamp.Instant] = {}
        self._anchors: set[int] = set()

    def note(self, number: int, address: Address, *, is_anchor: bool) -> None:
        """A request is about to be sent."""
        seq = number % _SEQUENCE
        (self._anchors.add if is_anchor else self._anchors.discard)(seq)
        self._sent.pop(seq, None)
        self._hosts[seq] = (number, address.host)

    def sent_at(self, index: int) -> stamp.Instant | None:
        return self._sent.get(index)

    def is_from(self, index: int, host: str) -> bool:
        return index in self._hosts and self._hosts[index][1] == host

    def sent(self, index: int, at: stamp.Instant) -> None:
        self._sent[index] = at

    def left(self, index: int, at_ns: int) -> None:
        """The time it was handed to the kernel is exact enough here."""

    def failed(self, index: int, reason: Reason) -> None:
        """It gets no answer; that is all there is to know."""

    def answered(self, index: int, at_ns: int) -> None:
        if index in self._anchors and index in self._sent:
            FAR.heard((at_ns - self._sent[index].mono_ns) / _BILLION, at_ns / _BILLION)
        with contextlib.suppress(KeyError):
            self._told(self._hosts[index][0], at_ns / _BILLION, False)
