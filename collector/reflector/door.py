# SPDX-License-Identifier: Apache-2.0
"""How does one service over TCP go on taking connections, whoever else is at its door?

A connection is a stranger's until it has shown a token or a session. Strangers are bounded in number: of one
place the newest waits outside, of all the oldest goes. Whatever else fails in taking one, the next is taken.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from agent.contract import flow
from collector.reflector.place import place_of

log = logging.getLogger("collector.reflector.door")

_STRANGERS, _OF_A_PLACE = 512, 64
"""Schools behind one NAT are one place, but strangers for a round trip or two."""
_PAUSE_S = 0.2
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
_LISTENER_IS_GONE = {errno.EBADF, errno.EINVAL, errno.ENOTSOCK}

Answer = Callable[[socket.socket, str], Coroutine[Any, Any, None]]
"""Serves a connection from an address, and closes it."""


class Door:
    """Of one service."""

    def __init__(self, *, strangers: int = _STRANGERS, of_a_place: int = _OF_A_PLACE) -> None:
        self._most, self._most_of_a_place = strangers, of_a_place
        self._strangers: dict[asyncio.Task[None], str] = {}
        self._places: Counter[str] = Counter()
        self._inside: set[asyncio.Task[None]] = set()
        self._is_exhausted = False

    async def open(self, listener: socket.socket, answer: Answer) -> None:
        """Take connections until cancelled.

        Raises:
            OSError: the listener itself is gone.
        """
        listener.setblocking(False)
        try:
            while True:
                taken = await self._take(listener)
                if taken is not None:
                    self._let_in(*taken, answer)
                # Those inside have their turn, however many more stand outside.
                await asyncio.sleep(0)
        finally:
            for task in tuple(self._inside):
                task.cancel()
            await asyncio.gather(*self._inside, return_exceptions=True)

    def welcome(self) -> None:
        """Whoever is served by the task that runs is no stranger any more."""
        task = asyncio.current_task()
        if task is not None:
            self._forget(task)

    async def _take(self, listener: socket.socket) -> tuple[socket.socket, str] | None:
        """The next connection; None when it could not be taken, which may be its own fault (accept(2))."""
        try:
            sock, address = await asyncio.get_running_loop().sock_accept(listener)
        except OSError as e:
            if e.errno in _LISTENER_IS_GONE:
                raise
            if e.errno in _EXHAUSTED:
                self._note_exhausted(e)
                await asyncio.sleep(_PAUSE_S)
            return None
        self._is_exhausted = False
        return sock, str(address[0])

    def _note_exhausted(self, problem: OSError) -> None:
        if not self._is_exhausted:
            log.warning("door.exhausted strangers=%d problem=%s", len(self._strangers), problem)
        self._is_exhausted = True

    def _let_in(self, sock: socket.socket, address: str, answer: Answer) -> None:
        place = place_of(address)
        if self._places[place] >= self._most_of_a_place:
            flow.cut(sock)
            return
        if len(self._strangers) >= self._most:
            oldest = next(iter(self._strangers))
            self._forget(oldest)
            oldest.cancel()
        task = asyncio.get_running_loop().create_task(_served(sock, address, answer), name="connection")
        self._inside.add(task)
        self._strangers[task] = place
        self._places[place] += 1
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._inside.discard(task)
        self._forget(task)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        place = self._strangers.pop(task, None)
        if place is None:
            return
        self._places[place] -= 1
        if not self._places[place]:
            del self._places[place]


async def _served(sock: socket.socket, address: str, answer: Answer) -> None:
    """One connection's failure is nobody else's."""
    try:
        await answer(sock, address)
    except Exception:
        log.exception("door.failed address=%s", address)


async def streams(
    sock: socket.socket, *, limit: int, tls: ssl.SSLContext | None = None, handshake_s: float = 5.0
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """The connection for who reads and writes; with TLS, after its handshake.

    Raises:
        OSError: there was none.
    """
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=limit, loop=loop)
    protocol = asyncio.StreamReaderProtocol(reader, loop=loop)
    transport, _ = await loop.connect_accepted_socket(
        lambda: protocol, sock, ssl=tls, ssl_handshake_timeout=handshake_s if tls else None
    )
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)
