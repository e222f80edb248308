# SPDX-License-Identifier: Apache-2.0
"""How do both ends of a TCP test move bytes: uncopied, without a backlog, counted by the kernel?"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import struct
from collections.abc import Callable

from agent.contract.decoder import DecodeError
from agent.contract.stream import MAX_LINE_BYTES

BLOCK_BYTES = 1 << 20
CHUNK_BYTES = 1 << 18
_NOTSENT_LOWAT = 25
"""TCP_NOTSENT_LOWAT of linux/tcp.h."""
_NOTSENT_BYTES = 1 << 17
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_NAME_BYTES = 16


class Block:
    """Random bytes in memory that are sent over and over; nothing on the way can squeeze them."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("schoolpulse-block")
        os.write(self.descriptor, os.urandom(BLOCK_BYTES))

    def close(self) -> None:
        """Give the memory back."""
        os.close(self.descriptor)

    def pour(self, sock: socket.socket, *, offset: int, most_bytes: int) -> int:
        """Hand the kernel what it takes at once.

        Raises:
            BlockingIOError: it takes nothing now.
        """
        at = offset % BLOCK_BYTES
        return os.sendfile(sock.fileno(), self.descriptor, at, min(most_bytes, CHUNK_BYTES, BLOCK_BYTES - at))


def swallow(sock: socket.socket) -> int:
    """Take what has come and throw it away without copying it (`MSG_TRUNC`, tcp(7)); 0 at its end.

    Raises:
        BlockingIOError: nothing has come.
    """
    return sock.recv_into(_SINK, CHUNK_BYTES, socket.MSG_TRUNC)


_SINK = bytearray(CHUNK_BYTES)


def set_congestion(sock: socket.socket, wanted: str) -> str:
    """Have the kernel use this congestion control if it can; which one it uses."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, wanted.encode())
    used = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, _NAME_BYTES)
    return used.partition(b"\0")[0].decode("ascii", "replace")


def prepare_sender(sock: socket.socket) -> None:
    """Unsent bytes wait in the program, not in the kernel, where they would lengthen every answer."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, _NOTSENT_LOWAT, _NOTSENT_BYTES)


def cut(sock: socket.socket) -> None:
    """End the connection now: what is under way is not worth a metered byte."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    sock.close()


async def read_line(sock: socket.socket) -> bytes:
    """One line and not a byte more: what is behind it is load.

    Raises:
        ConnectionError: the other end hung up.
        DecodeError: it is too long to be one of ours.
    """
    line = b""
    while not line.endswith(b"\n"):
        await readable(sock)
        with contextlib.suppress(BlockingIOError):
            seen = sock.recv(MAX_LINE_BYTES, socket.MSG_PEEK)
            end = seen.find(b"\n") + 1
            line += sock.recv(end or len(seen))
            if not seen:
                raise ConnectionResetError(errno.ECONNRESET, "the other end hung up")
        if len(line) > MAX_LINE_BYTES:
            raise DecodeError("", "the line is too long")
    return line


async def readable(sock: socket.socket) -> None:
    """Until there is something to read."""
    loop = asyncio.get_running_loop()
    await _once(loop.add_reader, loop.remove_reader, sock)


async def writable(sock: socket.socket) -> None:
    """Until the kernel takes more."""
    loop = asyncio.get_running_loop()
    await _once(loop.add_writer, loop.remove_writer, sock)


async def _once(add: Callable[..., object], remove: Callable[[int], bool], sock: socket.socket) -> None:
    done = asyncio.get_running_loop().create_future()
    descriptor = sock.fileno()
    add(descriptor, _settle, done)
    try:
        await done
    finally:
        remove(descriptor)


def _settle(done: asyncio.Future[None]) -> None:
    if not done.done():
        done.set_result(None)
