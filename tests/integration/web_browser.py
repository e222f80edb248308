# SPDX-License-Identifier: Apache-2.0
"""What does a real browser make of a page? Chromium without a window, spoken to by its DevTools protocol."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp

from tests.setup.parts import find

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-extensions", "--disable-domain-reliability", "--metrics-recording-only",
    "--remote-debugging-port=0", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
START_S = 30

Size = tuple[int, int]
"""Width and height of a screen."""


class Browser:
    """One tab, what it asked for and what it complained of."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.requested: list[str] = []
        self.complaints: list[str] = []
        self.loaded = asyncio.Event()
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}

    async def open(self, url: str, size: Size, *, scheme: str = "light") -> None:
        """Show a page on a screen of this size."""
        width, height = size
        is_phone = width < 800
        screen = {
            "width": width,
            "height": height,
            "deviceScaleFactor": 2 if is_phone else 1,
            "mobile": is_phone,
        }
        await self.say("Emulation.setDeviceMetricsOverride", **screen)
        media = [{"name": "prefers-color-scheme", "value": scheme}]
        await self.say("Emulation.setEmulatedMedia", features=media)
        self.loaded.clear()
        await self.say("Page.navigate", url=url)
        await self.loaded.wait()

    async def ask(self, script: str) -> Any:
        """Value of an expression in the page."""
        answer = await self.say("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    async def text(self) -> str:
        """What a reader sees, without what is hidden."""
        return str(await self.ask("document.body.innerText"))

    async def picture(self, path: Path) -> None:
        """Keep what is on the screen."""
        answer = await self.say("Page.captureScreenshot", format="png")
        _keep(path, base64.b64decode(answer["data"]))

    async def say(self, method: str, **params: object) -> Any:
        """One DevTools command and its answer."""
        number = next(self._numbers)
        answered = self._waiting[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(START_S):
            return await answered

    async def listen(self) -> None:
        """Take answers and events until the tab is closed."""
        async for message in self._socket:
            heard = message.json()
            if "id" in heard:
                self._waiting.pop(heard["id"]).set_result(heard.get("result"))
            elif heard["method"] == "Page.loadEventFired":
                self.loaded.set()
            elif heard["method"] == "Network.requestWillBeSent":
                self.requested.append(heard["params"]["request"]["url"])
            elif heard["method"] == "Log.entryAdded":
                self.complaints.append(heard["params"]["entry"]["text"])


@contextlib.asynccontextmanager
async def browser(directory: Path) -> AsyncIterator[Browser]:
    """A browser of its own, gone afterwards."""
    program = find("chromium") or "chromium"
    quiet = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        program, *FLAGS, f"--user-data-dir={directory}", "about:blank", stdout=quiet, stderr=quiet
    )
    try:
        async with asyncio.timeout(START_S):
            port = await _port(directory / "DevToolsActivePort")
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(await _tab(session, port)) as socket,
        ):
            made = Browser(socket)
            listening = asyncio.create_task(made.listen())
            for domain in ("Page", "Network", "Log"):
                await made.say(f"{domain}.enable")
            yield made
            listening.cancel()
    finally:
        process.terminate()
        await process.wait()


def _keep(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


async def _port(path: Path) -> int:
    """The browser writes it down once it listens."""
    while not (lines := _lines(path)):  # noqa: ASYNC110 - a file of another program has no event
        await asyncio.sleep(0.05)
    return int(lines[0])


def _lines(path: Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


async def _tab(session: aiohttp.ClientSession, port: int) -> str:
    async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
        tabs = await answer.json()
    return next(str(t["webSocketDebuggerUrl"]) for t in tabs if t["type"] == "page")
