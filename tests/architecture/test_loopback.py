# SPDX-License-Identifier: Apache-2.0
"""Are tests really kept on this machine?"""

from __future__ import annotations

import asyncio
import socket

import pytest

from tests.setup import loopback

ELSEWHERE = ("192.0.2.1", 9)


@pytest.mark.parametrize("call", ["connect", "connect_ex", "sendto"])
def test_socket_is_stopped_when_it_leaves_the_machine(call: str) -> None:
    arguments = (b"x", ELSEWHERE) if call == "sendto" else (ELSEWHERE,)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        loopback.only() as attempts,
        pytest.raises(loopback.LeftTheMachine),
    ):
        getattr(sock, call)(*arguments)
    assert attempts == ["192.0.2.1 port 9"]


async def test_asyncio_is_stopped_too() -> None:
    with loopback.only() as attempts, pytest.raises(loopback.LeftTheMachine):
        await asyncio.open_connection(*ELSEWHERE)
    assert attempts


def test_name_is_not_looked_up() -> None:
    with loopback.only() as attempts, pytest.raises(loopback.LeftTheMachine):
        socket.getaddrinfo("example.org", 80)
    assert attempts == ["the name example.org"]


def test_name_that_can_never_exist_does_not_exist() -> None:
    with loopback.only() as attempts, pytest.raises(socket.gaierror):
        socket.getaddrinfo("broker.invalid", 1883)
    assert not attempts


def test_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, loopback.only() as attempts:
        socket.create_connection(server.getsockname()[:2]).close()
        socket.getaddrinfo("localhost", 80)
    assert not attempts
