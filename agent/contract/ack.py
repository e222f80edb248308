# SPDX-License-Identifier: Apache-2.0
"""How is an acknowledgement packed, in some 19 bytes instead of 71?

Byte 1, session (8 bytes), up_to_seq, wall_ms (zigzag), pause_s + 1 or 0, number of ranges, then of each range
its distance from the number before (zigzag) and its length - 1; numbers as in `agent.contract.columns`.
"""

from __future__ import annotations

from agent.contract.columns import Reader, Writer
from agent.contract.decoder import DecodeError
from agent.contract.packed import FORMAT
from agent.contract.record import Ack

_SESSION_BYTES = 8
_MOST_RANGES = 1000


def pack_ack(ack: Ack) -> bytes:
    """One packed `ack` payload."""
    body = Writer()
    body.raw(bytes([FORMAT]) + bytes.fromhex(ack.session))
    body.varint(ack.up_to_seq)
    body.zigzag(ack.wall_ms)
    body.varint(0 if ack.pause_s is None else ack.pause_s + 1)
    body.varint(len(ack.ranges))
    before = 0
    for low, high in ack.ranges:
        body.zigzag(low - before)
        body.varint(high - low)
        before = high
    return body.getvalue()


def unpack_ack(payload: bytes) -> Ack:
    """Read one.

    Raises:
        DecodeError: it is damaged.
    """
    body = Reader(payload)
    body.raw(1)
    session = body.raw(_SESSION_BYTES).hex()
    up_to_seq, wall_ms, pause_s = body.varint(), body.zigzag(), body.varint()
    ranges = tuple(_ranges(body))
    body.expect_end()
    return Ack(
        session=session,
        up_to_seq=up_to_seq,
        wall_ms=wall_ms,
        pause_s=pause_s - 1 if pause_s else None,
        ranges=ranges,
    )


def _ranges(body: Reader) -> list[tuple[int, int]]:
    count, before, found = body.varint(), 0, []
    if count > _MOST_RANGES:
        raise DecodeError("ranges", f"{count} ranges are more than {_MOST_RANGES}")
    for _ in range(count):
        low = before + body.zigzag()
        before = low + body.varint()
        found.append((low, before))
    return found
