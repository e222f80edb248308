# SPDX-License-Identifier: Apache-2.0
"""Which pages does the reflector show, so that a school can tell whether the web is open?

`/generate_204` is empty, `/success.txt` says `success`: `targets` of the probes `portal` and `http` that are
in one's own hands. One request a connection; head, seconds and connections are bounded, and an answer is
shorter than most questions.
"""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus

_HEAD_S = 5.0
_HEAD_BYTES = 4096
_CONNECTIONS = 256
_WORDS = 3
_PAGES = {b"/generate_204": (HTTPStatus.NO_CONTENT, b""), b"/success.txt": (HTTPStatus.OK, b"success\n")}


def answer_to(head: bytes) -> bytes:
    """The whole response to the head of a request, whatever it is."""
    words = head.partition(b"\r\n")[0].split(b" ")
    if len(words) != _WORDS or not words[2].startswith(b"HTTP/1."):
        return _response(HTTPStatus.BAD_REQUEST, b"")
    method, target, _ = words
    if method not in {b"GET", b"HEAD"}:
        return _response(HTTPStatus.METHOD_NOT_ALLOWED, b"")
    status, body = _PAGES.get(target.partition(b"?")[0], (HTTPStatus.NOT_FOUND, b""))
    return _response(status, body, is_whole=method == b"GET")


def _response(status: HTTPStatus, body: bytes, *, is_whole: bool = True) -> bytes:
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", "Cache-Control: no-store", "Connection: close"]
    # A 204 has no body, and may not say how long it is (RFC 9110 §8.6).
    lines += [] if status is HTTPStatus.NO_CONTENT else [f"Content-Length: {len(body)}"]
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode() + (body if is_whole else b"")


class PageServer:
    """Serves one port."""

    def __init__(self) -> None:
        self._open = 0

    async def start(self, host: str | None, port: int) -> asyncio.Server:
        """Listen."""
        return await asyncio.start_server(self._answer, host, port, limit=_HEAD_BYTES)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open += 1
        try:
            if self._open <= _CONNECTIONS:
                await self._serve(reader, writer)
        finally:
            self._open -= 1
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lost = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
        with contextlib.suppress(*lost):
            async with asyncio.timeout(_HEAD_S):
                writer.write(answer_to(await reader.readuntil(b"\r\n\r\n")))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
