# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable
from unittest import mock

import pytest

from agent.contract.reason import Reason
from agent.echo.address import parse
from agent.echo.lookup import Lookup, look_up, look_up_whole
from tests.unit.agent.echo.peers import (
    free_port,
    open_sockets,
    resolving,
    resolving_by_tcp,
    says,
    silence,
    truncates,
)

HOST = parse("127.0.0.1")
NAME = "example.org"
Answer = Callable[[bytes], list[bytes]]


async def test_answer_has_a_time_and_addresses() -> None:
    async with resolving(says(0, "192.0.2.1", "192.0.2.2")) as (_, port):
        found = await look_up(HOST, NAME, timeout_s=5, port=port)
    assert found.answer is not None
    assert found.answer.addresses == ("192.0.2.1", "192.0.2.2")
    assert found.lookup_ms is not None
    assert (found.reason, found.attempts) == (None, 1)


@pytest.mark.parametrize(
    ("rcode", "reason"),
    [
        (2, Reason.DNS_SERVER_FAILURE),
        (3, Reason.NAME_UNKNOWN),
        (5, Reason.REFUSED),
        (1, Reason.BAD_ANSWER),
        (4, Reason.BAD_ANSWER),
    ],
)
async def test_error_code_is_a_reason(rcode: int, reason: Reason) -> None:
    async with resolving(says(rcode)) as (_, port):
        found = await look_up(HOST, NAME, timeout_s=5, port=port)
    assert found.reason == reason
    assert found.answer is not None
    assert found.answer.rcode == rcode


async def test_silence_is_a_timeout_after_all_attempts() -> None:
    async with resolving(silence) as (server, port):
        found = await look_up(HOST, NAME, timeout_s=0.02, attempts=3, port=port)
    assert found == Lookup(attempts=3, reason=Reason.TIMEOUT, detail="no answer within 0.02 s")
    assert len({query[:2] for query in server.queries}) > 1


async def test_second_attempt_can_succeed() -> None:
    async with resolving(silence, says(0, "192.0.2.1")) as (_, port):
        found = await look_up(HOST, NAME, timeout_s=0.3, attempts=2, port=port)
    assert (found.reason, found.attempts) == (None, 2)


async def test_stray_datagram_does_not_end_the_lookup() -> None:
    def strays_first(query: bytes) -> list[bytes]:
        forged = says(0, "192.0.2.66")(bytes([query[0] ^ 1]) + query[1:])
        return [b"", b"noise", *forged, *says(0, "192.0.2.1")(query)]

    async with resolving(strays_first) as (_, port):
        found = await look_up(HOST, NAME, timeout_s=5, port=port)
    assert found.answer is not None
    assert found.answer.addresses == ("192.0.2.1",)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2"])
async def test_right_answer_from_another_port_or_address_is_not_taken(host: str) -> None:
    loop = asyncio.get_running_loop()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other,
    ):
        asked.setblocking(False)
        asked.bind((HOST.host, 0))
        other.bind((host, 0))
        lookup = asyncio.create_task(look_up(HOST, NAME, timeout_s=5, port=asked.getsockname()[1]))
        query, client = await loop.sock_recvfrom(asked, 512)
        (forged,), (true,) = says(0, "192.0.2.66")(query), says(0, "192.0.2.1")(query)
        assert other.sendto(forged, client) == len(forged)
        await asyncio.sleep(0.05)
        assert not lookup.done()
        asked.sendto(true, client)
        found = await lookup
    assert found.answer is not None
    assert found.answer.addresses == ("192.0.2.1",)


async def test_only_stray_datagrams_are_a_bad_answer() -> None:
    async with resolving(lambda _: [b"noise"]) as (_, port):
        found = await look_up(HOST, NAME, timeout_s=0.2, port=port)
    assert (found.reason, found.attempts) == (Reason.BAD_ANSWER, 1)


async def test_nobody_at_the_port_is_a_refusal() -> None:
    found = await look_up(HOST, NAME, timeout_s=5, port=free_port(socket.SOCK_DGRAM))
    assert (found.reason, found.lookup_ms, found.attempts) == (Reason.REFUSED, None, 1)


async def test_question_that_cannot_be_sent_is_no_attempt() -> None:
    with mock.patch.object(socket.socket, "connect", side_effect=OSError(errno.ENETUNREACH, "no")):
        found = await look_up(HOST, NAME, timeout_s=5, attempts=2)
    assert (found.reason, found.attempts) == (Reason.NETWORK_DOWN, 0)


async def test_cancelled_lookup_leaves_no_socket() -> None:
    async with resolving(silence) as (server, port):
        before = open_sockets()
        task = asyncio.create_task(look_up(HOST, NAME, timeout_s=1000, port=port))
        await server.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert open_sockets() == before


async def test_a_flood_of_strays_does_not_outlast_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Always one more has come, as on a way that is full of them; the test itself ends after a while."""
    loop, left = asyncio.get_running_loop(), 300_000

    async def flooded(*_: object) -> bytes:
        nonlocal left
        left -= 1
        if not left:
            await asyncio.Event().wait()
        return b"noise"

    monkeypatch.setattr(loop, "sock_recv", flooded)
    async with resolving(silence) as (_, port):
        found = await look_up(HOST, NAME, timeout_s=0.05, port=port)
    assert (found.reason, left > 0) == (Reason.BAD_ANSWER, True)


@pytest.mark.parametrize("pieces", [1, 1000])
async def test_what_does_not_fit_a_datagram_is_asked_for_over_tcp(pieces: int) -> None:
    many = [f"198.51.100.{n}" for n in range(60)]
    async with (
        resolving(truncates) as (_, port),
        resolving_by_tcp(port, says(0, *many), pieces=pieces),
    ):
        short = await look_up(HOST, NAME, timeout_s=5, port=port)
        whole = await look_up_whole(HOST, NAME, timeout_s=5, port=port)
    assert short.answer is not None
    assert (short.reason, short.answer.truncated, short.answer.addresses) == (None, True, ())
    assert whole.answer is not None
    assert (whole.reason, whole.attempts, whole.answer.addresses) == (None, 2, tuple(many))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, Reason.REFUSED),
        (silence, Reason.BAD_ANSWER),
        (lambda _: [b"noise"], Reason.BAD_ANSWER),
        (says(2), Reason.DNS_SERVER_FAILURE),
    ],
)
async def test_no_whole_answer_over_tcp_either_has_a_reason(answer: Answer | None, reason: Reason) -> None:
    async with resolving(truncates) as (_, port), contextlib.AsyncExitStack() as stack:
        if answer is not None:
            await stack.enter_async_context(resolving_by_tcp(port, answer))
        before = open_sockets()
        found = await look_up_whole(HOST, NAME, timeout_s=5, port=port)
        assert open_sockets() <= before + 1
    assert found.reason == reason


async def test_silence_over_tcp_is_a_timeout() -> None:
    async with resolving(truncates) as (_, port):
        with socket.create_server((HOST.host, port)):
            found = await look_up_whole(HOST, NAME, timeout_s=0.1, port=port)
    assert (found.reason, "over TCP" in (found.detail or "")) == (Reason.TIMEOUT, True)
