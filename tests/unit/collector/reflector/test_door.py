# SPDX-License-Identifier: Apache-2.0
"""Who stands at a door of the reflector, who has to go, and what stops it from taking the next?"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from collector.reflector.door import Answer, Door

HOST = "127.0.0.1"


@contextlib.asynccontextmanager
async def opened(door: Door, answer: Answer) -> AsyncIterator[tuple[int, asyncio.Task[None]]]:
    """Its port, and the task that takes connections."""
    with socket.create_server((HOST, 0)) as listener:
        opening = asyncio.create_task(door.open(listener, answer))
        yield listener.getsockname()[1], opening
        opening.cancel()
        await asyncio.gather(opening, return_exceptions=True)


def guest_book(door: Door, *, welcome: bool = False) -> Answer:
    """Answers with one byte and reads on."""

    async def answer(sock: socket.socket, _address: str) -> None:
        with sock:
            if welcome:
                door.welcome()
            await asyncio.get_running_loop().sock_sendall(sock, b"!")
            await asyncio.get_running_loop().sock_recv(sock, 1)

    return answer


@pytest.fixture
def street() -> Iterator[list[socket.socket]]:
    """All who came, until the end."""
    came: list[socket.socket] = []
    yield came
    for sock in came:
        sock.close()


async def come(street: list[socket.socket], port: int, last: int) -> socket.socket:
    """A connection from 127.0.0.x that has been answered, or cut."""
    street.append(sock := socket.socket())
    sock.setblocking(False)
    sock.bind((f"127.0.0.{last}", 0))
    await asyncio.get_running_loop().sock_connect(sock, (HOST, port))
    with contextlib.suppress(OSError):
        await asyncio.get_running_loop().sock_recv(sock, 1)
    return sock


async def is_inside(sock: socket.socket) -> bool:
    try:
        async with asyncio.timeout(0.1):
            return await asyncio.get_running_loop().sock_recv(sock, 1) != b""
    except TimeoutError:
        return True
    except OSError:
        return False


async def test_of_too_many_strangers_the_oldest_goes(street: list[socket.socket]) -> None:
    door = Door(strangers=3)
    async with opened(door, guest_book(door)) as (port, _):
        guests = [await come(street, port, last) for last in range(1, 6)]
        assert [await is_inside(guest) for guest in guests] == [False, False, True, True, True]


async def test_of_too_many_of_one_place_the_newest_stays_outside(street: list[socket.socket]) -> None:
    door = Door(of_a_place=2)
    async with opened(door, guest_book(door)) as (port, _):
        guests = [await come(street, port, last) for last in (1, 1, 1, 2)]
        assert [await is_inside(guest) for guest in guests] == [True, True, False, True]


async def test_who_is_welcome_takes_no_strangers_place(street: list[socket.socket]) -> None:
    door = Door(strangers=1, of_a_place=1)
    async with opened(door, guest_book(door, welcome=True)) as (port, _):
        guests = [await come(street, port, 1) for _ in range(5)]
        assert all([await is_inside(guest) for guest in guests])


async def test_who_has_gone_leaves_his_place_to_another(street: list[socket.socket]) -> None:
    door = Door(of_a_place=1)

    async def answer(sock: socket.socket, _address: str) -> None:
        sock.close()

    async with opened(door, answer) as (port, _):
        for _ in range(20):
            assert not await is_inside(await come(street, port, 1))
        assert not door._places
        assert not door._strangers
        assert not door._inside


async def test_one_connection_that_fails_is_logged_and_harms_no_other(
    street: list[socket.socket],
    caplog: pytest.LogCaptureFixture,
) -> None:
    door, book = Door(), guest_book(Door())

    async def answer(sock: socket.socket, address: str) -> None:
        if address == "127.0.0.1":
            sock.close()
            raise RuntimeError("a fault of ours")
        await book(sock, address)

    async with opened(door, answer) as (port, _):
        assert [await is_inside(await come(street, port, last)) for last in (1, 2)] == [False, True]
    assert "a fault of ours" in caplog.text


@pytest.mark.parametrize("code", [errno.ECONNABORTED, errno.EPROTO, errno.EMFILE, errno.ENOBUFS, errno.EPERM])
async def test_whatever_fails_in_taking_one_the_next_is_taken(
    street: list[socket.socket], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop, door = asyncio.get_running_loop(), Door()
    accept, failures = loop.sock_accept, [OSError(code, "once"), OSError(code, "twice")]

    async def sock_accept(listener: socket.socket) -> Any:
        if failures:
            raise failures.pop()
        return await accept(listener)

    monkeypatch.setattr(loop, "sock_accept", sock_accept)
    async with opened(door, guest_book(door)) as (port, _):
        assert await is_inside(await come(street, port, 1))
    assert not failures


async def test_a_listener_that_is_gone_ends_the_door() -> None:
    door = Door()
    listener = socket.create_server((HOST, 0))
    listener.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        async with asyncio.timeout(5):
            await door.open(listener, guest_book(door))
