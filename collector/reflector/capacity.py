# SPDX-License-Identifier: Apache-2.0
"""What does the reflector answer to each datagram of a capacity test, and what is it to send when?

Sans-io: `Sessions` takes datagrams with their addresses and times and gives those to be sent. It trusts
nobody: before an address is proven by a cookie and a token it sends less than it was sent, and afterwards no
more than was granted.
"""

from __future__ import annotations

import dataclasses
import math
import secrets
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from agent.contract.capacity import message as m
from agent.contract.capacity.datagram import headers_bytes
from agent.contract.capacity.legs import Leg, Pacer
from collector.reflector.cookie import Cookies
from collector.reflector.gate import Gate, Grant, Refused

_MAX_ROUNDS = 64
_MAX_REPORTS = 100
_NS_IN_S = 1_000_000_000
_IDLE_NS = 15 * _NS_IN_S
"""Silence after which a session is over."""
MOVED, UNKNOWN = "moved", "unknown"


@dataclass(slots=True)
class _Round:
    """Packets of one round up, as they came."""

    seqs: array[int] = field(default_factory=lambda: array("H"))
    at_us: array[int] = field(default_factory=lambda: array("I"))
    first_ns: int = 0


@dataclass(slots=True)
class _Sending:
    """A round down under way."""

    number: int
    pacer: Pacer
    begin_ns: int


@dataclass(slots=True)
class _Session:
    """One admitted test."""

    ident: bytes
    address: Any
    grant: Grant
    headers: int
    heard_ns: int
    overrun: int
    rounds: dict[int, _Round] = field(default_factory=dict)
    sending: _Sending | None = None
    sent_rounds: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Out:
    """To be sent: datagrams of one length, one behind the other."""

    data: bytes | bytearray
    length: int
    address: Any


class Sessions:
    """All capacity tests of this reflector."""

    def __init__(self, gate: Gate, *, max_mbps: float, now_s: Callable[[], float]) -> None:
        self._gate = gate
        self._max_kbps = round(max_mbps * 1000)
        self._now_s = now_s
        self._cookies = Cookies()
        self._sessions: dict[bytes, _Session] = {}
        self._opened: dict[tuple[Any, bytes], bytes] = {}
        self.overrun = 0
        """What the socket dropped until now; its owner keeps it right."""

    def __len__(self) -> int:
        return len(self._sessions)

    def receive(self, datagram: bytes, address: Any, at_ns: int, now_ns: int) -> Iterator[Out]:
        """Take one datagram.

        Args:
            datagram: it.
            address: where it says it is from.
            at_ns: the kernel's stamp.
            now_ns: the monotonic clock.
        """
        if len(datagram) >= m.DATA_HEADER.size and datagram[:5] == _DATA:
            self._take_data(datagram, address, at_ns, now_ns)
            return
        try:
            message = m.read(datagram)
        except m.BadDatagram:
            return
        if len(datagram) < m.MIN_ASKING_BYTES:
            return
        for answer in self._answers(message, address, len(datagram), now_ns):
            yield Out(m.write(answer), 0, address)

    def due(self, now_ns: int) -> Iterator[Out]:
        """Packets of rounds down whose time has come."""
        for session in list(self._sessions.values()):
            if session.sending is not None:
                yield from self._due(session, session.sending, now_ns)

    def wake_ns(self) -> int | None:
        """When to ask `due` again; None while nothing is being sent."""
        return min((s.sending.pacer.wake_ns for s in self._sessions.values() if s.sending), default=None)

    def sweep(self, now_ns: int) -> None:
        """End what has gone silent or has used up its time."""
        for session in list(self._sessions.values()):
            if now_ns - session.heard_ns > _IDLE_NS or session.grant.has_expired():
                self._end(session)

    def close(self) -> None:
        """End all."""
        for session in list(self._sessions.values()):
            self._end(session)

    def _answers(self, message: m.Message, address: Any, length: int, now_ns: int) -> Iterator[m.Message]:
        if isinstance(message, m.Hello):
            yield m.Cookie(message.nonce, self._cookies.make(address, message.nonce, now_s=self._now_s()))
        elif isinstance(message, m.Open):
            yield from self._open(message, address, now_ns)
        elif isinstance(message, m.Ping | m.Send | m.Ask | m.Bye):
            yield from self._in_session(message, address, length, now_ns)

    def _open(self, message: m.Open, address: Any, now_ns: int) -> Iterator[m.Message]:
        if not self._cookies.holds(message.cookie, address, message.nonce, now_s=self._now_s()):
            return
        known = self._sessions.get(self._opened.get((address, message.nonce), b""))
        session = known or self._admit(message, address, now_ns)
        if isinstance(session, Refused):
            yield m.Refused(message.nonce, session.retry_after_s or 0, session.reason)
            return
        grant = session.grant
        yield m.Opened(message.nonce, session.ident, grant.bytes, round(grant.seconds * 1000), self._max_kbps)

    def _admit(self, message: m.Open, address: Any, now_ns: int) -> _Session | Refused:
        grant = self._gate.admit(message.token, address[0], message.wanted_bytes)
        if isinstance(grant, Refused):
            return grant
        ident = secrets.token_bytes(m.SESSION_BYTES)
        session = _Session(ident, address, grant, headers_bytes(address), now_ns, self.overrun)
        self._sessions[ident] = session
        self._opened[address, message.nonce] = ident
        return session

    def _in_session(
        self, message: m.Ping | m.Send | m.Ask | m.Bye, address: Any, length: int, now_ns: int
    ) -> Iterator[m.Message]:
        session = self._sessions.get(message.session)
        if session is None or session.address != address:
            yield m.Refused(message.session, 0, UNKNOWN if session is None else MOVED)
            return
        session.heard_ns = now_ns
        if not session.grant.take(length + session.headers):
            return
        if isinstance(message, m.Bye):
            self._end(session)
        elif isinstance(message, m.Send):
            self._begin(session, message, now_ns)
        elif isinstance(message, m.Ping):
            if session.grant.take(length + session.headers):
                yield m.Pong(message.session, message.number, message.length)
        else:
            yield from self._report(session, message)

    def _begin(self, session: _Session, message: m.Send, now_ns: int) -> None:
        """Begin a round down; one that has begun is not begun again."""
        if message.round in session.sent_rounds or len(session.sent_rounds) >= _MAX_ROUNDS:
            return
        session.sent_rounds.add(message.round)
        legs = [self._slowed(leg) for leg in message.legs]
        session.sending = _Sending(message.round, Pacer(legs, now_ns), now_ns)

    def _slowed(self, leg: Leg) -> Leg:
        """No faster than anybody is sent to."""
        least_ns = math.ceil(leg.packet_bytes * 8e6 / self._max_kbps)
        return dataclasses.replace(leg, interval_ns=max(leg.interval_ns, least_ns))

    def _due(self, session: _Session, sending: _Sending, now_ns: int) -> Iterator[Out]:
        until_ns = now_ns
        while (due := sending.pacer.due(until_ns)) is not None:
            sent_us = max(0, (now_ns - sending.begin_ns) // 1000)
            if not session.grant.take(due.count * due.packet_bytes):
                session.sending = None
                return
            length = due.packet_bytes - session.headers
            data = m.write_data(
                m.Data(session.ident, sending.number, due.seq, sent_us), count=due.count, length=length
            )
            yield Out(data, length, session.address)
        if sending.pacer.has_ended:
            session.sending = None

    def _take_data(self, datagram: bytes, address: Any, at_ns: int, now_ns: int) -> None:
        _, _, ident, number, seq, _ = m.DATA_HEADER.unpack_from(datagram)
        session = self._sessions.get(ident)
        if session is None or session.address != address:
            return
        session.heard_ns = now_ns
        if seq >= m.MAX_PACKETS or not session.grant.take(len(datagram) + session.headers):
            return
        kept = session.rounds.get(number)
        if kept is None:
            if len(session.rounds) >= _MAX_ROUNDS:
                return
            kept = session.rounds[number] = _Round(first_ns=at_ns)
        if len(kept.seqs) < m.MAX_PACKETS:
            kept.seqs.append(seq)
            kept.at_us.append(min(0xFFFFFFFF, max(0, (at_ns - kept.first_ns) // 1000)))

    def _report(self, session: _Session, message: m.Ask) -> Iterator[m.Message]:
        kept = session.rounds.get(message.round, _Round())
        most = min(max(1, message.entries), m.MAX_ENTRIES)
        for i in range(min(max(1, message.datagrams), _MAX_REPORTS)):
            start = message.start + i * most
            if i and start >= len(kept.seqs):
                return
            part = slice(start, start + most)
            entries = tuple(zip(kept.seqs[part], kept.at_us[part], strict=True))
            if not session.grant.take(m.REPORT_BYTES + m.ENTRY_BYTES * len(entries) + session.headers):
                return
            dropped = self.overrun - session.overrun
            yield m.Report(session.ident, message.round, len(kept.seqs), start, dropped, entries)

    def _end(self, session: _Session) -> None:
        session.grant.close()
        self._sessions.pop(session.ident, None)
        for key in [k for k, ident in self._opened.items() if ident == session.ident]:
            del self._opened[key]


_DATA = m.MAGIC + bytes([m.DATA])
