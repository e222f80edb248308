# SPDX-License-Identifier: Apache-2.0
"""How does any NDT7 client measure against the reflector?

A device shows its token as `Authorization: Bearer …`, or as M-Lab's clients show theirs, `?access_token=…`
in the address; others are let in as guests, by their address, only where the configuration says so. Bytes
and seconds are bounded for both.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import socket
import ssl
import time
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from agent.contract import flow, ndt7, tcpinfo
from collector.reflector.door import Door, streams
from collector.reflector.gate import Gate, Grant, Refusal, Refused

log = logging.getLogger("collector.reflector.ndt7")
logging.getLogger("websockets.server").setLevel(logging.WARNING)

_HEAD_S = 5.0
_CLOSE_S = 3.0
_READ_BYTES = 1 << 18
_STRANGERS = 256
"""Each takes 300 kB under TLS."""
_WANTED_BYTES = 1 << 62
"""An NDT7 client does not say how much it will move: as much as the gate lets one test have."""

_messages: dict[int, bytes] = {}


class Ndt7Server:
    """Serves one port, with or without TLS."""

    def __init__(self, gate: Gate, *, guests: bool) -> None:
        self._gate = gate
        self._guests = guests
        self._door = Door(strangers=_STRANGERS)

    async def serve(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Take connections until cancelled."""
        await self._door.open(listener, functools.partial(self._answer, tls))

    async def _answer(self, tls: ssl.SSLContext | None, sock: socket.socket, _address: str) -> None:
        try:
            reader, writer = await streams(sock, tls=tls, limit=2 * _READ_BYTES, handshake_s=_HEAD_S)
        except OSError as e:
            log.debug("ndt7.no_tls problem=%s", e)
            return
        try:
            await self._serve(_Wire(reader, writer))
            writer.close()
            async with asyncio.timeout(_CLOSE_S):
                await writer.wait_closed()
        except (OSError, TimeoutError, EOFError) as e:
            log.debug("ndt7.ended problem=%s", e)
        finally:
            writer.transport.abort()

    async def _serve(self, wire: _Wire) -> None:
        async with asyncio.timeout(_HEAD_S):
            request = await wire.request()
        if request is None:
            return
        direction = _direction(request)
        if direction is None:
            await wire.reject(HTTPStatus.NOT_FOUND, "this is /ndt/v7/download and /ndt/v7/upload")
            return
        admitted = self._admit(request, wire.client)
        if isinstance(admitted, Refused):
            await wire.reject(_status(admitted), admitted.reason, admitted.retry_after_s)
            return
        self._door.welcome()
        with admitted as grant:
            await self._test(wire, request, direction, grant)

    def _admit(self, request: Request, address: str) -> Grant | Refused:
        token = _token(request)
        if token:
            return self._gate.admit(token, address, _WANTED_BYTES)
        if self._guests:
            return self._gate.admit_guest(address, _WANTED_BYTES)
        return Refused(Refusal.TOKEN, None, "no token")

    async def _test(self, wire: _Wire, request: Request, direction: str, grant: Grant) -> None:
        if not await wire.accept(request):
            return
        test = _Test(wire, direction, grant)
        async with asyncio.timeout(min(grant.seconds, ndt7.LONGEST_S + _CLOSE_S)):
            await (test.send() if direction == "down" else test.receive())


class _Wire:
    """A connection of a client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self.sock: Any = writer.get_extra_info("socket")
        self.client = str(writer.get_extra_info("peername")[0])
        self.ends = (_end(writer.get_extra_info("peername")), _end(writer.get_extra_info("sockname")))
        self.protocol = ServerProtocol(
            subprotocols=[Subprotocol(ndt7.SUBPROTOCOL)], max_size=ndt7.MAX_MESSAGE_BYTES
        )
        self.came_bytes = 0

    async def events(self) -> Sequence[Any] | None:
        """What has come; None at the end."""
        data = await self._reader.read(_READ_BYTES)
        self.came_bytes += len(data)
        if data:
            self.protocol.receive_data(data)
        else:
            self.protocol.receive_eof()
        found = self.protocol.events_received()
        return found if data or found else None

    async def request(self) -> Request | None:
        """What the client asks for; None when it is no HTTP."""
        while (events := await self.events()) is not None:
            for event in events:
                if isinstance(event, Request):
                    return event
            if self.protocol.parser_exc is not None:
                break
        return None

    async def accept(self, request: Request) -> bool:
        """Upgrade; whether that could be done."""
        response = self.protocol.accept(request)
        is_ours = self.protocol.handshake_exc is None and self.protocol.subprotocol == ndt7.SUBPROTOCOL
        if response.status_code == HTTPStatus.SWITCHING_PROTOCOLS and not is_ours:
            response = self.protocol.reject(
                HTTPStatus.BAD_REQUEST, f"the subprotocol is {ndt7.SUBPROTOCOL}\n"
            )
        self.protocol.send_response(response)
        await self.flush()
        return self.protocol.state is State.OPEN

    async def reject(self, status: HTTPStatus, why: str, retry_after_s: int | None = None) -> None:
        """Answer with an error."""
        response = self.protocol.reject(status, why + "\n")
        if retry_after_s is not None:
            response.headers["Retry-After"] = str(retry_after_s)
        self.protocol.send_response(response)
        await self.flush()

    async def flush(self) -> None:
        """Send what the protocol has to say."""
        for data in self.protocol.data_to_send():
            if data:
                self.writer.write(data)
        await self.writer.drain()


class _Test:
    """One test under way."""

    def __init__(self, wire: _Wire, direction: str, grant: Grant) -> None:
        self._wire = wire
        self._test = ndt7.TESTS[direction]
        self._grant = grant
        self._began_s = self._said_s = time.monotonic()

    async def send(self) -> None:
        """Load down for ten seconds, then a goodbye."""
        flow.set_congestion(self._wire.sock, "bbr")
        flow.prepare_sender(self._wire.sock)
        sent, size = 0, 0
        while self._elapsed_s() < ndt7.TRANSFER_S:
            size = ndt7.next_size(size, sent)
            if not self._grant.take(size):
                break
            self._wire.writer.write(message(size))
            async with asyncio.timeout(ndt7.LONGEST_S - self._elapsed_s()):
                await self._wire.writer.drain()
                # `drain` gives way to nobody while the kernel takes all, nor, under TLS, once the client is
                # gone, which it learns only when the loop has had its turn.
                await asyncio.sleep(0)
            sent += size
            if self._is_time_to_say():
                await self._say(sent)
        await self._say(sent)
        await self._close()

    async def receive(self) -> None:
        """Load up for as long as the client sends, within bounds."""
        received = 0
        protocol = self._wire.protocol
        while protocol.state is State.OPEN and self._elapsed_s() < ndt7.LONGEST_S:
            before_bytes = self._wire.came_bytes
            events = await self._wire.events()
            if events is None:
                return
            received += sum(len(event.data) for event in events if _is_load(event))
            # All that came, load or not: a client may send text and pings without end.
            if not self._grant.take(self._wire.came_bytes - before_bytes):
                break
            if self._is_time_to_say():
                await self._say(received)
        await self._close()

    async def _say(self, app_bytes: int) -> None:
        protocol = self._wire.protocol
        if protocol.state is not State.OPEN:
            return
        text = ndt7.write(
            test=self._test,
            elapsed_s=self._elapsed_s(),
            app_bytes=app_bytes,
            info=tcpinfo.look(self._wire.sock),
            ends=self._wire.ends,
        )
        protocol.send_text(text.encode())
        self._said_s = time.monotonic()
        await self._wire.flush()

    async def _close(self) -> None:
        """Say goodbye and wait for the client's, so that all that was sent arrives."""
        protocol = self._wire.protocol
        if protocol.state is State.OPEN:
            protocol.send_close(CloseCode.NORMAL_CLOSURE)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._wire.flush()
                while protocol.close_rcvd is None and await self._wire.events() is not None:
                    pass

    def _elapsed_s(self) -> float:
        return time.monotonic() - self._began_s

    def _is_time_to_say(self) -> bool:
        return time.monotonic() - self._said_s >= ndt7.MEASURE_EVERY_S


def message(size_bytes: int) -> bytes:
    """A message of load as it goes out; made once for each length."""
    if size_bytes not in _messages:
        _messages[size_bytes] = Frame(Opcode.BINARY, ndt7.load_bytes(size_bytes)).serialize(mask=False)
    return _messages[size_bytes]


def _is_load(event: Any) -> bool:
    return isinstance(event, Frame) and event.opcode in (Opcode.BINARY, Opcode.CONT)


def _direction(request: Request) -> str | None:
    path = request.path.partition("?")[0]
    return next((direction for direction, known in ndt7.PATHS.items() if known == path), None)


def _token(request: Request) -> str:
    """Empty when it shows none."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    return parse_qs(request.path.partition("?")[2]).get("access_token", [""])[0]


def _status(refused: Refused) -> HTTPStatus:
    if refused.reason is Refusal.TOKEN:
        return HTTPStatus.UNAUTHORIZED
    return HTTPStatus.SERVICE_UNAVAILABLE if refused.reason is Refusal.BUSY else HTTPStatus.TOO_MANY_REQUESTS


def _end(address: Any) -> str:
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
