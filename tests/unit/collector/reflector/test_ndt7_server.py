# SPDX-License-Identifier: Apache-2.0
"""Is an NDT7 client bound by what it really sends, and by the token it shows in either way?"""

from __future__ import annotations

import time

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from agent.contract.ndt7 import SUBPROTOCOL
from collector.reflector.listening import listening_for_ndt7
from collector.reflector.options import Ndt7Options
from tests.parts.reflector import DEVICE, generous_gate

HERE = Ndt7Options(host="127.0.0.1", port=0)
PROTOCOLS = [Subprotocol(SUBPROTOCOL)]
MEGABYTE = 1_000_000


async def send_on_and_on(client: ClientConnection, said: str | bytes) -> None:
    for _ in range(1000):
        await client.send(said)


@pytest.mark.parametrize("said", ["x" * 50_000, b"x" * 50_000])
async def test_whatever_a_client_sends_counts(said: str | bytes) -> None:
    entry = generous_gate(test_bytes=MEGABYTE)
    async with listening_for_ndt7(HERE, entry.gate) as port:
        url = f"ws://127.0.0.1:{port}/ndt/v7/upload?access_token={entry.token}"
        async with connect(url, subprotocols=PROTOCOLS, compression=None) as client:
            with pytest.raises(ConnectionClosed):
                await send_on_and_on(client, said)
    assert 0.5 * MEGABYTE < entry.gate._device_bytes.sum(DEVICE, time.monotonic()) <= MEGABYTE


@pytest.mark.parametrize("query", ["", "?access_token=", "?access_token=sp1.kz-0001.1.x", "?token={token}"])
async def test_who_shows_no_token_that_holds_is_refused(query: str) -> None:
    entry = generous_gate()
    async with listening_for_ndt7(HERE, entry.gate) as port:
        url = f"ws://127.0.0.1:{port}/ndt/v7/download{query.format(token=entry.token)}"
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, subprotocols=PROTOCOLS)
    assert refused.value.response.status_code == 401
