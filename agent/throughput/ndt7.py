# SPDX-License-Identifier: Apache-2.0
"""What does M-Lab's NDT7 say of this link?

Its figures are M-Lab's, not ours: the mean over all ten seconds, slow start included, of payload without
headers. Down it is what this end received (`AppInfo` of the client, what Giga Meter shows); up it is what the
server's kernel received (`TCPInfo.BytesReceived`, as ndt7-client-go has it since v0.6), because what was
handed to the own kernel is not yet sent. Over long paths and on slow links it says far less than the link
carries.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import CloseCode, Frame, Opcode
from websockets.protocol import State
from websockets.typing import Subprotocol
from websockets.uri import WebSocketURI

from agent.contract import flow, ndt7, tcpinfo
from agent.contract.ndt7 import Measurement
from agent.contract.reason import Reason
from agent.contract.tcpinfo import TcpInfo
from agent.echo.address import Address
from agent.echo.problem import NoAnswer
from agent.throughput.dialogue import Direction, failures
from agent.throughput.verdict import Doubt

logging.getLogger("websockets.client").setLevel(logging.WARNING)

_READ_BYTES = 1 << 18
_SLACK_RATIO, _SLACK_BYTES = 0.05, 1 << 17
_ADDED_BYTES = 4096
_CLOCK_RATIO, _CLOCK_S = 0.03, 0.5
_SHORT_RATIO = 0.8
"""A server that hangs up earlier has given no mean over M-Lab's ten seconds."""
_SILENT_S = 2.0
"""A server that says nothing for so long, which else speaks up several times a second, has stopped."""
_LONGEST_RTT_US = 60_000_000
_STATUS = {401: Reason.NOT_PERMITTED, 403: Reason.NOT_PERMITTED, 429: Reason.BUSY, 503: Reason.BUSY}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Which server.

    Attributes:
        name: what it is called in its certificate and its `Host`.
        tls: how to verify it; None is without TLS.
        query: of the URL; M-Lab's access token is in it.
        authorization: sent as a header when not empty; a reflector's token.
    """

    address: Address
    port: int
    name: str
    tls: ssl.SSLContext | None
    query: str = field(default="", repr=False)
    authorization: str = field(default="", repr=False)
    timeout_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ndt7Result:
    """One direction.

    Attributes:
        app_bytes: payload that counts.
        moved_bytes: in the test's direction, at the IP layer, what was lost included.
        mbps: M-Lab's figure.
        own: the last look of the own kernel at the connection.
    """

    mbps: float | None
    app_bytes: int
    moved_bytes: int
    duration_s: float
    own: TcpInfo
    rtt_idle_ms: float
    rtt_loaded_ms: float | None
    doubts: frozenset[Doubt]


class Wire:
    """A connection that speaks WebSocket."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, protocol: ClientProtocol
    ) -> None:
        self._reader = reader
        self.writer = writer
        self.protocol = protocol
        self.sock: Any = writer.get_extra_info("socket")
        self._waiting: list[Any] = []

    async def events(self) -> list[Any]:
        """What has come; empty at the end."""
        if self._waiting:
            found, self._waiting = self._waiting, []
            return found
        if self.protocol.state is State.CLOSED:
            return []
        data = await self._reader.read(_READ_BYTES)
        if data:
            self.protocol.receive_data(data)
        else:
            self.protocol.receive_eof()
        await self.flush()
        found = self.protocol.events_received()
        return found or ([None] if data else [])

    async def flush(self) -> None:
        """Send what the protocol has to say."""
        for data in self.protocol.data_to_send():
            if data:
                self.writer.write(data)
        await self.writer.drain()

    def put_back(self, events: list[Any]) -> None:
        """Events that somebody else is to read."""
        self._waiting = events


@contextlib.asynccontextmanager
async def connect(place: Place, direction: Direction) -> AsyncIterator[Wire]:
    """A connection that has been upgraded.

    Raises:
        NoAnswer: it could not be made, or what answers does not speak NDT7.
    """
    with _failures():
        async with asyncio.timeout(place.timeout_s):
            reader, writer = await asyncio.open_connection(
                place.address.host,
                place.port,
                ssl=place.tls,
                server_hostname=place.name if place.tls else None,
                limit=2 * _READ_BYTES,
            )
    try:
        with _failures():
            flow.set_congestion(writer.get_extra_info("socket"), "bbr")
            async with asyncio.timeout(place.timeout_s):
                wire = await _upgrade(place, direction, reader, writer)
            yield wire
    finally:
        writer.transport.abort()


async def _upgrade(
    place: Place, direction: Direction, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Wire:
    path, query = ndt7.PATHS[direction], place.query
    uri = WebSocketURI(place.tls is not None, place.name, place.port, path, query)
    protocol = ClientProtocol(
        uri, subprotocols=[Subprotocol(ndt7.SUBPROTOCOL)], max_size=ndt7.MAX_MESSAGE_BYTES
    )
    wire = Wire(reader, writer, protocol)
    request = protocol.connect()
    request.headers["User-Agent"] = "schoolpulse"
    if place.authorization:
        request.headers["Authorization"] = f"Bearer {place.authorization}"
    protocol.send_request(request)
    await wire.flush()
    while protocol.state is State.CONNECTING and protocol.handshake_exc is None:
        if not (events := await wire.events()):
            break
        wire.put_back([event for event in events if isinstance(event, Frame)])
    if isinstance(protocol.handshake_exc.__cause__ if protocol.handshake_exc else None, EOFError):
        raise NoAnswer(Reason.GONE, "the server hung up before it answered")
    if protocol.handshake_exc is not None:
        raise _refusal(protocol.handshake_exc)
    if protocol.state is not State.OPEN:
        raise NoAnswer(Reason.GONE, "the server hung up before it answered")
    if protocol.subprotocol != ndt7.SUBPROTOCOL:
        raise NoAnswer(Reason.BAD_ANSWER, "the server speaks WebSocket but not NDT7")
    return wire


def _refusal(problem: Exception) -> NoAnswer:
    if isinstance(problem, InvalidStatus):
        status, head = problem.response.status_code, (problem.response.body or b"")[:60]
        return NoAnswer(
            _STATUS.get(status, Reason.BAD_ANSWER), f"the server answered with HTTP {status} {head!r}"
        )
    return NoAnswer(Reason.BAD_ANSWER, f"what answers is no NDT7 server: {problem}")


async def run(
    place: Place, direction: Direction, *, max_bytes: int, max_s: float = ndt7.LONGEST_S
) -> Ndt7Result:
    """One test in one direction.

    Raises:
        NoAnswer: there is no figure, and why.
    """
    began_s = time.monotonic()
    async with connect(place, direction) as wire:
        first = tcpinfo.look(wire.sock)
        test = _Test(wire, max_bytes, max_s)
        moved = await (test.download() if direction == "down" else test.upload())
        own = test.own or first
    mbps, doubts = _figure(direction, test, moved, first)
    loaded = test.loaded_us
    return Ndt7Result(
        mbps=mbps,
        app_bytes=moved,
        moved_bytes=_moved_bytes(direction, own),
        duration_s=time.monotonic() - began_s,
        own=own,
        rtt_idle_ms=first.min_rtt_us / 1000,
        rtt_loaded_ms=statistics.median(loaded) / 1000 if loaded else None,
        doubts=frozenset(doubts | test.doubts),
    )


def _moved_bytes(direction: Direction, own: TcpInfo) -> int:
    if direction == "down":
        return own.bytes_received + own.data_segs_in * own.header_bytes
    return own.bytes_sent + own.data_segs_out * own.header_bytes


def _figure(direction: Direction, test: _Test, moved: int, first: TcpInfo) -> tuple[float | None, set[Doubt]]:
    last, own, doubts = test.last, test.own, set[Doubt]()
    # What is handed to the kernel is not yet taken by anybody; the question for the test is.
    if own is None or not moved or (direction == "up" and own.bytes_acked <= first.bytes_acked):
        raise NoAnswer(
            Reason.TIMEOUT, "the server sent nothing" if direction == "down" else "nothing was taken"
        )
    if direction == "down":
        if (
            last.acked_bytes is not None
            and last.acked_bytes > own.bytes_received * (1 + _SLACK_RATIO) + _SLACK_BYTES
        ):
            doubts.add(Doubt.DISAGREES)
        return 8 * moved / test.elapsed_s / 1e6, doubts
    if last.received_bytes is None or not last.elapsed_us:
        # The server says nothing: what it has acknowledged to the own kernel is what there is.
        acked_bytes = own.bytes_acked - first.bytes_acked
        return 8 * acked_bytes / test.elapsed_s / 1e6, doubts | {Doubt.INTERRUPTED}
    if last.elapsed_us < (ndt7.TRANSFER_S - _SILENT_S) * 1e6:
        # It fell silent: what it said before is a mean over less than M-Lab's ten seconds.
        doubts.add(Doubt.INTERRUPTED)
    least = test.acked_then * (1 - _SLACK_RATIO) - _SLACK_BYTES
    # No server has received what was not sent; a middlebox may have added a header to the question.
    most = own.bytes_sent + _ADDED_BYTES
    if not least <= last.received_bytes <= most:
        doubts.add(Doubt.DISAGREES)
    if (
        abs(last.elapsed_us / 1e6 - test.said_s)
        > _CLOCK_RATIO * test.said_s + _CLOCK_S + 2 * own.rtt_us / 1e6
    ):
        doubts.add(Doubt.DISAGREES)
    return 8 * last.received_bytes / last.elapsed_us, doubts


class _Test:
    """One test under way."""

    def __init__(self, wire: Wire, max_bytes: int, max_s: float) -> None:
        self._wire = wire
        self._max_bytes = max_bytes
        self._max_s = max_s
        self._began_s = time.monotonic()
        self.last = Measurement()
        self.own: TcpInfo | None = None
        self.acked_then = 0
        self.said_s = 0.0
        self.elapsed_s = 0.0
        self.loaded_us: list[int] = []
        self.doubts: set[Doubt] = set()

    async def download(self) -> int:
        """Payload received."""
        received = 0
        try:
            async with asyncio.timeout(self._max_s):
                while events := await self._wire.events():
                    received += self._take(events)
                    self._look()
                    if max(received, self._arrived_bytes()) > self._max_bytes:
                        self.doubts.add(Doubt.INTERRUPTED)
                        break
        except TimeoutError:
            self.doubts.add(Doubt.INTERRUPTED)
        self._judge_end()
        if self.elapsed_s < _SHORT_RATIO * ndt7.TRANSFER_S:
            self.doubts.add(Doubt.INTERRUPTED)
        return received

    async def upload(self) -> int:
        """Payload handed over; how much of it arrived is what the server says."""
        reading = asyncio.create_task(self._read(), name="measurements of the server")
        try:
            sent = await self._send(reading)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ndt7.LONGEST_S - ndt7.TRANSFER_S):
                    await asyncio.shield(reading)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
        return sent

    async def _send(self, reading: asyncio.Task[None]) -> int:
        sent, size, messages = 0, 0, dict[int, bytes]()
        protocol, writer = self._wire.protocol, self._wire.writer
        ends_s = self._began_s + min(ndt7.TRANSFER_S, self._max_s)
        # A last message that takes longer than its time on a long path is no interruption.
        with contextlib.suppress(TimeoutError):
            while (
                (now_s := time.monotonic()) < ends_s
                and sent < self._max_bytes
                and (protocol.state is State.OPEN and not reading.done())
            ):
                size = ndt7.next_size(size, sent)
                if size not in messages:
                    # Written once and sent over and over: masking each would cost a Pi more than sending it.
                    messages = {size: _message(size)}
                writer.write(messages[size])
                async with asyncio.timeout(ends_s + 1 - now_s):
                    await writer.drain()
                sent += size
                self._look()
        if reading.done() and not reading.cancelled() and (problem := reading.exception()):
            raise problem
        if sent >= self._max_bytes or protocol.state is not State.OPEN:
            self.doubts.add(Doubt.INTERRUPTED)
        self._look()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(1.0):
                protocol.send_close(CloseCode.NORMAL_CLOSURE)
                await self._wire.flush()
        return sent

    async def _read(self) -> None:
        while (events := await self._wire.events()) and self._arrived_bytes() <= self._max_bytes:
            self._take(events)

    def _arrived_bytes(self) -> int:
        """All that came, whatever it was: a server may send other things than load."""
        return tcpinfo.look(self._wire.sock).bytes_received

    def _take(self, events: list[Any]) -> int:
        """Payload in it; measurements are kept."""
        load = 0
        for event in events:
            if isinstance(event, Frame) and event.opcode in (Opcode.BINARY, Opcode.CONT):
                load += len(event.data)
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                said = ndt7.read(bytes(event.data))
                if said.elapsed_us is not None:
                    self.last, self.own = said, tcpinfo.look(self._wire.sock)
                    self.acked_then = self.own.bytes_acked
                    self.said_s = time.monotonic() - self._began_s
                if said.rtt_us and said.rtt_us < _LONGEST_RTT_US:
                    self.loaded_us.append(said.rtt_us)
        return load

    def _look(self) -> None:
        self.own = tcpinfo.look(self._wire.sock)
        self.elapsed_s = time.monotonic() - self._began_s

    def _judge_end(self) -> None:
        problem = self._wire.protocol.close_exc if self._wire.protocol.state is State.CLOSED else None
        if problem is not None and self._wire.protocol.close_code != CloseCode.NORMAL_CLOSURE:
            raise NoAnswer(Reason.GONE, f"the server ended the test: {problem}")


def _message(size_bytes: int) -> bytes:
    return Frame(Opcode.BINARY, ndt7.load_bytes(size_bytes)).serialize(mask=True)


@contextlib.contextmanager
def _failures() -> Iterator[None]:
    try:
        with failures():
            yield
    except NoAnswer as e:
        if isinstance(e.__cause__, ssl.SSLError):
            raise NoAnswer(Reason.TLS_FAILED, f"TLS: {e.__cause__}") from e
        raise
