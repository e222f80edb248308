# SPDX-License-Identifier: Apache-2.0
"""Does a client that is not ours measure against the reflector? M-Lab's own JavaScript, in a real browser.

`SCHOOLPULSE_TEST_NDT7=full` lets it have M-Lab's ten seconds each way at whatever rate the machine gives;
else the gate ends each way after some bytes, as it does to a client that is not told.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from collector.reflector.listening import listening_for_ndt7
from collector.reflector.options import Ndt7Options
from tests.integration.web_browser import Browser, browser
from tests.parts.reflector import Entry, generous_gate
from tests.setup.parts import UNPACKED

CLIENT = UNPACKED / "ndt7-js" / "src"
pytestmark = [
    pytest.mark.parts("chromium"),
    pytest.mark.timeout(120),
    pytest.mark.skipif(not CLIENT.is_dir(), reason="M-Lab's NDT7 client is not unpacked: needs npm"),
]

HOST = "127.0.0.1"
IS_FULL = os.environ.get("SCHOOLPULSE_TEST_NDT7") == "full"
GRANT_BYTES = 1 << 36 if IS_FULL else 60_000_000
PAGE = """<!doctype html><script src="ndt7.js"></script><script>
const seen = {errors: [], measurements: 0};
const keep = name => found => { seen[name] = found; };
ndt7.test(
  {server: "%s", protocol: "ws", mlabDataPolicyInapplicable: true, metadata: {client_name: "a test"}},
  {error: e => seen.errors.push(String(e)), downloadComplete: keep("down"), uploadComplete: keep("up"),
   downloadMeasurement: () => seen.measurements++, uploadMeasurement: () => seen.measurements++},
).then(code => { seen.code = code; }, e => { seen.code = -1; seen.errors.push(String(e)); });
</script>"""


@contextlib.asynccontextmanager
async def pages(server: str) -> AsyncIterator[str]:
    """The client on a page of its own; its address."""

    async def index(_: web.Request) -> web.Response:
        return web.Response(text=PAGE % server, content_type="text/html")

    app = web.Application()
    app.router.add_get("/", index)
    app.router.add_static("/", CLIENT)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/"
    finally:
        await runner.cleanup()


async def measured(tab: Browser, url: str) -> dict[str, Any]:
    await tab.open(url, (800, 600))
    async with asyncio.timeout(60):
        while not (said := await tab.ask("'code' in seen ? JSON.stringify(seen) : ''")):  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    found = json.loads(said)
    assert isinstance(found, dict)
    return found


@contextlib.asynccontextmanager
async def reflector(*, guests: bool) -> AsyncIterator[tuple[str, Entry]]:
    entry = generous_gate(test_bytes=GRANT_BYTES)
    options = Ndt7Options(host=HOST, port=0, guests=guests)
    async with listening_for_ndt7(options, entry.gate) as port:
        yield f"{HOST}:{port}", entry


async def test_m_labs_client_measures_both_ways_and_agrees_with_the_reflector(tmp_path: Path) -> None:
    async with reflector(guests=True) as (server, entry), pages(server) as url, browser(tmp_path) as tab:
        found = await measured(tab, url)

    print(json.dumps(found))
    assert (found["code"], found["errors"]) == (0, [])
    assert found["measurements"] > 2
    down, up = found["down"], found["up"]
    told = down["LastServerMeasurement"]
    assert told["Origin"] == "server"
    assert told["Test"] == "download"
    assert told["TCPInfo"]["BytesAcked"] <= told["TCPInfo"]["BytesSent"]
    assert 0.5 * GRANT_BYTES < told["AppInfo"]["NumBytes"] <= GRANT_BYTES or IS_FULL
    told = up["LastServerMeasurement"]
    assert told["Test"] == "upload"
    assert told["TCPInfo"]["BytesReceived"] > 0
    assert told["AppInfo"]["NumBytes"] <= told["TCPInfo"]["BytesReceived"]
    if IS_FULL:
        for each in (down, up):
            ours = each["LastServerMeasurement"]["AppInfo"]
            theirs = each["LastClientMeasurement"]
            our_mbps = 8 * ours["NumBytes"] / ours["ElapsedTime"]
            assert theirs["MeanClientMbps"] == pytest.approx(our_mbps, rel=0.1)
            assert theirs["ElapsedTime"] == pytest.approx(10, abs=1.5)
    assert entry.gate.tests == 0


async def test_m_labs_client_is_not_let_in_where_guests_are_not(tmp_path: Path) -> None:
    async with reflector(guests=False) as (server, entry), pages(server) as url, browser(tmp_path) as tab:
        found = await measured(tab, url)

    assert found["code"] != 0
    assert found["errors"]
    assert "down" not in found
    assert entry.gate.tests == 0
