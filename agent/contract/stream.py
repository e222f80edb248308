# SPDX-License-Identifier: Apache-2.0
"""What do agent and reflector say to each other in a TCP test?

Lines of JSON, on any number of connections to one port. The first one opens a session with the device's token
and stays; the others join the session and carry nothing but load, or echo one line. While load comes up, the
reflector reports on the first connection, with its own clock, what has arrived.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from agent.contract.decoder import DecodeError, decode
from agent.contract.record import to_plain

MAX_LINE_BYTES = 1024
REPORT_EVERY_S = 0.04
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """First line of a session.

    Attributes:
        open: the device's token.
        bytes: how much the whole test may move.
    """

    open: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """Its answer.

    Attributes:
        session: what further connections join by; None when refused.
        bytes: how much may be moved.
        seconds: how long it may take.
        refused: why not, in one word.
    """

    session: str | None = None
    bytes: int = 0
    seconds: float = 0.0
    refused: str | None = None
    retry_after_s: int | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """First line of a further connection."""

    join: str
    direction: Literal["down", "up", "echo"]
    congestion: str = "bbr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """Its answer; load begins behind it.

    Attributes:
        congestion: what the reflector's kernel really uses to send.
    """

    ok: bool
    congestion: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the reflector has seen of all streams of a session until now.

    Attributes:
        at_us: on the reflector's monotonic clock.
        segments: that arrived with load in them.
        segment_bytes: of a full one, at the IP layer.
        received_bytes: in order, without headers.
        acked_bytes: of what the reflector sent, without headers.
        retransmitted_bytes: of what it sent.
        rwnd_limited_ratio: share of its sending time in which the receiver's window held it back.
        doubled_segments: of those it sent, that came twice, as the receiver said (RFC 2883).
    """

    at_us: int
    segments: int = 0
    segment_bytes: int = 0
    received_bytes: int = 0
    acked_bytes: int = 0
    retransmitted_bytes: int = 0
    rwnd_limited_ratio: float = 0.0
    last: bool = False
    doubled_segments: int = 0

    def __post_init__(self) -> None:
        """Refuse what no kernel counts: whoever reckons with it would fail."""
        counts = (self.at_us, self.segments, self.received_bytes, self.acked_bytes)
        if not all(0 <= n < 1 << 63 for n in (*counts, self.retransmitted_bytes, self.doubled_segments)):
            raise ValueError("a count that cannot be")
        if not 0 <= self.segment_bytes < 1 << 17:
            raise ValueError("a segment longer than any packet")


def write(message: Open | Opened | Join | Joined | Report) -> bytes:
    """One line; what has its default is left out."""
    plain = {key: value for key, value in to_plain(message).items() if value not in (None, "")}
    return json.dumps(plain, separators=(",", ":")).encode() + b"\n"


def read(kind: type[T], line: bytes) -> T:
    """One line.

    Raises:
        DecodeError: it is none of these.
    """
    return decode(kind, _plain(line))


def read_first(line: bytes) -> Open | Join:
    """The first line of a connection.

    Raises:
        DecodeError: it is none.
    """
    plain = _plain(line)
    return decode(Open, plain) if "open" in plain else decode(Join, plain)


def _plain(line: bytes) -> dict[str, Any]:
    try:
        plain = json.loads(line) if len(line) <= MAX_LINE_BYTES else None
    except (ValueError, RecursionError) as e:
        raise DecodeError("", "it is no line of JSON") from e
    if not isinstance(plain, dict):
        raise DecodeError("", "it is no JSON object of allowed length")
    return plain
