# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from agent.contract.reason import Reason
from agent.echo import connect, knock
from agent.echo.address import Address, parse
from agent.echo.ledger import Outcome
from tests.unit.agent.echo.peers import free_port, open_sockets

HOST, NOBODY = parse("127.0.0.1"), parse("127.0.0.2")


@pytest.fixture(autouse=True)
def _nobody_is_near(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(knock.NOBODY, socket.AF_INET, NOBODY)


@pytest.fixture
def host_port() -> Iterator[int]:
    """Only the host accepts connections there."""
    with socket.create_server((HOST.host, 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def everybody_port() -> Iterator[int]:
    """Each address accepts connections there, as an accelerator does."""
    with socket.create_server(("0.0.0.0", 0)) as server:
        yield server.getsockname()[1]


async def test_a_host_that_accepts_while_nobody_does_has_answered(host_port: int) -> None:
    outcome = await knock.knock(HOST, port=host_port, timeout_s=5)
    assert outcome.rtt_ms is not None
    assert outcome.reason is None


async def test_what_is_accepted_in_nobodys_name_is_no_answer(everybody_port: int) -> None:
    outcome = await knock.knock(HOST, port=everybody_port, timeout_s=5)
    assert (outcome.answered, outcome.sent, outcome.reason) == (False, True, Reason.UNTRUE)


async def test_an_impostor_that_takes_its_time_is_found(
    host_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = connect.connect

    async def slow(address: Address, *, timeout_s: float, port: int) -> Outcome:
        if address == NOBODY:
            await asyncio.sleep(0.1)
        return await real(HOST, timeout_s=timeout_s, port=port)

    monkeypatch.setattr(connect, "connect", slow)
    assert (await knock.knock(HOST, port=host_port, timeout_s=5)).reason == Reason.UNTRUE


async def test_a_refusal_is_told_as_such_and_not_waited_for() -> None:
    assert (await knock.knock(HOST, port=free_port(), timeout_s=5)).refused


async def test_nothing_stays_open(host_port: int) -> None:
    before = open_sockets()
    await knock.knock(HOST, port=host_port, timeout_s=5)
    assert open_sockets() == before


async def test_who_knocks_again_asks_nobody_once(host_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = counted(monkeypatch)
    knocker = knock.Knocker()
    for _ in range(3):
        assert (await knocker.knock(HOST, port=host_port, timeout_s=5)).rtt_ms is not None
    await knocker.close()
    assert (asked.count(HOST), asked.count(NOBODY)) == (3, 1)


async def test_who_knocks_again_finds_an_impostor_that_came_in_the_meantime(
    everybody_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = free_port()
    monkeypatch.setattr(knock, "_CHECKED_EVERY_S", 0.0)
    knocker = knock.Knocker()
    with socket.create_server((HOST.host, free)):
        assert (await knocker.knock(HOST, port=free, timeout_s=5)).rtt_ms is not None
    # Still believed: while nobody is asked, the answer is told.
    assert (await knocker.knock(HOST, port=everybody_port, timeout_s=5)).rtt_ms is not None
    await asyncio.gather(*knocker._checks.values())
    outcome = await knocker.knock(HOST, port=everybody_port, timeout_s=5)
    await knocker.close()
    assert outcome.reason == Reason.UNTRUE


async def test_a_refusal_is_only_believed_where_nobody_refuses(
    host_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = counted(monkeypatch)
    knocker = knock.Knocker()
    await knocker.knock(HOST, port=host_port, timeout_s=5)
    outcome = await knocker.knock(HOST, port=free_port(), timeout_s=5)
    await knocker.close()
    # Here nobody refuses as well, as each address of this machine does.
    assert asked.count(NOBODY) == 2
    assert (outcome.answered, outcome.reason) == (False, Reason.UNTRUE)


def counted(monkeypatch: pytest.MonkeyPatch) -> list[Address]:
    """To whom connections are made."""
    real, asked = connect.connect, []

    async def counting(address: Address, *, timeout_s: float, port: int) -> Outcome:
        asked.append(address)
        return await real(address, timeout_s=timeout_s, port=port)

    monkeypatch.setattr(connect, "connect", counting)
    return asked
