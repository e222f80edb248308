# SPDX-License-Identifier: Apache-2.0
"""What do the hosts of the bed's internet answer: names, web pages, connections?

Run in the room `internet`. The resolvers and the anchors answer A and AAAA questions for the names of
`tests.linkbed.place` and say of all others that they do not exist. The web host answers HTTP on port 80, and
it and the anchors accept connections on port 443.
"""

from __future__ import annotations

import asyncio
import ipaddress
import struct
from typing import cast

from tests.linkbed import place

_HEADER = struct.Struct("!6H")
_TYPES = {1: 4, 28: 6}
_ANSWERS, _NO_SUCH_NAME = 0x8180, 0x8183
_TTL_S = 60
_SAME_NAME = 0xC00C
"""Pointer to the question's name (RFC 1035 §4.1.4)."""

_PAGE = b"<!doctype html><title>linkbed</title><p>The web host of the bed.\n"
_RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"


def answer(query: bytes) -> bytes:
    """The answer to a query with one question (RFC 1035 §4.1)."""
    ident = _HEADER.unpack_from(query)[0]
    name, end = _name(query)
    kind = int.from_bytes(query[end : end + 2], "big")
    question = query[_HEADER.size : end + 4]
    hosts = place.NAMES.get(name.lower())
    found = [ipaddress.ip_address(h) for h in hosts or ()]
    records = [
        struct.pack("!HHHIH", _SAME_NAME, kind, 1, _TTL_S, len(host.packed)) + host.packed
        for host in found
        if host.version == _TYPES.get(kind)
    ]
    flags = _NO_SUCH_NAME if hosts is None else _ANSWERS
    return _HEADER.pack(ident, flags, 1, len(records), 0, 0) + question + b"".join(records)


def _name(query: bytes) -> tuple[str, int]:
    """The question's name, and where its type begins."""
    labels, at = [], _HEADER.size
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii", "replace"))
        at += 1 + query[at]
    return ".".join(labels), at + 1


class _Resolver(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(answer(data), addr)


async def _serve_page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(_RESPONSE % (len(_PAGE), _PAGE))
        await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def _accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def serve() -> None:
    """Serve until killed; says `ready` when all is open."""
    loop = asyncio.get_running_loop()
    anchors = (*place.ANCHORS, *place.ANCHORS_6)
    # One socket per address: an answer must come from where it was asked.
    for host in (*place.RESOLVERS, *anchors):
        await loop.create_datagram_endpoint(_Resolver, local_addr=(host, 53))
    for host in place.WEB:
        await asyncio.start_server(_serve_page, host, 80)
    for host in (*place.WEB, *anchors):
        await asyncio.start_server(_accept, host, 443)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
