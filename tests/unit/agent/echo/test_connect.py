# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import Iterator
from typing import cast
from unittest import mock

import pytest

from agent.contract.reason import Reason
from agent.echo import connect
from agent.echo.address import parse
from agent.echo.ledger import Outcome
from tests.unit.agent.echo.peers import free_port, listening, open_sockets

HOST = parse("127.0.0.1")


async def ask_one(port: int, timeout_s: float = 5) -> Outcome:
    return await connect.connect(HOST, timeout_s=timeout_s, port=port)


async def test_listener_answers() -> None:
    with listening() as port:
        outcome = await ask_one(port)
    assert outcome.rtt_ms is not None
    assert not outcome.refused


async def test_refusal_is_an_answer_and_marked() -> None:
    outcome = await ask_one(free_port())
    assert outcome.rtt_ms is not None
    assert outcome.refused


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENETUNREACH, Outcome(address=HOST, sent=False, reason=Reason.NETWORK_DOWN)),
        (errno.EPERM, Outcome(address=HOST, sent=False, reason=Reason.NOT_PERMITTED)),
        (errno.EHOSTUNREACH, Outcome(address=HOST, reason=Reason.UNREACHABLE)),
        (errno.ETIMEDOUT, Outcome(address=HOST, reason=Reason.TIMEOUT)),
    ],
)
async def test_failure_to_connect_says_why(number: int, expected: Outcome) -> None:
    with mock.patch.object(socket.socket, "connect", side_effect=OSError(number, "no")):
        assert await ask_one(1) == expected


async def test_silence_is_a_timeout() -> None:
    with silent_handshakes():
        assert await ask_one(1, timeout_s=0.02) == Outcome(address=HOST, reason=Reason.TIMEOUT)


async def test_handshake_that_needed_a_second_syn_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    words = [0] * 24
    words[connect._TOTAL_RETRANS] = 1
    with listening() as port, mock.patch.object(connect, "_TCP_INFO") as layout:
        layout.size, layout.unpack.return_value = 104, words
        assert await ask_one(port) == Outcome(address=HOST, late=True, reason=Reason.TIMEOUT)


@pytest.mark.parametrize(
    ("kernels_us", "first_syn_ms"),
    [(1_200_000, 1200.0), (200_000, None), (0, None)],
    ids=["the first was answered", "the second was answered", "without time stamps"],
)
async def test_of_a_second_syn_time_stamps_tell_whether_the_first_was_answered(
    kernels_us: int, first_syn_ms: float | None
) -> None:
    words = [0] * 24
    words[connect._TOTAL_RETRANS], words[connect._RTT_US] = 1, kernels_us
    moments = iter([0, 1_201_000_000])
    with (
        listening() as port,
        mock.patch.object(connect, "_TCP_INFO") as layout,
        mock.patch("agent.echo.connect.time.monotonic_ns", side_effect=lambda: next(moments)),
    ):
        layout.size, layout.unpack.return_value = 104, words
        outcome = await connect.connect(HOST, timeout_s=5, port=port)
    assert outcome == Outcome(address=HOST, late=True, first_syn_ms=first_syn_ms, reason=Reason.TIMEOUT)


async def test_time_is_the_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    info = bytearray(struct.calcsize("=8x24I"))
    struct.pack_into("=I", info, 8 + 4 * 15, 25_120)
    with listening() as port, mock.patch.object(socket.socket, "getsockopt", fake_info(bytes(info))):
        assert (await ask_one(port)).rtt_ms == 25.12


async def test_host_without_sockets_says_why() -> None:
    with mock.patch.object(socket, "socket", side_effect=OSError(errno.EAFNOSUPPORT, "no IPv6 here")):
        outcome = await connect.connect(HOST, timeout_s=1, port=1)
    assert outcome == Outcome(address=HOST, sent=False, reason=Reason.NETWORK_DOWN)


async def test_cancelled_round_leaves_no_socket() -> None:
    before = open_sockets()
    with silent_handshakes() as begun:
        task = asyncio.create_task(ask_one(1))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert open_sockets() == before


@contextlib.contextmanager
def silent_handshakes() -> Iterator[asyncio.Event]:
    """No handshake ends; the event tells that one has begun."""
    begun = asyncio.Event()

    async def never(*_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    with mock.patch.object(asyncio.get_running_loop(), "sock_connect", new=cast("mock.AsyncMock", never)):
        yield begun


def fake_info(info: bytes) -> object:
    real = socket.socket.getsockopt

    def getsockopt(self: socket.socket, level: int, option: int, *size: int) -> int | bytes:
        if (level, option) == (socket.IPPROTO_TCP, socket.TCP_INFO):
            return info
        return real(self, level, option, *size)

    return getsockopt
