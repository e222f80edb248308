# SPDX-License-Identifier: Apache-2.0
"""How fast does a host answer a TCP connection, where echo requests are not permitted?

The kernel's own figure for the handshake (`tcpi_rtt`, tcp(7)) is used, so a busy event loop does not lengthen
it. A handshake that needed a second SYN was answered, but the answer to the first may have been lost: it
counts as late. Which SYN was answered is known by time stamps (RFC 7323): the kernel's figure is then true.
A refusal is an answer of somebody on the way; it is marked, because a router may refuse in the name of a dead
host. Costs about 220 bytes at the IP layer for each connection, three times as much as an echo request.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time

from agent.contract.reason import Reason
from agent.echo.address import Address
from agent.echo.ledger import Outcome, in_ms
from agent.echo.problem import reason_of

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
# linux/tcp.h, struct tcp_info: 8 bytes, then 32-bit words.
_TCP_INFO = struct.Struct("=8x24I")
_RTT_US = 15
_TOTAL_RETRANS = 23
# The first SYN is sent again after a second (RFC 6298 §2).
_SYN_AGAIN_NS = 1_000_000_000


async def connect(address: Address, *, timeout_s: float, port: int) -> Outcome:
    """Open one connection and close it at once."""
    loop = asyncio.get_running_loop()
    try:
        sock = socket.socket(address.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    except OSError as e:
        return Outcome(address=address, sent=False, reason=reason_of(e))
    with sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        start_ns = time.monotonic_ns()
        try:
            async with asyncio.timeout(timeout_s):
                await loop.sock_connect(sock, address.at(port))
        except TimeoutError:
            return Outcome(address=address, reason=Reason.TIMEOUT)
        except OSError as e:
            return _failed(sock, address, reason_of(e), time.monotonic_ns() - start_ns)
        return _answered(sock, address, refused=False, elapsed_ns=time.monotonic_ns() - start_ns)


def _failed(sock: socket.socket, address: Address, reason: Reason, elapsed_ns: int) -> Outcome:
    if reason == Reason.REFUSED:
        return _answered(sock, address, refused=True, elapsed_ns=elapsed_ns)
    was_sent = reason in {Reason.UNREACHABLE, Reason.TIMEOUT}
    return Outcome(address=address, sent=was_sent, reason=reason)


def _answered(sock: socket.socket, address: Address, *, refused: bool, elapsed_ns: int) -> Outcome:
    words = _TCP_INFO.unpack(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size))
    kernels_ns = words[_RTT_US] * 1000
    if words[_TOTAL_RETRANS]:
        is_first = kernels_ns > 0 and elapsed_ns - kernels_ns < _SYN_AGAIN_NS // 2
        first_ms = in_ms(kernels_ns) if is_first else None
        return Outcome(
            address=address, late=True, refused=refused, first_syn_ms=first_ms, reason=Reason.TIMEOUT
        )
    rtt_ns = elapsed_ns if refused else kernels_ns
    return Outcome(address=address, rtt_ms=in_ms(rtt_ns), refused=refused)
