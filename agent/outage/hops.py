# SPDX-License-Identifier: Apache-2.0
"""Which host behind the gateway is the modem, and which is the operator's first?

Echo requests whose time to live runs out on the way are answered by whoever drops them (RFC 792, RFC 4443
§3.3), which the kernel tells by the socket's error queue (ip(7), IP_RECVERR): no privilege is needed. A hop
with a private address (RFC 1918, RFC 4193) that answers as fast as the gateway is taken for the modem; the
first one behind it for the operator's. An operator whose first hop is private and next door is mistaken for a
modem: then say in the configuration which is which.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent.echo import packet
from agent.echo.address import Address, parse
from agent.echo.ask import ask
from agent.echo.icmp import icmp_permission
from agent.echo.ledger import Outcome
from agent.echo.plan import evenly
from agent.outage.near import may_be_near

FARTHEST = 5
_EACH = 3
_EVERY_S = 0.1
_NEXT_DOOR_MS = 3.0
_BYTES = 512
_MSG_ERRQUEUE = 0x2000
_TIME_EXCEEDED = {socket.AF_INET: 11, socket.AF_INET6: 3}
_RECVERR = {socket.AF_INET: (socket.IPPROTO_IP, 11), socket.AF_INET6: (socket.IPPROTO_IPV6, 25)}
_HOPS = {
    socket.AF_INET: (socket.IPPROTO_IP, socket.IP_TTL),
    socket.AF_INET6: (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS),
}
_PROTOCOL = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
# linux/errqueue.h: struct sock_extended_err, then the offender's struct sockaddr.
_EXTENDED_ERR = struct.Struct("=IBBBBII")
_ADDRESS_AT = {socket.AF_INET: (4, 4), socket.AF_INET6: (8, 16)}


@dataclass(frozen=True, slots=True)
class Hops:
    """What lies behind the gateway; None where it is not there, or not to be heard."""

    modem: str | None = None
    first: str | None = None


async def find(anchor: str, gateway: str | None, *, timeout_s: float) -> Hops:
    """Look along the way to an anchor; a part that does not answer echo requests is of no use here."""
    if icmp_permission() == "denied":
        return Hops()
    target = parse(anchor)
    ways = await asyncio.gather(*(_at(target, hops, timeout_s) for hops in range(2, FARTHEST + 1)))
    found = [h for h in dict.fromkeys(h for h in ways if h) if h not in {anchor, gateway}]
    if not found:
        return Hops()
    asked = list(dict.fromkeys([*found, *([gateway] if gateway else [])]))
    answers = await ask(
        evenly([parse(h) for h in asked], every_s=_EVERY_S, count=_EACH * len(asked)),
        timeout_s=timeout_s,
        tcp_port=0,
    )
    return sorted_out(found, fastest(answers.outcomes), gateway)


def fastest(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Shortest round-trip time by host, of those that answered."""
    best: dict[str, float] = {}
    for outcome in outcomes:
        if outcome.rtt_ms is not None:
            host = outcome.address.host
            best[host] = min(best.get(host, outcome.rtt_ms), outcome.rtt_ms)
    return best


def sorted_out(found: Sequence[str], rtts_ms: Mapping[str, float], gateway: str | None) -> Hops:
    """Which hop is which."""
    near_ms = rtts_ms.get(gateway or "", 0.0) + _NEXT_DOOR_MS
    modem = next((h for h in found[:1] if may_be_near(h) and rtts_ms.get(h, near_ms) < near_ms), None)
    behind = [h for h in found if h != modem and h in rtts_ms]
    return Hops(modem, behind[0] if behind else None)


async def _at(target: Address, hops: int, timeout_s: float) -> str | None:
    """Who drops a request that may pass so many hosts."""
    family = target.family
    kind = socket.SOCK_RAW if icmp_permission(family) == "raw" else socket.SOCK_DGRAM
    opened = (family, kind | socket.SOCK_NONBLOCK, _PROTOCOL[family])
    with contextlib.suppress(OSError, TimeoutError), socket.socket(*opened) as sock:
        sock.setsockopt(*_RECVERR[family], 1)
        sock.setsockopt(*_HOPS[family], hops)
        ident = secrets.randbits(16)
        sock.sendto(packet.write_request(family, ident=ident, seq=hops, token=b""), target.at(0))
        async with asyncio.timeout(timeout_s):
            return await _offender(sock, family, (ident, hops) if kind == socket.SOCK_RAW else None)
    return None


async def _offender(
    sock: socket.socket, family: socket.AddressFamily, ours: tuple[int, int] | None
) -> str | None:
    """Who sent an error about our request; None when the target itself answers.

    A raw socket (`ours` is given) sees everybody's answers and errors.
    """
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sock, ready.set)
    try:
        while True:
            await ready.wait()
            ready.clear()
            try:
                quoted, ancillary, _, _ = sock.recvmsg(_BYTES, _BYTES, _MSG_ERRQUEUE)
            except BlockingIOError:
                if ours is None or _has_answer(sock, family, ours):
                    return None
                continue
            if ours in {None, packet.quoted_request(quoted, family)}:
                found = (data for level, kind, data in ancillary if (level, kind) == _RECVERR[family])
                return next((offender_of(data, family) for data in found), None)
    finally:
        loop.remove_reader(sock)


def _has_answer(sock: socket.socket, family: socket.AddressFamily, ours: tuple[int, int]) -> bool:
    """Whether the target itself has answered; takes everything off the raw socket."""
    found = False
    with contextlib.suppress(OSError):
        while True:
            data = sock.recv(_BYTES)
            answer = packet.read_answer(data, family, has_ip_header=family == socket.AF_INET)
            found |= answer is not None and (answer.ident, answer.seq) == ours
    return found


def offender_of(data: bytes, family: socket.AddressFamily) -> str | None:
    """Who sent the error, if it says that the time to live has run out."""
    at, size = _ADDRESS_AT[family]
    at += _EXTENDED_ERR.size
    if len(data) < at + size or _EXTENDED_ERR.unpack_from(data)[2] != _TIME_EXCEEDED[family]:
        return None
    return socket.inet_ntop(family, data[at : at + size])
