# SPDX-License-Identifier: Apache-2.0
"""How long does each phase of asking for one page take, and what comes back?

One connection for one request; nothing of the environment (proxies, cookies, caches) is used. What was
measured before a failure stays in the exchange.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from agent.contract.reason import Reason
from agent.echo import address, resolvers
from agent.echo.address import Address
from agent.echo.ledger import in_ms
from agent.echo.lookup import DNS_PORT, look_up_whole
from agent.echo.message import RecordType
from agent.echo.problem import NoAnswer, reason_of
from agent.web import certificate
from agent.web.response import BadResponse, Response
from agent.web.url import Url

_KIND = {socket.AF_INET: RecordType.A, socket.AF_INET6: RecordType.AAAA}
_READ_BYTES = 16_384
_OK = range(200, 300)
_BY_PROXY = {
    403: Reason.NOT_PERMITTED,
    407: Reason.NOT_PERMITTED,
    502: Reason.UNREACHABLE,
    503: Reason.UNREACHABLE,
    504: Reason.TIMEOUT,
}
"""Why a proxy will not connect: it may not, wants a password, or gets no further itself (RFC 9110 §15)."""
LOGIN_REQUIRED = 407
LOOK_S = 5.0
"""A second look comes behind a whole time-out: it must not cost the round its other pages."""


class TlsFailed(NoAnswer):
    """The server could not prove who it is; `problem` is a word of `agent.web.certificate`."""

    def __init__(self, problem: str, detail: str) -> None:
        super().__init__(Reason.TLS_FAILED, detail)
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How pages are asked for.

    Attributes:
        keep_bytes: a body longer than this is not read to its end.
        proxy: who is asked instead of the server itself.
        trusted: of whom certificates are accepted.
        resolvers: whom to ask for addresses; those of the system by default.
    """

    timeout_s: float
    keep_bytes: int
    family: socket.AddressFamily = socket.AF_INET
    proxy: Url | None = None
    trusted: ssl.SSLContext | None = None
    resolvers: tuple[Address, ...] | None = None
    dns_port: int = DNS_PORT


@dataclass(slots=True)
class Exchange:
    """One request and its figures; a phase that did not come to its end is None.

    Attributes:
        issuer: who issued the server's certificate.
        peer: who was connected to, once that is known.
    """

    url: Url
    manner: Manner
    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    first_byte_ms: float | None = None
    total_ms: float | None = None
    issuer: str | None = None
    peer: Address | None = None
    response: Response = field(init=False)

    def __post_init__(self) -> None:
        self.response = Response(keep_bytes=self.manner.keep_bytes)

    async def run(self) -> None:
        """Ask.

        Raises:
            NoAnswer: there is no whole response within the time.
        """
        try:
            async with asyncio.timeout(self.manner.timeout_s):
                with self._timed("total_ms"):
                    await self._ask()
        except TimeoutError as e:
            raise NoAnswer(Reason.TIMEOUT, f"{self._phase()} took too long") from e
        except BadResponse as e:
            raise NoAnswer(Reason.BAD_ANSWER, str(e)) from e
        except ssl.SSLError as e:
            # Its errno is OpenSSL's own number, and not one of the system.
            raise NoAnswer(Reason.TLS_FAILED, f"{self._phase()}: {e}") from e
        except OSError as e:
            # Who resets a response that has begun has not refused it.
            is_gone = isinstance(e, ConnectionResetError) and self.first_byte_ms is not None
            reason = Reason.GONE if is_gone else reason_of(e)
            raise NoAnswer(reason, f"{self._phase()}: {e}") from e

    async def _ask(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            reader, writer = await self._open(self.manner.trusted)
            stack.callback(writer.transport.abort)
            writer.write(self._request("GET", self.url.path))
            with self._timed("first_byte_ms"):
                self._take(await reader.read(_READ_BYTES))
            while not self.response.is_complete and self.response.body_bytes <= self.manner.keep_bytes:
                self._take(await reader.read(_READ_BYTES))

    async def _open(
        self, context: ssl.SSLContext | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        there = self.manner.proxy or self.url
        host = self.peer = await self._address(there.host)
        sock = socket.socket(host.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            with self._timed("connect_ms"):
                await asyncio.get_running_loop().sock_connect(sock, host.at(there.port))
            reader, writer = await asyncio.open_connection(sock=sock)
        except BaseException:
            sock.close()
            raise
        try:
            if self.manner.proxy and self.url.is_secret:
                await self._tunnel(reader, writer)
            if self.url.is_secret:
                # Made here only if nobody made it before: reading the system's certificates takes 0.1 s.
                await self._start_tls(writer, context or ssl.create_default_context())
        except BaseException:
            writer.transport.abort()
            raise
        return reader, writer

    async def _address(self, host: str) -> Address:
        if address.is_numeric(host):
            return address.parse(host)
        with self._timed("dns_ms"):
            return await find(host, self.manner)

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Have the proxy connect (RFC 9110 §9.3.6)."""
        authority = f"{self.url.host}:{self.url.port}"
        writer.write(f"CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n\r\n".encode())
        answer = Response(keep_bytes=0, has_body=False)
        while not answer.is_complete:
            # Byte by byte would be slow, but behind the head nothing comes before we speak.
            data = await reader.read(_READ_BYTES)
            answer.feed(data) if data else answer.finish()
        if answer.status not in _OK:
            reason = _BY_PROXY.get(answer.status or 0, Reason.REFUSED)
            raise NoAnswer(reason, f"the proxy answered CONNECT with {answer.status}")

    async def _start_tls(self, writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
        try:
            with self._timed("tls_ms"):
                await writer.start_tls(context, server_hostname=self.url.host)
        except ssl.SSLError as e:
            raise TlsFailed(certificate.problem_of(e), str(e)) from e
        except (ConnectionError, EOFError) as e:
            raise TlsFailed(certificate.OTHER, f"the connection was cut while TLS began: {e}") from e
        self.issuer = certificate.issuer_of(certificate.presented(writer) or b"")

    def _request(self, method: str, path: str) -> bytes:
        target = str(self.url) if self.manner.proxy and not self.url.is_secret else path
        lines = (
            f"{method} {target} HTTP/1.1",
            f"Host: {self.url.authority}",
            "User-Agent: schoolpulse",
            "Accept: */*",
            # Without it a server may pack the page as it likes (RFC 9110 §12.5.3).
            "Accept-Encoding: identity",
            "Cache-Control: no-cache",
            "Connection: close",
        )
        return "".join(f"{line}\r\n" for line in (*lines, "")).encode("ascii")

    def _take(self, data: bytes) -> None:
        self.response.feed(data) if data else self.response.finish()

    @contextlib.contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start_ns = time.monotonic_ns()
        yield
        setattr(self, name, in_ms(time.monotonic_ns() - start_ns))

    def _phase(self) -> str:
        """What was under way."""
        if self.peer is None:
            return "looking the name up"
        if self.connect_ms is None:
            return "connecting to the proxy" if self.manner.proxy else "connecting"
        if self.url.is_secret and self.tls_ms is None:
            return "TLS"
        return "the first byte" if self.first_byte_ms is None else "the response"


async def look_at_issuer(url: Url, manner: Manner) -> str | None:
    """Who issued the certificate that was refused; None when it is not shown again."""
    second = Exchange(url, manner)
    try:
        async with asyncio.timeout(min(manner.timeout_s, LOOK_S)):
            _, writer = await second._open(certificate.trusting_nobody())  # noqa: SLF001
            writer.transport.abort()
    except (NoAnswer, BadResponse, OSError):
        return None
    return second.issuer


async def find(name: str, manner: Manner) -> Address:
    """An address of the family asked for, from the first resolver that answers.

    Raises:
        NoAnswer: there is none.
    """
    asked = resolvers.system_resolvers() if manner.resolvers is None else manner.resolvers
    problem = NoAnswer(Reason.NO_TARGET, "no resolver is configured to look the name up")
    for resolver in asked:
        lookup = await look_up_whole(
            resolver,
            name,
            timeout_s=manner.timeout_s / 2,
            kind=_KIND[manner.family],
            port=manner.dns_port,
        )
        if lookup.answer is not None and lookup.answer.addresses:
            return address.parse(lookup.answer.addresses[0])
        if lookup.answer is not None and lookup.reason in {None, Reason.NAME_UNKNOWN}:
            raise NoAnswer(Reason.NAME_UNKNOWN, f"{name} has no address of this family")
        problem = NoAnswer(lookup.reason or Reason.NAME_UNKNOWN, f"looking up {name}: {lookup.detail}")
    raise problem
