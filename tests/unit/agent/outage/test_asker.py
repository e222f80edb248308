# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import pytest

from agent.echo import knock, lookup
from agent.echo.address import Address, parse
from agent.echo.way import Way
from agent.outage import asker
from agent.outage.asker import Asker
from agent.outage.rota import Ask
from tests.unit.agent.echo.peers import resolving, says


@pytest.mark.parametrize(("rcode", "fails"), [(0, False), (3, False), (2, True), (5, True)])
async def test_a_resolver_that_says_it_cannot_is_told_as_failing(
    rcode: int, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[int, bool]] = []
    async with resolving(says(rcode)) as (_, port):

        async def look_up(*arguments: object, **options: object) -> lookup.Lookup:
            return await lookup.look_up(*arguments, **options, port=port)  # type: ignore[arg-type]

        monkeypatch.setattr(asker, "look_up", look_up)
        arrived = asyncio.Event()
        asking = Asker(
            lambda number, _at_s, is_failure: told.append((number, is_failure)),
            arrived.set,
            dns_name="example.org",
            timeout_s=2.0,
            tcp_port=443,
        )
        asking.send(Ask(7, "dns", "127.0.0.1"))
        await asyncio.wait_for(arrived.wait(), 3)
        await asking.close()
    assert told == [(7, fails)]


@pytest.mark.parametrize(("listens_at", "fails"), [("127.0.0.1", False), ("0.0.0.0", True)])
async def test_an_anchor_is_heard_by_a_connection_unless_everybody_accepts_it(
    listens_at: str, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(knock.NOBODY, socket.AF_INET, parse("127.0.0.2"))
    told: list[tuple[int, bool]] = []
    with socket.create_server((listens_at, 0)) as server:
        asking = Asker(
            lambda number, _at_s, is_failure: told.append((number, is_failure)),
            lambda: None,
            dns_name="",
            timeout_s=2.0,
            tcp_port=server.getsockname()[1],
        )
        asking.send(Ask(7, "anchors", "127.0.0.1", "connection"))
        await asyncio.gather(*asking._tasks)
        await asking.close()
    assert told == [(7, fails)]


@pytest.mark.parametrize("way", ["connection", "echo"])
async def test_an_anchor_that_refuses_while_nobody_does_is_heard(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asker, "icmp_permission", lambda: "denied")
    told: list[tuple[int, bool]] = []
    with silent_socket() as (nobody, port):
        monkeypatch.setitem(knock.NOBODY, socket.AF_INET, nobody)
        asking = Asker(
            lambda number, _at_s, is_failure: told.append((number, is_failure)),
            lambda: None,
            dns_name="",
            timeout_s=1.0,
            tcp_port=port,
        )
        asking.send(Ask(7, "anchors", "127.0.0.1", way))
        await asyncio.gather(*asking._tasks)
        await asking.close()
    assert told == ([(7, False)] if way == "connection" else [])


@contextlib.contextmanager
def silent_socket() -> Iterator[tuple[Address, int]]:
    """An address that leaves handshakes unanswered: its listener has no room left."""
    with socket.create_server(("127.0.0.3", 0), backlog=0) as server:
        port = server.getsockname()[1]
        with contextlib.ExitStack() as filled:
            for _ in range(3):
                client = filled.enter_context(socket.socket())
                client.setblocking(False)
                client.connect_ex(("127.0.0.3", port))
            yield parse("127.0.0.3"), port
