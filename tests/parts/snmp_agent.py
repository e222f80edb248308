# SPDX-License-Identifier: Apache-2.0
"""An SNMP agent on a UDP port that answers as it was recorded to, and misbehaves as agents do.

Versions 1 and 2c. Written without any SNMP library, so that a fault of the library under test cannot hide on
both sides.
"""

from __future__ import annotations

import bisect
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

Oid = tuple[int, ...]

GET, NEXT, RESPONSE, SET, BULK = 0xA0, 0xA1, 0xA2, 0xA3, 0xA5
INTEGER, OCTETS, NULL, OBJECT, SEQUENCE = 0x02, 0x04, 0x05, 0x06, 0x30
NO_OBJECT, NO_INSTANCE, END_OF_VIEW = 0x80, 0x81, 0x82
TAGS = {
    2: INTEGER,
    4: OCTETS,
    5: NULL,
    6: OBJECT,
    64: 0x40,
    65: 0x41,
    66: 0x42,
    67: 0x43,
    68: 0x44,
    70: 0x46,
}
"""Of .snmprec to BER: decimal to the byte on the wire."""
_V1, _V2C = 0, 1
_SYS_UPTIME: Oid = (1, 3, 6, 1, 2, 1, 1, 3, 0)


@dataclass(frozen=True, slots=True)
class Item:
    """One value as it goes over the wire."""

    tag: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked."""

    version: int
    community: bytes
    kind: int
    ident: bytes
    most: int
    names: tuple[Oid, ...]


@dataclass
class Faults:
    """How an agent misbehaves.

    Attributes:
        mute: it never answers a request that names one of these; all with ().
        delay_s: it takes so long.
        drop: every so many requests are lost; 0 for none.
        most_bytes: answers tooBig to what would be longer.
        errors: it answers this status when one of these is named (GET alone).
        circle: what follows this object is this other one.
        damage: what it does to a finished answer; None sends nothing.
        before: datagrams sent ahead of each answer.
        stranger: whether somebody else answers first, from another port, with all integers 7.
    """

    mute: frozenset[Oid] = frozenset()
    delay_s: float = 0.0
    drop: int = 0
    most_bytes: int = 65000
    errors: Mapping[Oid, int] = field(default_factory=dict)
    circle: Mapping[Oid, Oid] = field(default_factory=dict)
    damage: Callable[[bytes], bytes | None] = lambda answer: answer
    before: tuple[bytes, ...] = ()
    stranger: bool = False


class SnmpReplay:
    """Answers on a UDP port of 127.0.0.1 until its block ends.

    Args:
        values: what it has.
        community: to which it answers.
        versions: that it speaks: 0 is version 1, 1 is 2c.
        faults: how it misbehaves; may be changed while it runs.

    Attributes:
        asked: names of all requests so far.
        told: names of all answers so far.
    """

    def __init__(
        self,
        values: Mapping[Oid, Item],
        *,
        community: str = "public",
        versions: frozenset[int] = frozenset({_V1, _V2C}),
        faults: Faults | None = None,
    ) -> None:
        self.values = dict(values)
        self._names = sorted(self.values)
        self._community = community.encode()
        self._versions = versions
        self.faults = faults or Faults()
        self.asked: list[Oid] = []
        self.told: list[Oid] = []
        self._count = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.05)
        self.port: int = self._socket.getsockname()[1]
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def host(self) -> str:
        """Where it is asked."""
        return f"127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        self._socket.close()

    def set(self, name: Oid, item: Item | None) -> None:
        """Change a value, or take it away."""
        if item is None:
            self.values.pop(name, None)
        else:
            self.values[name] = item
        self._names = sorted(self.values)

    def _serve(self) -> None:
        while not self._ends.is_set():
            with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                data, sender = self._socket.recvfrom(65536)
                if self.faults.stranger:
                    _answer_as_stranger(data, sender)
                for answer in self._answers(data):
                    self._socket.sendto(answer, sender)

    def _answers(self, data: bytes) -> Iterable[bytes]:
        request = read_request(data)
        self.asked += request.names
        self._count += 1
        faults = self.faults
        is_lost = faults.drop and self._count % faults.drop == 0
        is_strange = request.community != self._community or request.version not in self._versions
        if is_lost or is_strange or () in faults.mute or faults.mute & set(request.names):
            return
        if faults.delay_s:
            self._ends.wait(faults.delay_s)
        yield from faults.before
        damaged = faults.damage(self._answer(request))
        if damaged is not None:
            yield damaged

    def _answer(self, request: Request) -> bytes:
        error, rows = self._rows(request)
        self.told += [name for name, _ in rows]
        answer = write_response(request, rows, error)
        if len(answer) > self.faults.most_bytes:
            return write_response(request, _as_asked(request), (1, 0))
        return answer

    def _rows(self, request: Request) -> tuple[tuple[int, int], list[tuple[Oid, Item]]]:
        if request.kind == SET:
            raise AssertionError(f"somebody sets {request.names}")
        if request.kind == GET:
            return self._got(request)
        rows: list[tuple[Oid, Item]] = []
        at = request.names[0]
        if request.version == _V1:
            # 64 bits are not of version 1's types: it passes over them (RFC 3584 §4.2.2.1).
            while (passed := self._following(at)) and self.values[passed].tag == TAGS[70]:
                at = passed
        for _ in range(request.most if request.kind == BULK else 1):
            following = self._following(at)
            if following is None and request.version == _V1:
                return (2, 1), _as_asked(request)
            if following is None:
                rows.append((at, Item(END_OF_VIEW, b"")))
                continue
            at = following
            rows.append((at, self.values[at]))
        return (0, 0), rows

    def _got(self, request: Request) -> tuple[tuple[int, int], list[tuple[Oid, Item]]]:
        rows = []
        for place, name in enumerate(request.names, 1):
            if name in self.faults.errors:
                return (self.faults.errors[name], place), _as_asked(request)
            item = self.values.get(name)
            if request.version == _V1 and (item is None or item.tag == TAGS[70]):
                return (2, place), _as_asked(request)
            rows.append((name, item or Item(NO_INSTANCE, b"")))
        return (0, 0), rows

    def _following(self, name: Oid) -> Oid | None:
        if name in self.faults.circle:
            return self.faults.circle[name]
        at = bisect.bisect_right(self._names, name)
        return self._names[at] if at < len(self._names) else None


def _answer_as_stranger(data: bytes, sender: tuple[str, int]) -> None:
    request = read_request(data)
    answer = write_response(request, [(name, number(7)) for name in request.names], (0, 0))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.sendto(answer, sender)
    time.sleep(0.01)


def _as_asked(request: Request) -> list[tuple[Oid, Item]]:
    return [(name, Item(NULL, b"")) for name in request.names]


def load(path: Path) -> dict[Oid, Item]:
    """A recording: lines of `name|type|value`, in any order; `x` behind the type for hexadecimal octets."""
    lines = (line for line in path.read_text().splitlines() if line and not line.startswith("#"))
    return dict(line_of(line) for line in lines)


def line_of(line: str) -> tuple[Oid, Item]:
    """One line of a recording.

    Raises:
        ValueError, KeyError, IndexError: it is none.
    """
    name, tag, said = line.split("|", 2)
    wire = TAGS[int(tag.rstrip("x"))]
    return oid(name), Item(wire, bytes.fromhex(said) if tag.endswith("x") else _body(wire, said))


def _body(wire: int, said: str) -> bytes:
    if wire == OBJECT:
        return write_oid(oid(said))
    if wire == 0x40:
        return bytes(int(part) for part in said.split("."))
    if wire in {OCTETS, 0x44}:
        return said.encode()
    return b"" if wire == NULL else signed(int(said))


def text(said: str) -> Item:
    """Octets."""
    return Item(OCTETS, said.encode())


def number(value: int, tag: int = INTEGER) -> Item:
    """An integer of any type."""
    return Item(tag, signed(value))


def uptime(since_s: float, *, ticks: int = 0) -> Item:
    """sysUpTime now, of an agent that began at a time of the monotonic clock with so many ticks."""
    return Item(0x43, signed((ticks + int((time.monotonic() - since_s) * 100)) % (1 << 32)))


def oid(dotted: str) -> Oid:
    """From the usual notation."""
    return tuple(int(part) for part in dotted.strip(".").split("."))


def signed(value: int) -> bytes:
    """The fewest octets in two's complement (X.690 §8.3)."""
    return value.to_bytes((value if value >= 0 else ~value).bit_length() // 8 + 1, "big", signed=True)


def ber(tag: int, body: bytes) -> bytes:
    """Tag, length, body."""
    size = len(body)
    if size < 128:
        return bytes([tag, size]) + body
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + body


def write_oid(name: Oid) -> bytes:
    """X.690 §8.19."""
    body = bytearray([name[0] * 40 + name[1]]) if len(name) > 1 else bytearray()
    for part in name[2:]:
        septets = [part & 0x7F]
        while part := part >> 7:
            septets.insert(0, part & 0x7F | 0x80)
        body += bytes(septets)
    return bytes(body)


def read_oid(body: bytes) -> Oid:
    """X.690 §8.19."""
    name, part = [body[0] // 40, body[0] % 40], 0
    for octet in body[1:]:
        part = part << 7 | octet & 0x7F
        if not octet & 0x80:
            name.append(part)
            part = 0
    return tuple(name)


def read_ber(data: bytes, at: int) -> tuple[int, bytes, int]:
    """Tag, body and where the next one begins."""
    tag, size, at = data[at], data[at + 1], at + 2
    if size & 0x80:
        count = size & 0x7F
        size, at = int.from_bytes(data[at : at + count], "big"), at + count
    return tag, data[at : at + size], at + size


def read_request(data: bytes) -> Request:
    """A message of version 1 or 2c."""
    _, message, _ = read_ber(data, 0)
    _, version, at = read_ber(message, 0)
    _, community, at = read_ber(message, at)
    kind, pdu, _ = read_ber(message, at)
    _, ident, at = read_ber(pdu, 0)
    _, _, at = read_ber(pdu, at)
    _, most, at = read_ber(pdu, at)
    _, rows, _ = read_ber(pdu, at)
    names, at = [], 0
    while at < len(rows):
        _, row, at = read_ber(rows, at)
        names.append(read_oid(read_ber(row, 0)[1]))
    return Request(version[0], community, kind, ident, int.from_bytes(most, "big"), tuple(names))


def write_response(request: Request, rows: Iterable[tuple[Oid, Item]], error: tuple[int, int]) -> bytes:
    """The answer to a request."""
    listed = b"".join(
        ber(SEQUENCE, ber(OBJECT, write_oid(name)) + ber(item.tag, item.body)) for name, item in rows
    )
    head = ber(INTEGER, request.ident) + ber(INTEGER, signed(error[0])) + ber(INTEGER, signed(error[1]))
    pdu = ber(RESPONSE, head + ber(SEQUENCE, listed))
    return ber(SEQUENCE, ber(INTEGER, bytes([request.version])) + ber(OCTETS, request.community) + pdu)
