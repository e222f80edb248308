# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio

import pytest

from agent.echo import lookup
from agent.outage import asker
from agent.outage.asker import Asker
from agent.outage.watch import Ask
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
