# SPDX-License-Identifier: Apache-2.0
"""What do the two ends of a capacity test say to each other, over UDP?

    school                                  reflector
    HELLO nonce               ──────▶
                              ◀──────  COOKIE nonce, cookie           the address is proven by sending it back
    OPEN cookie, token, bytes ──────▶
                              ◀──────  OPENED session, bytes, time    or REFUSED reason, when to come back
    PING                      ──────▶
                              ◀──────  PONG, of the same length
    SEND round, legs          ──────▶
                              ◀──────  DATA, DATA, DATA …             a round down
    DATA, DATA, DATA …        ──────▶                                 a round up
    ASK round, from           ──────▶
                              ◀──────  REPORT: when each packet of it came
    BYE                       ──────▶

All are one datagram: `SPC1`, one byte for the kind, and what follows here; integers are big-endian. What asks
for an answer is padded to `MIN_ASKING_BYTES`, and the answer to whoever has proven no address is shorter:
nobody can have the reflector send more to a stranger than he has sent himself.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from agent.contract.capacity.legs import Leg

MAGIC = b"SPC1"
MIN_ASKING_BYTES = 72
NONCE_BYTES = SESSION_BYTES = 8
COOKIE_BYTES = 16
MAX_DATAGRAM_BYTES = 1472
MAX_LEGS = 4
MAX_ENTRIES = 200
MAX_PACKETS = 65_535
"""Of one round: entries of a report hold sequence numbers in 16 bits."""

DATA_HEADER = struct.Struct("!4sB8sHII")
"""Magic, kind, session, round, sequence number, microseconds since the round's first packet left."""
_KIND = len(MAGIC)
_BODY = _KIND + 1
_HELLO = struct.Struct("!8s")
_COOKIE = struct.Struct("!8s16s")
_OPEN = struct.Struct("!8s16sQH")
_OPENED = struct.Struct("!8s8sQII")
_REFUSED = struct.Struct("!8sIB")
_PING = struct.Struct("!8sI")
_SEND = struct.Struct("!8sHB")
_LEG = struct.Struct("!IHIB")
_ASK = struct.Struct("!8sHIBB")
REPORT_BYTES, ENTRY_BYTES = 26, 6
_REPORT = struct.Struct("!8sHIIHB")
_ENTRY = struct.Struct("!HI")
_PADDING = os.urandom(MAX_DATAGRAM_BYTES)
"""Not zeros: a link that compresses would carry more of those than of anything real."""
_MAX_WORD = 32
_MAX_TOKEN = 512


class BadDatagram(ValueError):
    """It is no message of a capacity test."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Who is there?"""

    nonce: bytes


@dataclass(frozen=True, slots=True)
class Cookie:
    """Prove that this reaches you."""

    nonce: bytes
    cookie: bytes


@dataclass(frozen=True, slots=True)
class Open:
    """May I test?"""

    nonce: bytes
    cookie: bytes
    wanted_bytes: int
    token: str


@dataclass(frozen=True, slots=True)
class Opened:
    """You may, so much, so long, so fast."""

    nonce: bytes
    session: bytes
    bytes: int
    ms: int
    max_kbps: int


@dataclass(frozen=True, slots=True)
class Refused:
    """No, and when to come back; 0 s where that would not help.

    Attributes:
        about: nonce or session of what is refused.
    """

    about: bytes
    retry_after_s: int
    reason: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Answer at once, with as many bytes.

    Attributes:
        length: of the datagram.
    """

    session: bytes
    number: int
    length: int = MIN_ASKING_BYTES


@dataclass(frozen=True, slots=True)
class Pong:
    """Here."""

    session: bytes
    number: int
    length: int = MIN_ASKING_BYTES


@dataclass(frozen=True, slots=True)
class Send:
    """Send me this round."""

    session: bytes
    round: int
    legs: tuple[Leg, ...]


@dataclass(frozen=True, slots=True)
class Data:
    """One packet of a round; its padding is the point of it."""

    session: bytes
    round: int
    seq: int
    sent_us: int


@dataclass(frozen=True, slots=True)
class Ask:
    """What came of this round, from this place of the list on, in so many datagrams of so many entries?"""

    session: bytes
    round: int
    start: int
    datagrams: int = 1
    entries: int = MAX_ENTRIES


@dataclass(frozen=True, slots=True)
class Report:
    """Sequence number and time of each packet in the order in which they came.

    Attributes:
        total: how many came until now.
        start: place of the first entry here.
        overrun: how many the receiver's own socket dropped, at least.
        entries: sequence number, microseconds since the round's first packet came.
    """

    session: bytes
    round: int
    total: int
    start: int
    overrun: int
    entries: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Bye:
    """I have finished."""

    session: bytes


Message = (
    Hello | Cookie | Open | Opened | Refused | Ping | Pong | Send | Data | Ask | Report | Bye
)  # in the order of their numbers

(HELLO, COOKIE, OPEN, OPENED, REFUSED, PING, PONG, SEND, DATA, ASK, REPORT, BYE) = range(1, 13)


def write(message: Message) -> bytes:
    """The datagram."""
    kind, body, length = _BODIES[type(message)](message)
    return (MAGIC + bytes([kind]) + body).ljust(length, b"\0")


def read(datagram: bytes) -> Message:
    """The message.

    Raises:
        BadDatagram: it is none.
    """
    if datagram[:_KIND] != MAGIC or len(datagram) <= _KIND:
        raise BadDatagram("it does not begin as messages do")
    reader = _READERS.get(datagram[_KIND])
    if reader is None:
        raise BadDatagram(f"of unknown kind {datagram[_KIND]}")
    try:
        return reader(datagram)
    except (struct.error, UnicodeDecodeError, IndexError) as e:
        raise BadDatagram(str(e)) from e


def write_data(first: Data, *, count: int, length: int) -> bytearray:
    """So many packets of a round, one behind the other, each `length` bytes long as a datagram."""
    out = bytearray(_PADDING[:length] * count)
    session, number, seq, sent_us = first.session, first.round, first.seq, first.sent_us
    for i in range(count):
        DATA_HEADER.pack_into(out, i * length, MAGIC, DATA, session, number, seq + i, sent_us)
    return out


def _read_hello(datagram: bytes) -> Hello:
    return Hello(*_HELLO.unpack_from(datagram, _BODY))


def _read_cookie(datagram: bytes) -> Cookie:
    return Cookie(*_COOKIE.unpack_from(datagram, _BODY))


def _read_open(datagram: bytes) -> Open:
    nonce, cookie, wanted_bytes, length = _OPEN.unpack_from(datagram, _BODY)
    at = _BODY + _OPEN.size
    if length > _MAX_TOKEN or at + length > len(datagram):
        raise BadDatagram(f"a token of {length} bytes")
    return Open(nonce, cookie, wanted_bytes, datagram[at : at + length].decode("ascii"))


def _read_opened(datagram: bytes) -> Opened:
    return Opened(*_OPENED.unpack_from(datagram, _BODY))


def _read_refused(datagram: bytes) -> Refused:
    about, retry_after_s, length = _REFUSED.unpack_from(datagram, _BODY)
    at = _BODY + _REFUSED.size
    if length > _MAX_WORD or at + length > len(datagram):
        raise BadDatagram(f"a reason of {length} bytes")
    return Refused(about, retry_after_s, datagram[at : at + length].decode("ascii"))


def _read_ping(datagram: bytes) -> Ping:
    session, number = _PING.unpack_from(datagram, _BODY)
    return Ping(session, number, _padded(datagram))


def _read_pong(datagram: bytes) -> Pong:
    session, number = _PING.unpack_from(datagram, _BODY)
    return Pong(session, number, _padded(datagram))


def _padded(datagram: bytes) -> int:
    if not MIN_ASKING_BYTES <= len(datagram) <= MAX_DATAGRAM_BYTES:
        raise BadDatagram(f"a ping of {len(datagram)} bytes")
    return len(datagram)


def _read_send(datagram: bytes) -> Send:
    session, number, count = _SEND.unpack_from(datagram, _BODY)
    if not 1 <= count <= MAX_LEGS:
        raise BadDatagram(f"{count} legs")
    at = _BODY + _SEND.size
    try:
        legs = tuple(Leg(*_LEG.unpack_from(datagram, at + i * _LEG.size)) for i in range(count))
    except ValueError as e:
        raise BadDatagram(str(e)) from e
    if sum(leg.count for leg in legs) > MAX_PACKETS:
        raise BadDatagram("too many packets in one round")
    return Send(session, number, legs)


def _read_data(datagram: bytes) -> Data:
    return Data(*DATA_HEADER.unpack_from(datagram)[2:])


def _read_ask(datagram: bytes) -> Ask:
    return Ask(*_ASK.unpack_from(datagram, _BODY))


def _read_report(datagram: bytes) -> Report:
    session, number, total, start, overrun, count = _REPORT.unpack_from(datagram, _BODY)
    at = _BODY + _REPORT.size
    if at + count * _ENTRY.size > len(datagram):
        raise BadDatagram(f"{count} entries in {len(datagram)} bytes")
    entries = tuple(_ENTRY.iter_unpack(datagram[at : at + count * _ENTRY.size]))
    return Report(session, number, total, start, overrun, entries)


def _read_bye(datagram: bytes) -> Bye:
    return Bye(*_HELLO.unpack_from(datagram, _BODY))


def _write_open(m: Open) -> bytes:
    token = m.token.encode("ascii")
    return _OPEN.pack(m.nonce, m.cookie, m.wanted_bytes, len(token)) + token


def _write_send(m: Send) -> bytes:
    legs = b"".join(_LEG.pack(leg.count, leg.packet_bytes, leg.interval_ns, leg.together) for leg in m.legs)
    return _SEND.pack(m.session, m.round, len(m.legs)) + legs


def _write_report(m: Report) -> bytes:
    entries = b"".join(_ENTRY.pack(*entry) for entry in m.entries)
    head = _REPORT.pack(m.session, m.round, m.total, m.start, min(m.overrun, 65_535), len(m.entries))
    return head + entries


_READERS: dict[int, Callable[[bytes], Message]] = {
    HELLO: _read_hello,
    COOKIE: _read_cookie,
    OPEN: _read_open,
    OPENED: _read_opened,
    REFUSED: _read_refused,
    PING: _read_ping,
    PONG: _read_pong,
    SEND: _read_send,
    DATA: _read_data,
    ASK: _read_ask,
    REPORT: _read_report,
    BYE: _read_bye,
}
_BODIES: dict[type[Any], Callable[[Any], tuple[int, bytes, int]]] = {
    Hello: lambda m: (HELLO, _HELLO.pack(m.nonce), MIN_ASKING_BYTES),
    Cookie: lambda m: (COOKIE, _COOKIE.pack(m.nonce, m.cookie), 0),
    Open: lambda m: (OPEN, _write_open(m), MIN_ASKING_BYTES),
    Opened: lambda m: (OPENED, _OPENED.pack(m.nonce, m.session, m.bytes, m.ms, m.max_kbps), 0),
    Refused: lambda m: (
        REFUSED,
        _REFUSED.pack(m.about, m.retry_after_s, len(m.reason)) + m.reason.encode("ascii"),
        0,
    ),
    Ping: lambda m: (PING, _PING.pack(m.session, m.number), m.length),
    Pong: lambda m: (PONG, _PING.pack(m.session, m.number), m.length),
    Send: lambda m: (SEND, _write_send(m), MIN_ASKING_BYTES),
    Data: lambda m: (DATA, DATA_HEADER.pack(MAGIC, DATA, m.session, m.round, m.seq, m.sent_us)[_BODY:], 0),
    Ask: lambda m: (ASK, _ASK.pack(m.session, m.round, m.start, m.datagrams, m.entries), MIN_ASKING_BYTES),
    Report: lambda m: (REPORT, _write_report(m), 0),
    Bye: lambda m: (BYE, _HELLO.pack(m.session), MIN_ASKING_BYTES),
}
