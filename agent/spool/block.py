# SPDX-License-Identifier: Apache-2.0
r"""How do records lie on the card, and which of them are whole?

    file  = slots of 4096 bytes, filled with zeros when it is made
    block = magic "SPB1", length of the payload (u32), CRC-32 of both (u32), payload, zeros up to whole slots

Little-endian. A payload is a batch in the packed form (`agent.contract.packed`): records of one session, some
25 bytes each. A block starts in any slot; nothing follows from the order of slots.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agent.contract.codec import decode_batch, encode
from agent.contract.record import Batch, Record

SLOT_BYTES = 4096
_HEAD = struct.Struct("<4sII")
_MAGIC = b"SPB1"
ROOM = SLOT_BYTES - _HEAD.size
"""Bytes of payload that fit into a block of one slot."""

_FIRST_GUESS = 150
_FULL = 0.95
_MOST = 5000
"""Records that are all alike pack into next to nothing, and a reader takes only so many."""


@dataclass(frozen=True, slots=True)
class Found:
    """A block in a file, or, where the payload is None, a slot that holds neither a whole block nor zeros."""

    slot: int
    slots: int
    payload: bytes | None


def pack(session: str, records: Sequence[Record]) -> bytes:
    """Records of one session, ascending, as a payload."""
    return encode(
        Batch(
            device="spool",
            session=session,
            first_seq=records[0].seq,
            clock=records[-1].clock,
            records=tuple(records),
        )
    )


def unpack(payload: bytes) -> tuple[str, tuple[Record, ...]]:
    """Session and records of a payload; those of kinds this version does not know are left out.

    Raises:
        DecodeError: it was written by a version that packs otherwise.
    """
    batch = decode_batch(payload).batch
    return batch.session, batch.records


def pack_all(session: str, records: Sequence[Record]) -> Iterator[tuple[Sequence[Record], bytes]]:
    """Pieces that fill one slot each; a record too large for one has a piece of its own."""
    at = 0
    count = _FIRST_GUESS
    while at < len(records):
        count, payload = _most(session, records[at:], count)
        yield records[at : at + count], payload
        at += count


def _most(session: str, records: Sequence[Record], count: int) -> tuple[int, bytes]:
    """About as many of the first records as fit into a slot, packed; found from a guess."""
    records = records[:_MOST]
    count = min(count, len(records))
    payload = pack(session, records[:count])
    while len(payload) > ROOM and count > 1:
        count = max(1, min(count - 1, count * ROOM // len(payload)))
        payload = pack(session, records[:count])
    while len(payload) < ROOM * _FULL and count < len(records):
        more = min(len(records), max(count + 1, int(count * ROOM * _FULL / len(payload))))
        larger = pack(session, records[:more])
        if len(larger) > ROOM:
            break
        count, payload = more, larger
    return count, payload


def frame(payload: bytes) -> bytes:
    """A block."""
    block = _HEAD.pack(_MAGIC, len(payload), _checksum(payload)) + payload
    return block + bytes(-len(block) % SLOT_BYTES)


def slots_of(payload: bytes) -> int:
    """How many slots its block takes."""
    return -(-(_HEAD.size + len(payload)) // SLOT_BYTES)


def scan(data: bytes) -> Iterator[Found]:
    """Everything in a file but empty slots."""
    slot = 0
    view = memoryview(data)
    while slot * SLOT_BYTES < len(data):
        payload = read_block(view[slot * SLOT_BYTES :])
        slots = 1 if payload is None else slots_of(payload)
        if payload is not None or any(view[slot * SLOT_BYTES : (slot + 1) * SLOT_BYTES]):
            yield Found(slot, slots, payload)
        slot += slots


def read_block(data: bytes | memoryview) -> bytes | None:
    """The payload of the block at the beginning, None where there is no whole one."""
    if len(data) < _HEAD.size:
        return None
    magic, length, checksum = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        return None
    payload = bytes(data[_HEAD.size : _HEAD.size + length])
    if len(payload) != length or _checksum(payload) != checksum:
        return None
    return payload


def _checksum(payload: bytes) -> int:
    return zlib.crc32(payload, zlib.crc32(struct.pack("<I", len(payload))))
