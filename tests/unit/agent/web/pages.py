# SPDX-License-Identifier: Apache-2.0
"""A server on loopback that answers each request with the bytes that a test says, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

Script = Callable[[bytes], bytes | None]


class Pages:
    """What was asked, and where."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.asked = asyncio.Event()
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"


@contextlib.asynccontextmanager
async def serving(answer: Script | bytes | None) -> AsyncIterator[Pages]:
    """Answer every request; None is silence, and `b""` the end of the connection."""
    pages = Pages()
    open_writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_writers.append(writer)
        with contextlib.suppress(ConnectionError):
            request = await reader.read(65536)
            pages.requests.append(request)
            pages.asked.set()
            said = answer(request) if callable(answer) else answer
            if said is not None:
                writer.write(said)
                await writer.drain()
                writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    pages.port = server.sockets[0].getsockname()[1]
    try:
        yield pages
    finally:
        server.close()
        for writer in open_writers:
            writer.transport.abort()
        await asyncio.sleep(0)


def page(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """A response."""
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode() + body
