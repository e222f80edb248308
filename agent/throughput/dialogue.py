# SPDX-License-Identifier: Apache-2.0
"""How does a TCP test speak with the reflector, and what does each failure of it mean?"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from agent.contract import flow, tcpinfo
from agent.contract.decoder import DecodeError
from agent.contract.flow import Block
from agent.contract.reason import Reason
from agent.contract.stream import Join, Joined, Open, Opened, Report, read, write
from agent.echo.address import Address
from agent.echo.problem import NoAnswer, reason_of

T = TypeVar("T")
Direction = Literal["down", "up"]

_REFUSALS = {"token": Reason.NOT_PERMITTED}
_MOST_UNREAD = 1000
"""Forty seconds of them; a reflector that tells more is not waited for."""
_GONE = {errno.ECONNRESET, errno.EPIPE, errno.ESHUTDOWN, errno.ENOTCONN}


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where the reflector is.

    Attributes:
        timeout_s: how long to wait for a connection or an answer.
    """

    address: Address
    port: int
    token: str = field(repr=False)
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """A connection that has joined.

    Attributes:
        congestion: what sends on it, as the sender's kernel says.
        connect_ms: how long the handshake took.
        answer_ms: how long the answer to the first line took.
        rtt_ms: the kernel's own figure for the handshake.
    """

    sock: socket.socket
    congestion: str
    connect_ms: float
    answer_ms: float
    rtt_ms: float


class Session:
    """One test with one reflector; made by `open_session`."""

    def __init__(self, server: Server, control: socket.socket, opened: Opened, rtt_ms: float) -> None:
        self.server = server
        self.bytes = opened.bytes
        self.seconds = opened.seconds
        self.rtt_ms = rtt_ms
        self.report: Report | None = None
        self.unread: deque[Report] = deque(maxlen=_MOST_UNREAD)
        self.heard_s: list[tuple[float, float]] = []
        """When the first and the last report came, here and there."""
        self.closing_report: Report | None = None
        self.problem: NoAnswer | None = None
        self._name = opened.session or ""
        self._control = control
        self._news = asyncio.Event()

    async def join(self, direction: Literal["down", "up", "echo"], congestion: str) -> Joint:
        """One more connection.

        Raises:
            NoAnswer: it could not be made, or was refused.
        """
        with failures():
            began_ns = time.monotonic_ns()
            sock = await _connect(self.server)
            try:
                connected_ns = time.monotonic_ns()
                look = tcpinfo.look(sock)
                flow.prepare_sender(sock)
                asked = Join(join=self._name, direction=direction, congestion=congestion)
                joined = await _ask(sock, write(asked), Joined, self.server.timeout_s)
                answered_ns = time.monotonic_ns()
                if not joined.ok:
                    raise NoAnswer(Reason.REFUSED, f"the reflector refused to join: {joined.detail}")  # noqa: TRY301
                used = flow.set_congestion(sock, congestion) if direction == "up" else joined.congestion
            except BaseException:
                flow.cut(sock)
                raise
        return Joint(
            sock=sock,
            congestion=used,
            connect_ms=(connected_ns - began_ns) / 1e6,
            answer_ms=(answered_ns - connected_ns) / 1e6,
            rtt_ms=look.rtt_us / 1000,
        )

    async def listen(self) -> None:
        """Take in what the reflector reports until it hangs up; never raises but when cancelled."""
        try:
            with failures():
                while True:
                    self.report = read(Report, await flow.read_line(self._control))
                    self.unread.append(self.report)
                    self.heard_s[1:] = [(time.monotonic(), self.report.at_us / 1e6)]
                    if self.report.last:
                        self.closing_report = self.report
                    self._news.set()
        except NoAnswer as e:
            self.problem = e
            self._news.set()

    def begin(self) -> None:
        """A direction begins: what was reported before is of another."""
        self.report, self.heard_s = None, []
        self.unread.clear()

    def take_unread(self) -> list[Report]:
        """What was reported since it was last asked for."""
        reports = list(self.unread)
        self.unread.clear()
        return reports

    def said_bytes(self) -> tuple[int, int]:
        """Payload received and sent until now on the connection of reports."""
        with failures():
            look = tcpinfo.look(self._control)
        return look.bytes_received, look.bytes_sent

    async def final(self) -> Report | None:
        """What the reflector says at the end; None when it says nothing in time."""
        self.closing_report = None
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(self.server.timeout_s):
                await asyncio.get_running_loop().sock_sendall(self._control, b"{}\n")
                while not self._has_closed():
                    self._news.clear()
                    await self._news.wait()
        return self.closing_report

    def _has_closed(self) -> bool:
        return self.closing_report is not None or self.problem is not None


@contextlib.asynccontextmanager
async def open_session(server: Server, max_bytes: int) -> AsyncIterator[Session]:
    """A session that ends with the block.

    Raises:
        NoAnswer: no connection, no sensible answer, or a refusal.
    """
    with failures():
        control = await _connect(server)
    try:
        with failures():
            rtt_ms = tcpinfo.look(control).rtt_us / 1000
            line = write(Open(open=server.token, bytes=max_bytes))
            opened = await _ask(control, line, Opened, server.timeout_s)
        if opened.session is None:
            raise _refusal(opened)
        session = Session(server, control, opened, rtt_ms)
        listening = asyncio.create_task(session.listen(), name="reports of the reflector")
        try:
            yield session
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
    finally:
        # Not cut: a reset may be lost, and the reflector would think for a minute that the test goes on.
        with contextlib.suppress(OSError):
            control.shutdown(socket.SHUT_WR)
        control.close()


async def carry(joint: Joint, direction: Direction, block: Block, may_send: Callable[[], int]) -> None:
    """Move load on one connection until it ends.

    Raises:
        NoAnswer: the other end is gone.
    """
    sock, offset = joint.sock, 0
    with failures():
        while left := may_send():
            try:
                moved = (
                    flow.swallow(sock)
                    if direction == "down"
                    else block.pour(sock, offset=offset, most_bytes=left)
                )
            except BlockingIOError:
                await (flow.readable(sock) if direction == "down" else flow.writable(sock))
                continue
            offset += moved
            if not moved:
                return
            await asyncio.sleep(0)


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Errors of sockets and of what was read, as reasons."""
    try:
        yield
    except DecodeError as e:
        raise NoAnswer(Reason.BAD_ANSWER, f"what answers is no reflector: {e}") from e
    except TimeoutError as e:
        raise NoAnswer(Reason.TIMEOUT, "no answer in time") from e
    except OSError as e:
        reason = Reason.GONE if e.errno in _GONE else reason_of(e)
        raise NoAnswer(reason, f"connection to the reflector: {e.strerror or e}") from e


async def _connect(server: Server) -> socket.socket:
    sock = socket.socket(server.address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        async with asyncio.timeout(server.timeout_s):
            await asyncio.get_running_loop().sock_connect(sock, server.address.at(server.port))
    except BaseException:
        sock.close()
        raise
    return sock


async def _ask(sock: socket.socket, line: bytes, kind: type[T], timeout_s: float) -> T:
    async with asyncio.timeout(timeout_s):
        await asyncio.get_running_loop().sock_sendall(sock, line)
        return read(kind, await flow.read_line(sock))


def _refusal(opened: Opened) -> NoAnswer:
    wait = "" if opened.retry_after_s is None else f", again in {opened.retry_after_s} s"
    said = f"the reflector refused: {opened.refused or 'no reason given'}{wait} {opened.detail}"
    return NoAnswer(_REFUSALS.get(opened.refused or "", Reason.BUSY), said.strip())
