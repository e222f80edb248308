# SPDX-License-Identifier: Apache-2.0
"""A socket, a resolver and a listener that behave as the test says."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import cast

from agent.echo.stamp import AncillaryData

Message = tuple[bytes, AncillaryData, int, tuple[str, int]]
EXTENDED_ERR = struct.Struct("=IBBBBII")


class ScriptedSocket:
    """An ICMP socket whose network is a function: what comes back for a request."""

    def __init__(
        self,
        network: Callable[[bytes, str], list[bytes]],
        *,
        family: socket.AddressFamily = socket.AF_INET,
        kind: socket.SocketKind = socket.SOCK_DGRAM,
        host: str | None = None,
    ) -> None:
        self.family, self.type = family, kind
        self.network, self.host = network, host
        self.sent: list[bytes] = []
        self.answers: deque[Message | OSError] = deque()
        self.errors: deque[Message] = deque()
        self.closed = False

    def sendto(self, data: bytes, address: tuple[str, int]) -> None:
        self.sent.append(data)
        for answer in self.network(data, address[0]):
            self.answers.append((answer, [], 0, (self.host or address[0], 0)))

    def recvmsg(self, _size: int, _ancillary: int, flags: int = 0) -> Message:
        queue = self.errors if flags else self.answers
        if not queue:
            raise BlockingIOError
        message = queue.popleft()
        if isinstance(message, OSError):
            raise message
        return message

    def fail(self, quoted: bytes, host: str, *, origin: int = 2) -> None:
        """Put an ICMP error (or, of origin 4, a time stamp) into the error queue."""
        error = EXTENDED_ERR.pack(113, origin, 3, 1, 0, 0, 0)
        self.errors.append((quoted, [(socket.IPPROTO_IP, 11, error)], 0, (host, 0)))

    def setsockopt(self, *_: object) -> None: ...

    def getsockopt(self, *_: object) -> int:
        return 0

    def close(self) -> None:
        self.closed = True


def echo(request: bytes, _host: str = "") -> list[bytes]:
    """A network that answers each request of IPv4."""
    return [b"\0" + request[1:]]


def silence(_request: bytes, _host: str = "") -> list[bytes]:
    """A network that answers nothing."""
    return []


class Resolver(asyncio.DatagramProtocol):
    """A name server on loopback: what it answers to each query, one list for each."""

    def __init__(self, *answers: Callable[[bytes], list[bytes]]) -> None:
        self.answers = deque(answers)
        self.queries: list[bytes] = []
        self.asked = asyncio.Event()
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.queries.append(data)
        self.asked.set()
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.popleft()
        assert self.transport is not None
        for reply in answer(data):
            self.transport.sendto(reply, addr)


@contextlib.asynccontextmanager
async def resolving(*answers: Callable[[bytes], list[bytes]]) -> AsyncIterator[tuple[Resolver, int]]:
    """A name server and its port."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: Resolver(*answers), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()


def says(rcode: int = 0, *hosts: str) -> Callable[[bytes], list[bytes]]:
    """Answer with this code and these addresses, IPv4 or IPv6."""

    def answer(query: bytes) -> list[bytes]:
        records = b"".join(map(_record, hosts))
        return [query[:2] + struct.pack("!5H", 0x8180 | rcode, 1, len(hosts), 0, 0) + query[12:] + records]

    return answer


def truncates(query: bytes) -> list[bytes]:
    """Answer that the answer does not fit a datagram."""
    return [query[:2] + struct.pack("!5H", 0x8380, 1, 0, 0, 0) + query[12:]]


@contextlib.asynccontextmanager
async def resolving_by_tcp(
    port: int, answer: Callable[[bytes], list[bytes]], *, pieces: int = 1000
) -> AsyncIterator[None]:
    """A name server that answers over TCP, so many bytes at a time (RFC 1035 §4.2.2)."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        query = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        said = b"".join(len(reply).to_bytes(2) + reply for reply in answer(query))
        for at in range(0, len(said), pieces):
            writer.write(said[at : at + pieces])
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()


def _record(host: str) -> bytes:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    value = socket.inet_pton(family, host)
    kind = 1 if family == socket.AF_INET else 28
    return b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(value)) + value


@contextlib.contextmanager
def listening() -> Iterator[int]:
    """The port of a TCP listener on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def open_sockets() -> int:
    """How many sockets this process has open."""
    links = []
    for path in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            links.append(str(path.readlink()))
    return sum(link.startswith("socket:") for link in links)
