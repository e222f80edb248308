# SPDX-License-Identifier: Apache-2.0
"""What is in a message of protocol buffers, by field numbers alone? (protobuf.dev, encoding; proto3)

A field that a message does not hold is 0 in proto3; whether a field is not there or another message is meant
cannot be told from the bytes. So nothing here turns absence into 0: that is for who knows the message.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIDTHS = {_FIXED64: 8, _FIXED32: 4}
_VARINT_BYTES = 10
_MOST_FIELDS = 5000
_MASK64 = (1 << 64) - 1

Field = tuple[int, int | bytes]
"""Wire type and what it holds: a number, or the bytes."""


class BadMessage(ValueError):
    """These bytes are no message."""


class Message:
    """Fields by number, each as often as it was there.

    Args:
        data: the message, whole.

    Raises:
        BadMessage: it is cut off, or none.
    """

    __slots__ = ("_fields",)

    def __init__(self, data: bytes) -> None:
        self._fields: dict[int, list[Field]] = {}
        at = count = 0
        while at < len(data):
            key, at = _varint(data, at)
            number, wire = key >> 3, key & 7
            value, at = _value(data, at, wire)
            count += 1
            if not number or count > _MOST_FIELDS:
                raise BadMessage("a field without number, or too many fields")
            self._fields.setdefault(number, []).append((wire, value))

    def __contains__(self, number: int) -> bool:
        return number in self._fields

    @property
    def numbers(self) -> Sequence[int]:
        """Of the fields that are there."""
        return tuple(self._fields)

    def whole(self, number: int) -> int | None:
        """An integer, enumeration or flag; negative ones as two's complement of 64 bits."""
        value = self._last(number, _VARINT)
        if not isinstance(value, int):
            return None
        return value - (1 << 64) if value >> 63 else value

    def real(self, number: int) -> float | None:
        """A float of 32 bits."""
        value = self._last(number, _FIXED32)
        return float(struct.unpack("<f", value)[0]) if isinstance(value, bytes) else None

    def reals(self, number: int) -> list[float] | None:
        """Floats of 32 bits, packed or one by one; None where the field is none of these."""
        found: list[float] = []
        for wire, value in self._fields.get(number, ()):
            if not isinstance(value, bytes) or wire not in {_BYTES, _FIXED32} or len(value) % 4:
                return None
            found += struct.unpack(f"<{len(value) // 4}f", value)
        return found if number in self._fields else None

    def text(self, number: int) -> str | None:
        """Text; None where it is not UTF-8."""
        value = self._last(number, _BYTES)
        try:
            return value.decode() if isinstance(value, bytes) else None
        except UnicodeDecodeError:
            return None

    def message(self, number: int) -> Message | None:
        """A message within; None where it is not there, or the field is something else."""
        value = self._last(number, _BYTES)
        try:
            return Message(value) if isinstance(value, bytes) else None
        except BadMessage:
            return None

    def _last(self, number: int, wire: int) -> int | bytes | None:
        """The last one counts, if it is of that wire type."""
        found = self._fields.get(number)
        return found[-1][1] if found and found[-1][0] == wire else None


def empty_within(number: int) -> bytes:
    """A message that holds one empty message."""
    return _written(number << 3 | _BYTES) + b"\0"


def _written(number: int) -> bytes:
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*made, number])


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(_VARINT_BYTES):
        if at + place >= len(data):
            raise BadMessage("cut off in a number")
        byte = data[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value & _MASK64, at + place + 1
    raise BadMessage("a number without end")


def _value(data: bytes, at: int, wire: int) -> tuple[int | bytes, int]:
    if wire == _VARINT:
        return _varint(data, at)
    if wire == _BYTES:
        size, at = _varint(data, at)
    elif wire in _WIDTHS:
        size = _WIDTHS[wire]
    else:
        raise BadMessage(f"wire type {wire}")
    if at + size > len(data):
        raise BadMessage("cut off in a field")
    return data[at : at + size], at + size
