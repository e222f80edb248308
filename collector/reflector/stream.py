# SPDX-License-Identifier: Apache-2.0
"""How does the reflector load a device's link over TCP, and swallow what the device sends?

Nothing is sent to an address that has not finished a handshake and shown a token, or joined a session that
has.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import secrets
import socket
import time
from dataclasses import dataclass, field
from typing import cast

from agent.contract import flow, tcpinfo
from agent.contract.decoder import DecodeError
from agent.contract.flow import Block
from agent.contract.stream import (
    REPORT_EVERY_S,
    Join,
    Joined,
    Open,
    Opened,
    Report,
    read_first,
    write,
)
from agent.contract.tcpinfo import TcpInfo
from collector.reflector.door import Door
from collector.reflector.gate import Gate, Grant, Refused

log = logging.getLogger("collector.reflector.stream")

_FIRST_LINE_S = 5.0
_STREAMS = 32
_LOADS = 256
"""Streams that carried load, of one session from its begin to its end: each is looked at for every report."""
_SILENT_S = 5
_UNEVEN = (0.6, 1.3, 0.8, 1.4, 0.9)
"""A link that delivers in slots would keep step with even looks, and each would see as much."""
_FEW_SEGMENTS = 5
"""Of so few the kernel has not yet learnt the length."""
_STRAY_BYTES = 4096
_CONGESTIONS = ("bbr", "cubic", "reno")


@dataclass(slots=True, kw_only=True)
class Session:
    """One test of one device.

    Attributes:
        live: connections that carry load.
        receiving: how many of them carry it up.
        is_asked: the device wants to know the state at the end.
        ended: last look at those that no longer do.
    """

    grant: Grant
    live: set[socket.socket] = field(default_factory=set)
    receiving: int = 0
    is_asked: bool = False
    ended: list[TcpInfo] = field(default_factory=list)
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def report(self, *, last: bool) -> Report:
        """All streams together."""
        looks = [*self.ended, *(tcpinfo.look(sock) for sock in self.live)]
        known = [look for look in looks if look.data_segs_in > _FEW_SEGMENTS]
        busy_us = sum(look.busy_us for look in looks)
        return Report(
            at_us=time.monotonic_ns() // 1000,
            segments=sum(look.data_segs_in for look in looks),
            segment_bytes=max((look.rcv_mss_bytes + look.header_bytes for look in known), default=0),
            received_bytes=sum(look.bytes_received for look in looks),
            acked_bytes=sum(look.bytes_acked for look in looks),
            retransmitted_bytes=sum(look.bytes_retrans for look in looks),
            rwnd_limited_ratio=sum(look.rwnd_limited_us for look in looks) / busy_us if busy_us else 0.0,
            last=last,
            doubled_segments=sum(look.dsack_dups for look in looks),
        )


class StreamServer:
    """Serves one listening socket."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._sessions: dict[str, Session] = {}
        self._door = Door()
        self._block = Block()

    async def serve(self, listener: socket.socket) -> None:
        """Take connections until cancelled."""
        try:
            await self._door.open(listener, self._answer)
        finally:
            self._block.close()

    async def _answer(self, sock: socket.socket, address: str) -> None:
        try:
            async with asyncio.timeout(_FIRST_LINE_S):
                first = read_first(await flow.read_line(sock))
            if isinstance(first, Open):
                await self._open(sock, address, first)
            else:
                await self._join(sock, first)
        except (DecodeError, TimeoutError, OSError) as e:
            log.debug("stream.ended address=%s problem=%s", address, e)
        finally:
            flow.cut(sock)

    async def _open(self, sock: socket.socket, address: str, first: Open) -> None:
        _notice_death(sock)
        # Reports are small and due: none is to wait for the acknowledgement of the one before (RFC 896).
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        admitted = self._gate.admit(first.open, address, first.bytes)
        if isinstance(admitted, Refused):
            await _say(
                sock,
                Opened(
                    refused=admitted.reason,
                    retry_after_s=admitted.retry_after_s,
                    detail=admitted.detail[:200],
                ),
            )
            await _closed(sock)
            return
        self._door.welcome()
        name, session = secrets.token_urlsafe(16), Session(grant=admitted)
        self._sessions[name] = session
        try:
            async with asyncio.timeout(admitted.seconds):
                await _say(sock, Opened(session=name, bytes=admitted.bytes, seconds=admitted.seconds))
                await _attend(sock, session)
        finally:
            del self._sessions[name]
            for task in session.tasks:
                task.cancel()
            admitted.close()

    async def _join(self, sock: socket.socket, first: Join) -> None:
        session = self._sessions.get(first.join)
        if session is None or len(session.tasks) >= _STREAMS or len(session.ended) >= _LOADS:
            await _say(
                sock, Joined(ok=False, detail="no such session" if session is None else "too many streams")
            )
            await _closed(sock)
            return
        self._door.welcome()
        wanted = first.congestion if first.congestion in _CONGESTIONS else _CONGESTIONS[0]
        task = cast("asyncio.Task[None]", asyncio.current_task())
        session.tasks.add(task)
        try:
            await _say(sock, Joined(ok=True, congestion=flow.set_congestion(sock, wanted)))
            if first.direction != "echo":
                await self._load(sock, session, up=first.direction == "up")
        finally:
            session.tasks.discard(task)

    async def _load(self, sock: socket.socket, session: Session, *, up: bool) -> None:
        session.live.add(sock)
        session.receiving += up
        session.wanted.set()
        try:
            await (_swallow(sock, session.grant) if up else self._pour(sock, session.grant))
        finally:
            session.live.discard(sock)
            session.receiving -= up
            with contextlib.suppress(OSError):
                session.ended.append(tcpinfo.look(sock))

    async def _pour(self, sock: socket.socket, grant: Grant) -> None:
        flow.prepare_sender(sock)
        offset = 0
        while (left := grant.bytes - grant.spent_bytes) > 0:
            try:
                sent = self._block.pour(sock, offset=offset, most_bytes=left)
            except BlockingIOError:
                await flow.writable(sock)
                continue
            offset += sent
            if not grant.take(sent):
                return
            await asyncio.sleep(0)
        sock.shutdown(socket.SHUT_WR)
        await _closed(sock)


async def _swallow(sock: socket.socket, grant: Grant) -> None:
    while True:
        try:
            received = flow.swallow(sock)
        except BlockingIOError:
            await flow.readable(sock)
            continue
        if not received or not grant.take(received):
            return
        await asyncio.sleep(0)


async def _attend(sock: socket.socket, session: Session) -> None:
    """Report while load comes in, and whenever asked, until the device hangs up."""
    reporting = asyncio.create_task(_report(sock, session), name="stream reports")
    try:
        while await flow.read_line(sock):
            session.is_asked = True
            session.wanted.set()
    finally:
        reporting.cancel()


async def _report(sock: socket.socket, session: Session) -> None:
    for uneven in itertools.cycle(_UNEVEN):
        if not session.receiving:
            await session.wanted.wait()
        session.wanted.clear()
        is_asked, session.is_asked = session.is_asked, False
        await _say(sock, session.report(last=is_asked))
        await asyncio.sleep(uneven * REPORT_EVERY_S)


def _notice_death(sock: socket.socket) -> None:
    """A device whose link dies holds its place, and its next test off, for a quarter of a minute at most."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _SILENT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _SILENT_S)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 2)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 3 * _SILENT_S * 1000)


async def _say(sock: socket.socket, message: Opened | Joined | Report) -> None:
    await asyncio.get_running_loop().sock_sendall(sock, write(message))


async def _closed(sock: socket.socket) -> None:
    """Until the other end hangs up, so that a reset does not take the last words from it."""
    async with asyncio.timeout(_FIRST_LINE_S):
        while await asyncio.get_running_loop().sock_recv(sock, _STRAY_BYTES):
            pass
