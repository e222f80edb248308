# SPDX-License-Identifier: Apache-2.0
"""What does a frame of the journal say: a message as it came, or how all stood when a segment began?

header = "H", deflated JSON: version, number of the next entry, when it began, what is accounted for (`seen`),
         when each session was last heard of, what no signature holds for yet (`opened`)
entry  = "E", number (u64), received_ms (i64), session (8 bytes), length of the device (u8), ranges (u16),
         place (u16), device, ranges (first and last seq, u64 each), the payload exactly as received

The place is the entry's in the group it was committed with, from 0: where an entry of place 0 follows, all
before it was durable, so damage there is none that a power cut has done.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass, field
from typing import Any

from agent.contract.decoder import DecodeError, decode
from agent.contract.ranges import Range
from collector.seen import HeardMs, Plain, PlainOpen
from collector.segment import Frame, Position

_ENTRY = struct.Struct(">cQq8sBHH")
_RANGE = struct.Struct(">QQ")
MAX_RANGES = 0xFFFF
_LAST_PLACE = 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class NewEntry:
    """A message that is to enter the journal.

    Attributes:
        new: sequence numbers it accounts for that no entry before it did, as inclusive ranges.
        payload: the bytes as they came from the device.
    """

    received_ms: int
    device: str
    session: str
    new: tuple[Range, ...]
    payload: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry(NewEntry):
    """A message in the journal.

    Attributes:
        number: 1 for the first entry of the journal, then one more each.
        at: where it stands.
        after: where the next one will.
        place: in the group it was committed with, 0 for the first.
    """

    number: int
    at: Position
    after: Position
    place: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """How the journal stood when a segment began."""

    next_number: int
    began_ms: int
    seen: Plain
    heard_ms: HeardMs = field(default_factory=dict)
    opened: PlainOpen = field(default_factory=dict)
    version: int = 1


def entry_body(entry: NewEntry, number: int, place: int = 0) -> bytes:
    """The body of an entry's frame."""
    device = entry.device.encode()
    head = _ENTRY.pack(
        b"E",
        number,
        entry.received_ms,
        bytes.fromhex(entry.session),
        len(device),
        len(entry.new),
        min(place, _LAST_PLACE),
    )
    return b"".join([head, device, *(_RANGE.pack(*r) for r in entry.new), entry.payload])


def header_body(header: Header) -> bytes:
    """The body of a header's frame."""
    plain: dict[str, Any] = {
        "version": header.version,
        "next_number": header.next_number,
        "began_ms": header.began_ms,
    }
    plain |= {"seen": header.seen, "heard_ms": header.heard_ms, "opened": header.opened}
    return b"H" + zlib.compress(json.dumps(plain, separators=(",", ":")).encode())


def read_frame(frame: Frame) -> Entry | Header:
    """What a whole frame says.

    Raises:
        DecodeError: it was written by something else, or by a later version.
    """
    try:
        return _entry(frame) if frame.body[:1] == b"E" else _header(frame.body)
    except (struct.error, zlib.error, ValueError) as e:
        raise DecodeError(str(frame.at), f"not an entry of this version: {e}") from e


def _entry(frame: Frame) -> Entry:
    body = frame.body
    _, number, received_ms, session, device_bytes, n_ranges, place = _ENTRY.unpack_from(body)
    ranges_at = _ENTRY.size + device_bytes
    payload_at = ranges_at + n_ranges * _RANGE.size
    return Entry(
        number=number,
        received_ms=received_ms,
        session=session.hex(),
        device=body[_ENTRY.size : ranges_at].decode(),
        new=tuple(_RANGE.iter_unpack(body[ranges_at:payload_at])),
        payload=body[payload_at:],
        at=frame.at,
        after=Position(frame.at.segment, frame.end),
        place=place,
    )


def _header(body: bytes) -> Header:
    if body[:1] != b"H":
        raise ValueError(f"a frame of kind {body[:1]!r}")
    return decode(Header, json.loads(zlib.decompress(body[1:])))
