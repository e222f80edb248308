# SPDX-License-Identifier: Apache-2.0
"""How does the school's end of a capacity test talk to the reflector: prove itself, send, have sent?

Blocks, for a thread of its own; never beyond its deadline.
"""

from __future__ import annotations

import contextlib
import errno
import math
import secrets
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Self, TypeVar

from agent.contract.capacity import message as m
from agent.contract.capacity.datagram import Arrival, Datagrams, headers_bytes
from agent.contract.capacity.legs import Leg, Pacer, sizes
from agent.contract.reason import Reason
from agent.echo import stamp
from agent.throughput.estimate import Packet

T = TypeVar("T", bound=m.Message)

_RETRY_S = 1.0
_TRIES = 4
_QUIET_S = 0.5
"""So long after the last packet of a round nothing of it is expected any more."""
_PING_EVERY_S = 0.015
_LOOK_UP_S = 0.2
"""So often it looks whether it is to stop."""
_MOST_AT_ONCE = 256
_REPORTS_AT_ONCE = 16
_TCP_S = 3.0
_US = 1_000_000


class Failed(Exception):
    """The test cannot go on."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Session:
    """One admitted test; closes itself at the end of its `with`.

    Attributes:
        rtt_s, spread_s: of the way before any load, as far as it is known.
        sent_bytes, received_bytes: at the IP layer, all that went over the socket.
        packet_bytes: largest that gets through, at the IP layer.
        times_us: when the last round began and ended, here.
        is_clock_off: whether a round up lasted longer or shorter for the server than for us.
        slipped_ratio: of the last round up, by how much of its time the sender was late.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        deadline_s: float,
        stop: threading.Event | None = None,
        tcp_port: int = 0,
    ) -> None:
        self._host, self._port, self._deadline_s = host, port, deadline_s
        self._tcp_ports = (tcp_port, port) if tcp_port else (port,)
        self._stop = stop or threading.Event()
        self._datagrams = _connected(host, port)
        self._headers = headers_bytes(self._datagrams.sock.getpeername())
        self._session = b""
        self._nonce = secrets.token_bytes(m.NONCE_BYTES)
        self._round = 0
        self._has_heard = False
        self._stamp_ns = 0
        self.is_clock_off = False
        self.rtt_s, self.spread_s = 1.0, 0.0
        self.packet_bytes = m.MAX_DATAGRAM_BYTES
        self.granted_bytes = 0
        self.max_mbps = math.inf
        self.sent_bytes = self.received_bytes = self.sent_packets = self.received_packets = 0
        self.slipped_ratio = 0.0
        self.times_us = (0.0, 0.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            if self._session:
                self._datagrams.send(m.write(m.Bye(self._session)))
        self._datagrams.close()

    @property
    def address(self) -> str:
        """The server's."""
        return str(self._datagrams.sock.getpeername()[0])

    @property
    def overrun(self) -> int:
        """What our own socket dropped."""
        return self._datagrams.overrun

    def open(self, token: str, wanted_bytes: int) -> None:
        """Prove our address, show the token."""
        cookie = self._ask(m.Hello(self._nonce), m.Cookie, lambda c: c.nonce == self._nonce)
        self._has_heard = True
        wanted = m.Open(self._nonce, cookie.cookie, wanted_bytes, token)
        opened = self._ask(wanted, m.Opened, lambda o: o.nonce == self._nonce)
        self._session = opened.session
        self.granted_bytes = min(wanted_bytes, opened.bytes)
        self.max_mbps = opened.max_kbps / 1000

    def ping(self, lengths: Sequence[int]) -> list[float | None]:
        """Round-trip times in ms of pings of these lengths as datagrams; None for one without answer."""
        left_s: list[float] = []
        took_ms: list[float | None] = [None] * len(lengths)
        for number, length in enumerate(lengths):
            left_s.append(time.monotonic())
            self._send(m.Ping(self._session, number, length))
            self._take_pongs(left_s, took_ms, until_s=left_s[0] + (number + 1) * _PING_EVERY_S)
        patience_s = _TRIES * _RETRY_S
        while None in took_ms and time.monotonic() < left_s[-1] + patience_s:
            self._take_pongs(left_s, took_ms, until_s=left_s[-1] + patience_s)
            known_s = [ms / 1000 for ms in took_ms if ms is not None]
            if known_s:
                patience_s = min(patience_s, 2 * max(known_s) + _QUIET_S)
        return took_ms

    def _take_pongs(self, left_s: list[float], took_ms: list[float | None], *, until_s: float) -> None:
        """Until one has come or it is time."""
        pong = self._wait(m.Pong, lambda p: p.number < len(left_s), until_s=until_s)
        if pong is not None and took_ms[pong.number] is None:
            took_ms[pong.number] = (time.monotonic() - left_s[pong.number]) * 1000

    def down(self, legs: tuple[Leg, ...]) -> list[Packet]:
        """Have a round sent; what came of it."""
        self._round += 1
        lengths = sizes(legs)
        kept: dict[int, Packet] = {}
        asked, quiet_s = 0, max(_QUIET_S, 4 * max(leg.interval_ns for leg in legs) / 1e9)
        until_s = 0.0
        while len(kept) < len(lengths):
            now_s = time.monotonic()
            if now_s >= until_s:
                if kept:
                    break
                if asked == _TRIES:
                    self._explain_silence()
                    raise Failed(Reason.GONE, "the server sent nothing of a round")
                self._send(m.Send(self._session, self._round, legs))
                asked, until_s = asked + 1, now_s + _RETRY_S + 2 * self.rtt_s
            for arrival in self._arrivals(until_s):
                packet = self._packet(arrival, lengths)
                if packet is not None:
                    kept.setdefault(packet.seq, packet)
                    until_s = time.monotonic() + (quiet_s if packet.seq < len(lengths) - 1 else _REORDERED_S)
        if kept:
            self.times_us = (min(p.at_us for p in kept.values()), max(p.at_us for p in kept.values()))
        return list(kept.values())

    def _packet(self, arrival: Arrival, lengths: list[int]) -> Packet | None:
        """What of it belongs to this round and is as long as it was asked for."""
        data = arrival.data
        if data[:5] != _DATA or len(data) < m.DATA_HEADER.size:
            self._check(data)
            return None
        _, _, session, number, seq, sent_us = m.DATA_HEADER.unpack_from(data)
        is_ours = session == self._session and number == self._round and seq < len(lengths)
        if not is_ours or len(data) + self._headers != lengths[seq]:
            return None
        return Packet(seq, sent_us, (arrival.at_ns or time.monotonic_ns()) / 1000, lengths[seq])

    def up(self, legs: tuple[Leg, ...]) -> list[Packet]:
        """Send a round; what the server says came of it."""
        self._round += 1
        lengths = sizes(legs)
        began_ns = time.monotonic_ns()
        sent_us = self._send_round(legs, began_ns)
        self.times_us = (began_ns / 1000, time.monotonic_ns() / 1000)
        entries, told_ns = self._report(len(lengths))
        elapsed_us = (time.monotonic_ns() - began_ns) / 1000
        kept: dict[int, Packet] = {}
        for seq, at_us in entries:
            if seq >= len(lengths) or at_us > elapsed_us:
                raise Failed(Reason.UNTRUE, "the server tells of packets or times that cannot be")
            kept.setdefault(seq, Packet(seq, sent_us[seq], at_us, lengths[seq]))
        spread_us = _SPREADS * self.spread_s * _US
        _check_span(kept, slack_us=_SLACK_US + spread_us)
        if kept and told_ns is not None:
            # The question came right behind the last packet.
            last = max(kept.values(), key=lambda p: p.at_us)
            ended_us = (told_ns - began_ns) / 1000 - sent_us[0] - self.rtt_s * _US
            # The answer takes its own time on the way back: no longer, it is hoped, than a packet up.
            answer_us = m.MAX_DATAGRAM_BYTES * last.at_us / sum(p.bytes for p in kept.values())
            slack_us = _CLOCK_RATIO * ended_us + _CLOCK_US + spread_us + answer_us
            slack_us += sent_us[-1] - last.sent_us
            self.is_clock_off |= abs(last.at_us - ended_us) > slack_us
        return list(kept.values())

    def _send_round(self, legs: tuple[Leg, ...], began_ns: int) -> list[float]:
        sent_us: list[float] = []
        pacer = Pacer(legs, began_ns)
        while not pacer.has_ended:
            self._check_deadline()
            wait_s = (pacer.wake_ns - time.monotonic_ns()) / 1e9
            if wait_s > 0:
                time.sleep(wait_s)
            now_ns = time.monotonic_ns()
            while (due := pacer.due(now_ns)) is not None:
                at_us = (time.monotonic_ns() - began_ns) // 1000
                first = m.Data(self._session, self._round, due.seq, at_us)
                length = due.packet_bytes - self._headers
                self._send_many(m.write_data(first, count=due.count, length=length), length)
                sent_us += [at_us] * due.count
        self.slipped_ratio = pacer.slipped_ns / max(1, time.monotonic_ns() - began_ns)
        return sent_us

    def _send_many(self, data: bytearray, length: int) -> None:
        try:
            while not self._datagrams.send_many(data, length):
                self._check_deadline()
                select.select([], [self._datagrams], [], 0.1)
        except OSError as e:
            raise self._failure(e) from e
        count = len(data) // length
        self._count_sent(len(data) + count * self._headers, count)

    def _report(self, count: int) -> tuple[list[tuple[int, int]], int | None]:
        """All entries, and when the first question was answered; None where it was asked again.

        The question waits behind the round in every queue, so its answer knows all of it.
        """
        entries: dict[int, tuple[int, int]] = {}
        fits = (self.packet_bytes - self._headers - m.REPORT_BYTES) // m.ENTRY_BYTES
        total, tries, each, told_ns = -1, 0, min(m.MAX_ENTRIES, fits), None
        while total < 0 or len(entries) < total:
            start = next(i for i in range(count + 1) if i not in entries)
            before = len(entries)
            missing = math.ceil((max(total, 0) or count) / each)
            self._send(m.Ask(self._session, self._round, start, min(_REPORTS_AT_ONCE, missing), each))
            until_s = time.monotonic() + _RETRY_S + 2 * self.rtt_s
            while total < 0 or len(entries) < total:
                report = self._wait(m.Report, lambda r: r.round == self._round, until_s=until_s)
                if report is None:
                    break
                if report.total > m.MAX_PACKETS or report.start + len(report.entries) > report.total:
                    raise Failed(Reason.UNTRUE, "the server's report contradicts itself")
                told_ns = self._came_ns() if total < 0 and not tries else told_ns
                total = report.total
                entries.update(enumerate(report.entries, report.start))
                until_s = time.monotonic() + _QUIET_S + self.rtt_s / 2
            tries = 0 if len(entries) > before else tries + 1
            if tries == _TRIES:
                raise Failed(Reason.GONE, "the server told nothing of a round")
        return [entries[i] for i in sorted(entries)], told_ns

    def _came_ns(self) -> int:
        """When the last datagram came, on the monotonic clock; without a stamp it is now."""
        instant = stamp.now()
        waited_ns = instant.wall_ns - self._stamp_ns
        return instant.mono_ns - (waited_ns if 0 < waited_ns < _BELIEVED_NS else 0)

    def _ask(self, question: m.Message, kind: type[T], fits: Callable[[T], bool]) -> T:
        for _ in range(_TRIES):
            self._send(question)
            answer = self._wait(kind, fits, until_s=time.monotonic() + _RETRY_S + 0.5)
            if answer is not None:
                return answer
        self._explain_silence()
        raise Failed(Reason.GONE, "the server does not answer any more")

    def _wait(self, kind: type[T], fits: Callable[[T], bool], *, until_s: float) -> T | None:
        while time.monotonic() < until_s:
            for arrival in self._arrivals(until_s):
                message = self._check(arrival.data)
                if isinstance(message, kind) and fits(message):
                    return message
        return None

    def _check(self, data: bytes) -> m.Message | None:
        """What it says; raises what ends the test."""
        with contextlib.suppress(m.BadDatagram):
            message = m.read(data)
            if isinstance(message, m.Refused) and message.about in (self._nonce, self._session):
                raise _refusal(message)
            return message
        return None

    def _arrivals(self, until_s: float) -> Iterator[Arrival]:
        self._check_deadline()
        wait_s = min(until_s, self._deadline_s, time.monotonic() + _LOOK_UP_S) - time.monotonic()
        select.select([self._datagrams], [], [], max(0.0, wait_s))
        try:
            for arrival in self._datagrams.received(_MOST_AT_ONCE):
                self.received_bytes += len(arrival.data) + self._headers
                self.received_packets += 1
                self._stamp_ns = arrival.at_ns
                yield arrival
        except OSError as e:
            if e.errno != errno.EMSGSIZE:
                raise self._failure(e) from e

    def _send(self, message: m.Message) -> None:
        self._check_deadline()
        data = m.write(message)
        try:
            self._datagrams.send(data)
        except OSError as e:
            # Too long for the way, as a router said (RFC 1191); whoever sends so long a ping wants to know.
            if e.errno != errno.EMSGSIZE:
                raise self._failure(e) from e
        self._count_sent(len(data) + self._headers, 1)

    def _count_sent(self, n: int, packets: int) -> None:
        self.sent_bytes += n
        self.sent_packets += packets

    def _check_deadline(self) -> None:
        if self._stop.is_set():
            raise Failed(Reason.OVERRAN, "the test was stopped")
        if time.monotonic() > self._deadline_s:
            raise Failed(Reason.OVERRAN, "the test's time was over")

    def _failure(self, error: OSError) -> Failed:
        if isinstance(error, ConnectionRefusedError):
            if self._has_heard:
                return Failed(Reason.GONE, "the server has stopped")
            return Failed(Reason.REFUSED, f"nothing listens on UDP port {self._port}")
        return Failed(Reason.UNREACHABLE, str(error))

    def _explain_silence(self) -> None:
        """Before the first answer: is the host gone, or only UDP?"""
        if self._has_heard:
            return
        problem: OSError | None = None
        for port in self._tcp_ports:
            try:
                with socket.create_connection((self._host, port), timeout=_TCP_S):
                    break
            except ConnectionRefusedError:
                break
            except OSError as e:
                problem = e
        else:
            raise Failed(Reason.UNREACHABLE, f"no answer over UDP, and over TCP {problem}") from problem
        raise Failed(Reason.BLOCKED, f"UDP port {self._port} does not answer, TCP on that host does")


def _check_span(kept: dict[int, Packet], *, slack_us: float) -> None:
    """What was sent over some time cannot have come in much less, whatever a queue did before."""
    if not kept:
        return
    first, last = kept[min(kept)], kept[max(kept)]
    if last.at_us - first.at_us < _LEAST_SPAN * (last.sent_us - first.sent_us) - slack_us:
        raise Failed(Reason.UNTRUE, "the server tells of packets that came faster than they were sent")


_LEAST_SPAN, _SLACK_US, _SPREADS = 0.8, 20_000, 4
_CLOCK_RATIO, _CLOCK_US = 0.02, 5000
_BELIEVED_NS = 1_000_000_000
_DATA = m.MAGIC + bytes([m.DATA])
_REORDERED_S = 0.05


def _refusal(message: m.Refused) -> Failed:
    if message.reason == "moved":
        return Failed(Reason.ADDRESS_CHANGED, "the server sees us under another address or port than before")
    if message.reason == "unknown":
        return Failed(Reason.GONE, "the server no longer knows this test")
    if message.retry_after_s:
        return Failed(Reason.BUSY, f"{message.reason}: come back in {message.retry_after_s} s")
    return Failed(Reason.REFUSED, f"the server refuses: {message.reason}")


def _connected(host: str, port: int) -> Datagrams:
    """Over the first family that has a way.

    Raises:
        Failed: the name is unknown, or there is no way.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except socket.gaierror as e:
        raise Failed(Reason.NAME_UNKNOWN, f"{host}: {e.strerror}") from e
    except OSError as e:
        raise Failed(Reason.UNREACHABLE, str(e)) from e
    problem: OSError | None = None
    for family, kind, _, _, address in found:
        sock = socket.socket(family, kind)
        try:
            sock.connect(address)
        except OSError as e:
            sock.close()
            problem = e
            continue
        return Datagrams(sock)
    raise Failed(Reason.NETWORK_DOWN, f"no way to {host}: {problem}")
