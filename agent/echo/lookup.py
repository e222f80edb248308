# SPDX-License-Identifier: Apache-2.0
"""What does this resolver say about this name, and how long does it take?

One datagram per attempt, each from a new port with a new random id. A datagram that is not the answer is
passed over and waiting goes on, so a forged one cannot end the lookup. An answer too long for a datagram is
asked for again over TCP only by `look_up_whole`: that it came is enough for the others.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from dataclasses import dataclass, replace

from agent.contract.reason import Reason
from agent.echo import message
from agent.echo.address import Address
from agent.echo.ledger import in_ms
from agent.echo.message import BadMessage, DnsAnswer, RecordType
from agent.echo.problem import NoAnswer, reason_of

DNS_PORT = 53
_MESSAGE_BYTES = 4096
_LENGTH_BYTES = 2

_REASONS = {
    message.NOERROR: None,
    message.SERVFAIL: Reason.DNS_SERVER_FAILURE,
    message.NXDOMAIN: Reason.NAME_UNKNOWN,
    message.REFUSED: Reason.REFUSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """What came of asking one resolver.

    Attributes:
        attempts: queries sent.
        answer: a valid response, whatever it says; None when none came.
        lookup_ms: time from the last query to the valid response.
        reason: why there is no usable answer.
        detail: one line about it.
    """

    attempts: int
    answer: DnsAnswer | None = None
    lookup_ms: float | None = None
    reason: Reason | None = None
    detail: str | None = None

    @property
    def is_of_use(self) -> bool:
        """Whether it says what the name means, or that there is no such name; SERVFAIL does not."""
        return self.answer is not None and self.reason in {None, Reason.NAME_UNKNOWN}


async def look_up(
    resolver: Address,
    name: str,
    *,
    timeout_s: float,
    attempts: int = 1,
    port: int = DNS_PORT,
    kind: RecordType = RecordType.A,
) -> Lookup:
    """Ask one resolver; every failure is in the answer, none is raised."""
    problem = NoAnswer(Reason.INTERNAL, "not asked")
    sent = 0
    for _ in range(attempts):
        question = message.write_question(name, ident=secrets.randbits(16), kind=kind)
        try:
            answer, lookup_ms = await _exchange(resolver, port, question, kind=kind, timeout_s=timeout_s)
        except NoAnswer as e:
            sent += e.reason not in {Reason.NETWORK_DOWN, Reason.NOT_PERMITTED}
            problem = e
        else:
            return _judged(answer, lookup_ms, sent + 1)
    return Lookup(attempts=sent, reason=problem.reason, detail=problem.detail)


async def look_up_whole(
    resolver: Address, name: str, *, timeout_s: float, port: int = DNS_PORT, kind: RecordType = RecordType.A
) -> Lookup:
    """Likewise, for whoever needs the addresses: over TCP what does not fit a datagram (RFC 7766 §5)."""
    found = await look_up(resolver, name, timeout_s=timeout_s, port=port, kind=kind)
    if found.answer is None or not found.answer.truncated:
        return found
    question = message.write_question(name, ident=secrets.randbits(16), kind=kind)
    try:
        answer, lookup_ms = await _exchange_by_tcp(resolver, port, question, kind=kind, timeout_s=timeout_s)
    except NoAnswer as e:
        return replace(
            found, reason=e.reason, detail=f"the answer does not fit a datagram, and over TCP: {e.detail}"
        )
    return _judged(answer, lookup_ms, found.attempts + 1)


def _judged(answer: DnsAnswer, lookup_ms: float, attempts: int) -> Lookup:
    reason = _REASONS.get(answer.rcode, Reason.BAD_ANSWER)
    detail = None if reason is None else f"the resolver answered with code {answer.rcode}"
    return Lookup(attempts=attempts, answer=answer, lookup_ms=lookup_ms, reason=reason, detail=detail)


async def _exchange(
    resolver: Address, port: int, question: bytes, *, kind: RecordType, timeout_s: float
) -> tuple[DnsAnswer, float]:
    strays: list[BadMessage] = []
    try:
        with socket.socket(resolver.family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
            sock.connect(resolver.at(port))
            start_ns = time.monotonic_ns()
            sock.send(question)
            async with asyncio.timeout(timeout_s):
                answer = await _answer(sock, question, kind, strays)
                return answer, in_ms(time.monotonic_ns() - start_ns)
    except TimeoutError as e:
        if strays:
            raise NoAnswer(Reason.BAD_ANSWER, str(strays[-1])) from e
        raise NoAnswer(Reason.TIMEOUT, f"no answer within {timeout_s:g} s") from e
    except OSError as e:
        raise NoAnswer(reason_of(e), str(e)) from e


async def _exchange_by_tcp(
    resolver: Address, port: int, question: bytes, *, kind: RecordType, timeout_s: float
) -> tuple[DnsAnswer, float]:
    loop = asyncio.get_running_loop()
    try:
        with socket.socket(resolver.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as sock:
            start_ns = time.monotonic_ns()
            async with asyncio.timeout(timeout_s):
                await loop.sock_connect(sock, resolver.at(port))
                await loop.sock_sendall(sock, len(question).to_bytes(_LENGTH_BYTES) + question)
                length = int.from_bytes(await _exactly(sock, _LENGTH_BYTES))
                answer = message.read_answer(await _exactly(sock, length), question=question, kind=kind)
                return answer, in_ms(time.monotonic_ns() - start_ns)
    except BadMessage as e:
        raise NoAnswer(Reason.BAD_ANSWER, str(e)) from e
    except TimeoutError as e:
        raise NoAnswer(Reason.TIMEOUT, f"no answer within {timeout_s:g} s") from e
    except OSError as e:
        raise NoAnswer(reason_of(e), str(e)) from e


async def _exactly(sock: socket.socket, count: int) -> bytes:
    loop, data = asyncio.get_running_loop(), b""
    while len(data) < count:
        more = await loop.sock_recv(sock, count - len(data))
        if not more:
            raise BadMessage("the connection ended before the answer did")
        data += more
    return data


async def _answer(
    sock: socket.socket, question: bytes, kind: RecordType, strays: list[BadMessage]
) -> DnsAnswer:
    loop = asyncio.get_running_loop()
    while True:
        data = await loop.sock_recv(sock, _MESSAGE_BYTES)
        try:
            return message.read_answer(data, question=question, kind=kind)
        except BadMessage as e:
            strays[:] = [e]
            # In a flood there is always one more to take, and nobody else would get a turn: not the time-out.
            await asyncio.sleep(0)
