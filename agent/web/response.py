# SPDX-License-Identifier: Apache-2.0
"""What does this stream of bytes say as an HTTP/1.1 response (RFC 9112)?

Bytes are fed in as they come; nothing is opened here. Head and kept body are bounded, whatever a server or
somebody in between sends.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_STATUS = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: .*)?")
_LINE_END = re.compile(rb"\r?\n")
_END = re.compile(rb"\r?\n\r?\n")
"""Small portals end lines as they like, and browsers read them (RFC 9112 §2.2)."""
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_LENGTH = re.compile(r"[0-9]{1,15}")

_MAX_HEAD_BYTES = 16_384
_MAX_LINE_BYTES = 1024
_MAX_AROUND_BYTES = 400_000
"""Of interim responses, sizes of chunks and trailers together; the body has a bound of its own."""
_INFORMATIONAL = range(100, 200)
_SWITCHING = 101
_WITHOUT_BODY = (204, 304)


class BadResponse(ValueError):
    """These bytes are no HTTP response."""


class Response:
    """Reads one response, piece by piece.

    Attributes:
        status: None until the head is whole.
        headers: by lower-case name; the first of several counts.
        body: what was kept of it, at most `keep_bytes`.
        rx_bytes: all bytes fed.
        body_bytes: bytes of the body so far.
        is_complete: nothing more is expected.
    """

    def __init__(self, *, keep_bytes: int, has_body: bool = True) -> None:
        self.status: int | None = None
        self.headers: dict[str, str] = {}
        self.body = bytearray()
        self.rx_bytes = 0
        self.body_bytes = 0
        self.is_complete = False
        self._keep_bytes = keep_bytes
        self._has_body = has_body
        self._waiting = bytearray()
        self._left: int | None = None
        self._step: Callable[[], bool] = self._read_head

    def feed(self, data: bytes) -> None:
        """Take what came.

        Raises:
            BadResponse: this is not HTTP/1.1.
        """
        self.rx_bytes += len(data)
        self._waiting += data
        while not self.is_complete and self._step():
            pass
        if not self.is_complete and self.rx_bytes - self.body_bytes > _MAX_AROUND_BYTES:
            raise BadResponse("there is no end of what comes around the body")

    def finish(self) -> None:
        """The connection has ended.

        Raises:
            BadResponse: in the middle of the response.
        """
        if self.status is not None and self._step == self._read_rest:
            self.is_complete = True
        if not self.is_complete:
            raise BadResponse("the connection ended before the response did")

    def _read_head(self) -> bool:
        end = _END.search(self._waiting)
        head = bytes(self._waiting[: end.start()] if end else self._waiting)
        if len(head) > _MAX_HEAD_BYTES:
            raise BadResponse("the head of the response is too long")
        if not end:
            return False
        rest = self._waiting[end.end() :]
        first, *lines = _LINE_END.split(head)
        status = _STATUS.fullmatch(first)
        if status is None:
            raise BadResponse("the answer is not HTTP")
        self._waiting = rest
        self.status, self.headers = int(status[1]), _headers(lines)
        if self.status in _INFORMATIONAL and self.status != _SWITCHING:
            self.status = None
            return True
        self._step = self._body()
        return True

    def _body(self) -> Callable[[], bool]:
        """Which way of reading the body the head asks for (RFC 9112 §6.3)."""
        if not self._has_body or self.status in _WITHOUT_BODY:
            self.is_complete = True
        elif "transfer-encoding" in self.headers:
            if self.headers["transfer-encoding"].lower() != "chunked":
                raise BadResponse("an unknown transfer coding")
            return self._read_size
        elif "content-length" in self.headers:
            if not _LENGTH.fullmatch(self.headers["content-length"]):
                raise BadResponse("a length that is no number")
            self._left = int(self.headers["content-length"])
            self.is_complete = self._left == 0
            return self._read_length
        return self._read_rest

    def _read_rest(self) -> bool:
        self._keep(len(self._waiting))
        return False

    def _read_length(self) -> bool:
        self._keep_left()
        self.is_complete = self._left == 0
        return False

    def _read_size(self) -> bool:
        line = self._line()
        if line is None:
            return False
        size = _CHUNK.fullmatch(line)
        if size is None:
            raise BadResponse("a chunk without a size")
        self._left = int(size[1], 16)
        self._step = self._read_chunk if self._left else self._read_trailer
        return True

    def _read_chunk(self) -> bool:
        self._keep_left()
        if self._left:
            return False
        line = self._line()
        if line:
            raise BadResponse("a chunk that is longer than its size")
        self._step = self._read_chunk if line is None else self._read_size
        return line is not None

    def _read_trailer(self) -> bool:
        line = self._line()
        self.is_complete = line == b""
        return bool(line)

    def _line(self) -> bytes | None:
        """One line without its end; None while it is not whole."""
        line, end, _ = bytes(self._waiting[: _MAX_LINE_BYTES + 2]).partition(b"\r\n")
        if not end:
            if len(line) > _MAX_LINE_BYTES:
                raise BadResponse("a line that is too long")
            return None
        del self._waiting[: len(line) + 2]
        return line

    def _keep_left(self) -> None:
        count = min(self._left or 0, len(self._waiting))
        self._keep(count)
        self._left = (self._left or 0) - count

    def _keep(self, count: int) -> None:
        room = max(0, self._keep_bytes - len(self.body))
        self.body += self._waiting[: min(room, count)]
        self.body_bytes += count
        del self._waiting[:count]


def _headers(lines: list[bytes]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        # Not by one pattern: a run of blanks within a value would cost its length squared.
        name, colon, value = line.partition(b":")
        if not colon or not _NAME.fullmatch(name) or b"\n" in value:
            raise BadResponse("a header that is none")
        found.setdefault(name.decode("ascii").lower(), value.strip(b" \t").decode("latin-1"))
    return found
