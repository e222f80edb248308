# SPDX-License-Identifier: Apache-2.0
"""Which of several servers is near, and who is asked when that one has no room?

A server is near by its least round trip out of a few small questions, each of which only the server itself
can answer: a middlebox that completes handshakes for it, as satellite modems do, does not make it near.
Servers about as near as the nearest keep their order in the configuration, so that figures stay comparable.
A server that answers nothing is not asked while another answers. One that refuses before the test has begun
is passed over; what goes wrong later is the test's result, because its bytes are spent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence

from agent.contract.address import host_problem
from agent.contract.capacity import message as m
from agent.contract.decoder import DecodeError
from agent.contract.kinds import Throughput
from agent.contract.reason import Reason
from agent.contract.stream import Join, write
from agent.echo.address import Address
from agent.probes.base import ProbeFailed, Reading

log = logging.getLogger("agent.throughput.nearest")

MAX_SERVERS = 8
LONGEST_S = 8.0
"""All questions to all servers together take no longer."""
ECHO_BYTES = 24_000
"""Most that the questions to one server cost, both ways: three TLS handshakes with long certificates."""
_ECHOES = 3
_SAME_RATIO, _SAME_MS = 1.1, 2.0
_ANSWER_BYTES = 2048
_PASSED_OVER = {
    Reason.BLOCKED,
    Reason.BUSY,
    Reason.NAME_UNKNOWN,
    Reason.NOT_PERMITTED,
    Reason.REFUSED,
    Reason.TLS_FAILED,
    Reason.UNREACHABLE,
}

Echo = Callable[[str], Awaitable[float]]
"""One round trip to this server in ms; raises OSError, TimeoutError or ProbeFailed."""


def check_servers(server: str, more_servers: Sequence[str]) -> None:
    """Refuse further servers that cannot be.

    Raises:
        DecodeError: which, and what is wrong.
    """
    if more_servers and not server:
        raise DecodeError("more_servers", "the first one belongs into `server`")
    if len(more_servers) >= MAX_SERVERS:
        raise DecodeError("more_servers", f"must be less than {MAX_SERVERS}")
    for i, name in enumerate(more_servers):
        if problem := host_problem(name):
            raise DecodeError(f"more_servers[{i}]", problem)
    if len({server, *more_servers}) <= len(more_servers):
        raise DecodeError("more_servers", "names a server twice")


async def measure(servers: Sequence[str], echo: Echo, test: Callable[[str], Awaitable[Reading]]) -> Reading:
    """What the first of them gives that lets the test begin; of the nearest when none does.

    Raises:
        ProbeFailed: the nearest gave no reading, and no other did.
    """
    return await in_turn(await nearest_first(servers, echo), test)


async def in_turn(
    servers: Sequence[str],
    test: Callable[[str], Awaitable[Reading]],
    has_time: Callable[[], bool] = lambda: True,
) -> Reading:
    """What the first of them gives that lets the test begin; of the first of all when none does in time.

    Raises:
        ProbeFailed: the first gave no reading, and no other did.
    """
    first: Reading | ProbeFailed | None = None
    for server in servers:
        if first is not None and not has_time():
            break
        found = await _tested(server, test)
        if not _is_passed_over(found):
            first = found
            break
        log.info("nearest.passed_over server=%s", server)
        first = first or found
    if isinstance(first, ProbeFailed):
        raise first
    return first or ()


async def nearest_first(servers: Sequence[str], echo: Echo) -> list[str]:
    """Those that answer, the nearest first; the first of all when none does."""
    if len(servers) == 1:
        return list(servers)
    rtts_ms: dict[str, float] = {}
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LONGEST_S):
            await asyncio.gather(*(_listen(server, echo, rtts_ms) for server in servers))
    if not rtts_ms:
        return list(servers[:1])
    same_ms = min(rtts_ms.values()) * _SAME_RATIO + _SAME_MS
    return sorted((server for server in servers if server in rtts_ms), key=lambda s: max(rtts_ms[s], same_ms))


async def echo_udp(address: Address, port: int) -> float:
    """A round trip to a reflector's UDP port, in ms: its answer must repeat a number just drawn.

    Raises:
        OSError: it cannot be asked.
    """
    loop, nonce = asyncio.get_running_loop(), secrets.token_bytes(m.NONCE_BYTES)
    with socket.socket(address.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        await loop.sock_connect(sock, address.at(port))
        began_s = time.monotonic()
        await loop.sock_sendall(sock, m.write(m.Hello(nonce)))
        while True:
            answer = await loop.sock_recv(sock, _ANSWER_BYTES)
            took_ms = (time.monotonic() - began_s) * 1000
            with contextlib.suppress(m.BadDatagram):
                said = m.read(answer)
                if isinstance(said, m.Cookie) and said.nonce == nonce:
                    return took_ms


async def echo_stream(address: Address, port: int) -> float:
    """A round trip to a reflector's TCP port, in ms, from question to answer, behind the handshake.

    Raises:
        OSError: it cannot be asked, or hung up.
    """
    return await _echo_tcp(address, port, write(Join(join="nobody", direction="echo")), None, None)


async def echo_http(address: Address, port: int, name: str, tls: ssl.SSLContext | None) -> float:
    """A round trip to a web server, in ms, from question to answer, behind the handshakes.

    Raises:
        OSError: it cannot be asked, or hung up.
    """
    question = f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode()
    return await _echo_tcp(address, port, question, tls, name if tls else None)


async def _echo_tcp(
    address: Address, port: int, question: bytes, tls: ssl.SSLContext | None, name: str | None
) -> float:
    reader, writer = await asyncio.open_connection(address.host, port, ssl=tls, server_hostname=name)
    try:
        began_s = time.monotonic()
        writer.write(question)
        if not await reader.read(_ANSWER_BYTES):
            raise ConnectionResetError("the server hung up before it answered")
        return (time.monotonic() - began_s) * 1000
    finally:
        writer.transport.abort()


async def _listen(server: str, echo: Echo, rtts_ms: dict[str, float]) -> None:
    """Keep its least round trip; a lost question costs its own share of the time."""
    for _ in range(_ECHOES):
        with contextlib.suppress(OSError, ProbeFailed):  # TimeoutError is an OSError
            async with asyncio.timeout(LONGEST_S / _ECHOES):
                took_ms = await echo(server)
                rtts_ms[server] = min(took_ms, rtts_ms.get(server, took_ms))


async def _tested(server: str, test: Callable[[str], Awaitable[Reading]]) -> Reading | ProbeFailed:
    try:
        return await test(server)
    except ProbeFailed as e:
        return e


def _is_passed_over(found: Reading | ProbeFailed) -> bool:
    if isinstance(found, ProbeFailed):
        return found.reason in _PASSED_OVER
    return all(
        finding.reason in _PASSED_OVER and isinstance(finding.fields, Throughput) and not finding.fields.bytes
        for finding in found
    )
