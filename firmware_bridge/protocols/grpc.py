# SPDX-License-Identifier: Apache-2.0
"""How does one question and its answer travel over HTTP/2 as gRPC? (gRPC over HTTP2, unary calls)

A message has one byte before it that says whether it is compressed, and four for its length. How the call
ended stands in the header `grpc-status`, behind the answer or instead of it. Sans-io: bytes in, bytes out; h2
keeps the state of HTTP/2.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

import h2.config
import h2.connection
import h2.events
import h2.exceptions

_PREFIX = struct.Struct(">BI")
_MOST_BYTES = 1 << 20
_OK = "200"
_FRAME_TYPE_AT, _SETTINGS = 3, b"\4"
"""Without this, text would be taken for the length of a frame and waited for (RFC 9113 §3.4, §4.1)."""


class CallFailed(Exception):
    """The server answered something else than one message."""


def framed(message: bytes) -> bytes:
    """A message as it is sent."""
    return _PREFIX.pack(0, len(message)) + message


def unframed(data: bytes) -> bytes:
    """The only message in these bytes.

    Raises:
        CallFailed: it is cut off, compressed, or not the only one.
    """
    if len(data) < _PREFIX.size:
        raise CallFailed("no whole message came")
    compressed, size = _PREFIX.unpack_from(data)
    if compressed or len(data) != _PREFIX.size + size:
        raise CallFailed("the message is compressed, cut off, or not the only one")
    return data[_PREFIX.size :]


@dataclass
class Call:
    """One call over a connection of its own.

    Args:
        authority: host and port as the header `:authority` has them.
        path: `/package.Service/Method`.
        message: the question.
    """

    authority: str
    path: str
    message: bytes
    _http: h2.connection.H2Connection = field(init=False)
    _first: bytes = b""
    _data: bytes = b""
    _headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the connection's state; nothing is sent here."""
        self._http = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))

    def begin(self) -> bytes:
        """What to send first."""
        self._http.initiate_connection()
        stream = self._http.get_next_available_stream_id()
        headers = {
            ":method": "POST",
            ":scheme": "http",
            ":path": self.path,
            ":authority": self.authority,
            "te": "trailers",
            "content-type": "application/grpc",
            "user-agent": "schoolpulse",
        }
        self._http.send_headers(stream, list(headers.items()))
        self._http.send_data(stream, framed(self.message), end_stream=True)
        return self._http.data_to_send()

    def feed(self, data: bytes) -> tuple[bytes | None, bytes]:
        """Take what came: the answer once it is whole, and what is to be sent now.

        Raises:
            CallFailed: there will be no answer.
        """
        self._first += data[: _FRAME_TYPE_AT + 1 - len(self._first)]
        if self._first[_FRAME_TYPE_AT:] not in {b"", _SETTINGS}:
            raise CallFailed("no HTTP/2: it does not begin with its settings")
        try:
            events = self._http.receive_data(data)
        except (h2.exceptions.ProtocolError, UnicodeDecodeError) as e:
            raise CallFailed(f"no HTTP/2: {type(e).__name__}") from e
        answer = None
        for event in events:
            answer = self._take(event) or answer
        return answer, self._http.data_to_send()

    def _take(self, event: h2.events.Event) -> bytes | None:
        if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
            self._headers |= {str(name): str(value) for name, value in event.headers or ()}
        elif isinstance(event, h2.events.DataReceived):
            self._take_data(event)
        elif isinstance(event, h2.events.StreamEnded):
            return self._ended()
        elif isinstance(event, h2.events.StreamReset | h2.events.ConnectionTerminated):
            raise CallFailed(f"the server broke the call off (code {event.error_code})")
        return None

    def _take_data(self, event: h2.events.DataReceived) -> None:
        self._data += event.data or b""
        if len(self._data) > _MOST_BYTES:
            raise CallFailed(f"more than {_MOST_BYTES} bytes")
        self._http.acknowledge_received_data(event.flow_controlled_length, event.stream_id or 0)

    def _ended(self) -> bytes:
        http, grpc = self._headers.get(":status"), self._headers.get("grpc-status")
        if http != _OK or grpc != "0":
            said = self._headers.get("grpc-message", "")[:80]
            raise CallFailed(f"HTTP {http}, gRPC status {grpc} {said}".rstrip())
        return unframed(self._data)
