# SPDX-License-Identifier: Apache-2.0
"""Does a large packet come back by IPv6, or does one vanish that small ones would not let miss?

No router splits a packet of IPv6: one that is too large is thrown away and its sender told (RFC 8200 §5,
RFC 4443 §3.2). Where that message is filtered, small packets pass, and pages begin and hang (RFC 2923 §2.1).
What is asked with is as large as the kernel itself would send at that moment, so a path whose message came
is no fault.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
from collections.abc import Sequence

from agent.echo import packet
from agent.echo.address import Address

_IPV6_MTU, _IPV6_DONTFRAG = 24, 62
"""linux/in6.h: what the kernel knows of the path of a connected socket; send whole or not at all."""
_HEADERS_BYTES = 40 + packet.HEADER.size
_SMALLEST_MTU_BYTES = 1280
"""Every link carries that (RFC 8200 §5): nothing larger could vanish."""
TRIES = 3
"""The first may be what makes a router on either way tell."""
_READ_BYTES = 65_536


async def comes_back(hosts: Sequence[Address], *, timeout_s: float) -> bool | None:
    """Whether any of a few large echo requests is answered; None when none could be sent.

    The others are asked only where the first is silent: some hosts answer small ones alone.

    Args:
        hosts: that answer small ones.
        timeout_s: how long to wait for each answer; all together take twice `TRIES` times as long.
    """
    first, *others = hosts
    told = [await _comes_back(first, timeout_s)]
    if told == [False]:
        told += await asyncio.gather(*(_comes_back(host, timeout_s) for host in others))
    known = {answered for answered in told if answered is not None}
    return any(known) if known else None


async def _comes_back(host: Address, timeout_s: float) -> bool | None:
    try:
        for seq in range(TRIES):
            # Each by a socket of its own: it knows of the path what was known when it was connected.
            with _connected(host) as sock:
                if _mtu_bytes(sock) <= _SMALLEST_MTU_BYTES and seq == 0:
                    return None
                if await _is_answered(sock, seq, timeout_s):
                    return True
    except OSError:
        return None
    return False


def _connected(host: Address) -> socket.socket:
    sock = _open()
    try:
        sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_DONTFRAG, 1)
        sock.connect(host.at(0))
    except OSError:
        sock.close()
        raise
    return sock


def _open() -> socket.socket:
    try:
        return socket.socket(socket.AF_INET6, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMPV6)
    except OSError:
        return socket.socket(socket.AF_INET6, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_ICMPV6)


def _mtu_bytes(sock: socket.socket) -> int:
    return sock.getsockopt(socket.IPPROTO_IPV6, _IPV6_MTU)


async def _is_answered(sock: socket.socket, seq: int, timeout_s: float) -> bool:
    ident, token = secrets.randbits(16), secrets.token_bytes(_mtu_bytes(sock) - _HEADERS_BYTES)
    request = packet.write_request(socket.AF_INET6, ident=ident, seq=seq, token=token)
    try:
        sock.send(request)
        async with asyncio.timeout(timeout_s):
            while True:
                data = await asyncio.get_running_loop().sock_recv(sock, _READ_BYTES)
                answer = packet.read_answer(data, socket.AF_INET6, has_ip_header=False)
                if answer is not None and _is_of(answer.token, token):
                    return True
    except TimeoutError:
        return False
    except OSError as e:
        # A router has told meanwhile: the next one will be smaller.
        if e.errno == errno.EMSGSIZE:
            return False
        raise


def _is_of(answered: bytes, token: bytes) -> bool:
    """Some hosts answer a large request by its beginning: it has come, at least."""
    return len(answered) >= packet.TOKEN_BYTES and token.startswith(answered)
