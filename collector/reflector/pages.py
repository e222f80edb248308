# SPDX-License-Identifier: Apache-2.0
"""Which pages does the reflector show, so that a school can tell whether the web is open?

`/generate_204` is empty, `/success.txt` says `success`: `targets` of the probes `portal` and `http` that are
in one's own hands. One request a connection; head, seconds and connections are bounded, and an answer is
shorter than most questions.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from http import HTTPStatus

from collector.reflector.door import Door, streams

_HEAD_S = 5.0
_HEAD_BYTES = 4096
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

    async def serve(self, listener: socket.socket) -> None:
        """Take connections until cancelled."""
        await Door().open(listener, self._answer)

    async def _answer(self, sock: socket.socket, _address: str) -> None:
        reader, writer = await streams(sock, limit=_HEAD_BYTES)
        lost = (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)
        try:
            with contextlib.suppress(*lost):
                async with asyncio.timeout(_HEAD_S):
                    writer.write(answer_to(await reader.readuntil(b"\r\n\r\n")))
                    await writer.drain()
                    writer.close()
                    await writer.wait_closed()
        finally:
            writer.transport.abort()
