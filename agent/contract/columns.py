# SPDX-License-Identifier: Apache-2.0
"""How is one column of numbers, flags, words or histograms written into bytes, and read from hostile ones?

Integers are varints (LEB128, signed ones zigzag) of the difference to the value before, or of the difference
of differences; decimals are such integers divided by a power of ten, where that is exact, else IEEE 754
doubles.

A column has a head, which says what it is, and cells. The head is one byte: type (3 bits), whether some cells
are empty (1 bit), distance of its number from the column before (4 bits, 15 = a varint follows); decimals add
their exponent.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from agent.contract.decoder import DecodeError


class ColumnType(enum.IntEnum):
    """What a column holds."""

    INT = 0
    DECIMAL = 1
    DOUBLE = 2
    BOOL = 3
    TEXT = 4
    HISTOGRAM = 5
    PREDICTED = 6
    INT_STEADY = 7


_ESCAPE = 15
_MAX_EXPONENT = 6
_EXACT = 2**53
_MAX_VARINT_BITS = 70
_NEAR_BIT = 16
_HUNDREDTHS = 2
_MORE = 0x80


@dataclass(frozen=True, slots=True)
class Head:
    """What a column is.

    Attributes:
        step: its number minus that of the column before.
        exponent: of a decimal's power of ten.
        is_near: a decimal's cells are differences to what is predicted for their row, not to the cell before.
    """

    step: int
    type: ColumnType
    has_empty: bool = False
    exponent: int = 0
    is_near: bool = False


def head_of(step: int, cells: Sequence[Any], *, near: bool = False) -> Head:
    """The head that suits these cells; `near` asks for differences to predictions, in hundredths."""
    values = [c for c in cells if c is not None]
    kind, exponent = _suiting(values)
    is_near = near and kind is ColumnType.DECIMAL and all(_is_exact(v, 10**_HUNDREDTHS) for v in values)
    return Head(step, kind, len(values) < len(cells), _HUNDREDTHS if is_near else exponent, is_near)


def _suiting(values: list[Any]) -> tuple[ColumnType, int]:
    first = values[0] if values else 0
    for type_, column_type in _TYPES.items():
        if isinstance(first, type_):
            return column_type, 0
    if all(type(v) is int for v in values):
        return _suiting_int(values), 0
    exponents = range(_MAX_EXPONENT + 1)
    exact = next((k for k in exponents if all(_is_exact(v, 10**k) for v in values)), None)
    return (ColumnType.DOUBLE, 0) if exact is None else (ColumnType.DECIMAL, exact)


_TYPES: dict[Any, ColumnType] = {
    bool: ColumnType.BOOL,
    str: ColumnType.TEXT,
    (list, tuple): ColumnType.HISTOGRAM,
}


def _suiting_int(values: list[int]) -> ColumnType:
    """Differences of differences where they are smaller: times of a steady schedule, steady counters."""
    steps = [b - a for a, b in pairwise(values)]
    bends = [b - a for a, b in zip([0, *steps], steps, strict=False)]
    return ColumnType.INT_STEADY if _weight(bends) < _weight(steps) else ColumnType.INT


def _weight(numbers: list[int]) -> int:
    return sum(n.bit_length() // 7 + 1 for n in (abs(n) * 2 for n in numbers))


def _is_exact(value: float, scale: int) -> bool:
    scaled = value * scale
    return abs(scaled) < _EXACT and round(scaled) / scale == value


class Writer:
    """Appends primitive values to a growing body."""

    def __init__(self) -> None:
        self._out = bytearray()

    def getvalue(self) -> bytes:
        """The body so far."""
        return bytes(self._out)

    def varint(self, value: int) -> None:
        """A number from 0 upwards."""
        while value >= _MORE:
            self._out.append(value & 0x7F | _MORE)
            value >>= 7
        self._out.append(value)

    def zigzag(self, value: int) -> None:
        """A signed number."""
        self.varint(value << 1 if value >= 0 else (-value << 1) - 1)

    def raw(self, value: bytes) -> None:
        """Bytes whose number both sides know."""
        self._out += value

    def text(self, value: str) -> None:
        """Text with its length before it."""
        encoded = value.encode("utf-8", "replace")
        self.varint(len(encoded))
        self._out += encoded

    def head(self, head: Head) -> None:
        """What the next column is."""
        self._out.append(head.type | head.has_empty << 3 | min(head.step, _ESCAPE) << 4)
        if head.step >= _ESCAPE:
            self.varint(head.step)
        if head.type is ColumnType.DECIMAL:
            self._out.append(head.exponent | head.is_near * _NEAR_BIT)

    def cells(self, head: Head, cells: Sequence[Any], base: int = 0, near: Sequence[int] = ()) -> None:
        """The column's cells.

        Args:
            head: what the column is.
            cells: one per row, None where empty.
            base: what the first integer is close to.
            near: what each decimal is close to, where the head says so.
        """
        if head.has_empty:
            self._bits([c is not None for c in cells])
        values = [c for c in cells if c is not None]
        if head.type is ColumnType.DECIMAL:
            values = [round(v * 10**head.exponent) for v in values]
        if head.is_near:
            expected = (n for n, c in zip(near, cells, strict=True) if c is not None)
            for value, prediction in zip(values, expected, strict=True):
                self.zigzag(value - prediction)
        else:
            self._values(head.type, values, base)

    def _values(self, kind: ColumnType, values: list[Any], base: int) -> None:
        if kind in (ColumnType.INT, ColumnType.DECIMAL):
            self._deltas(values, base)
        elif kind is ColumnType.INT_STEADY:
            steps = [b - a for a, b in zip([base, *values], values, strict=False)]
            self.zigzag(steps[0])
            self._deltas(steps[1:], 0)
        elif kind is ColumnType.DOUBLE:
            self._out += struct.pack(f"<{len(values)}d", *values)
        elif kind is ColumnType.BOOL:
            self._bits(values)
        elif kind is ColumnType.TEXT:
            self._words(values)
        else:
            for histogram in values:
                self._histogram(histogram)

    def _deltas(self, values: Iterable[int], previous: int) -> None:
        for value in values:
            self.zigzag(value - previous)
            previous = value

    def _bits(self, flags: Sequence[bool]) -> None:
        packed = sum(1 << i for i, f in enumerate(flags) if f)
        self._out += packed.to_bytes((len(flags) + 7) // 8, "little")

    def _words(self, values: list[str]) -> None:
        seen: dict[str, int] = {}
        for value in values:
            place = seen.get(value)
            self.varint(place or 0)
            if place is None:
                seen[value] = len(seen) + 1
                self.text(value)

    def _histogram(self, histogram: Iterable[tuple[int, int]]) -> None:
        pairs = list(histogram)
        self.varint(len(pairs))
        previous = 0
        for bucket, _ in pairs:
            self.zigzag(bucket - previous)
            previous = bucket
        for _, count in pairs:
            self.varint(count)


class Reader:
    """Takes primitive values from a body that may be damaged or hostile.

    Every method raises `DecodeError` where the body ends too soon or makes no sense.
    """

    def __init__(self, body: bytes, max_text: int = 2**22) -> None:
        """Words, which may be repeated for a byte each, come to `max_text` characters at most."""
        self._body = body
        self._at = 0
        self._text_left = max_text

    def expect_end(self) -> None:
        """Nothing may be left."""
        if self._at != len(self._body):
            raise DecodeError("", f"damaged packed form: {len(self._body) - self._at} bytes left over")

    def varint(self) -> int:
        """A number from 0 upwards."""
        value = shift = 0
        body, at = self._body, self._at
        while True:
            if at >= len(body) or shift > _MAX_VARINT_BITS:
                raise DecodeError("", "damaged packed form: a number does not end")
            byte = body[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < _MORE:
                self._at = at
                return value
            shift += 7

    def zigzag(self) -> int:
        """A signed number."""
        value = self.varint()
        return -((value + 1) >> 1) if value & 1 else value >> 1

    def raw(self, length: int) -> bytes:
        """So many bytes."""
        if length > len(self._body) - self._at:
            raise DecodeError("", "damaged packed form: it ends too soon")
        self._at += length
        return self._body[self._at - length : self._at]

    def text(self) -> str:
        """Text with its length before it."""
        try:
            return self.raw(self.varint()).decode()
        except UnicodeDecodeError as e:
            raise DecodeError("", "damaged packed form: text is not UTF-8") from e

    def head(self) -> Head:
        """What the next column is."""
        byte = self.raw(1)[0]
        step = byte >> 4
        if step == _ESCAPE:
            step = self.varint()
        kind = ColumnType(byte & 7)
        scale = self.raw(1)[0] if kind is ColumnType.DECIMAL else 0
        exponent = min(scale % _NEAR_BIT, _MAX_EXPONENT)
        return Head(step, kind, bool(byte & 8), exponent, bool(scale & _NEAR_BIT))

    def cells(self, head: Head, rows: int, base: int = 0, near: Sequence[int] = ()) -> list[Any]:
        """The column's cells, None where empty."""
        present = self._bits(rows) if head.has_empty else [True] * rows
        n = sum(present)
        if head.is_near:
            expected = [e for e, p in zip(near, present, strict=True) if p]
            values: list[Any] = [e + self.zigzag() for e in expected]
        else:
            values = self._values(head.type, n, base)
        if head.type is ColumnType.DECIMAL:
            values = [_divide(v, 10**head.exponent) for v in values]
        following = iter(values)
        return [next(following) if p else None for p in present]

    def _values(self, kind: ColumnType, n: int, base: int) -> list[Any]:
        if kind in (ColumnType.INT, ColumnType.DECIMAL):
            return self._sums(n, base)
        if kind is ColumnType.INT_STEADY:
            return self._steady(n, base)
        if kind is ColumnType.DOUBLE:
            return list(struct.unpack(f"<{n}d", self.raw(8 * n)))
        if kind is ColumnType.BOOL:
            return list(self._bits(n))
        if kind is ColumnType.TEXT:
            return list(self._words(n))
        return [self._histogram() for _ in range(n)]

    def _sums(self, n: int, value: int) -> list[int]:
        values = []
        for _ in range(n):
            value += self.zigzag()
            values.append(value)
        return values

    def _steady(self, n: int, base: int) -> list[int]:
        values = [base + self.zigzag()] if n else []
        for step in self._sums(n - 1, 0):
            values.append(values[-1] + step)
        return values

    def _bits(self, n: int) -> list[bool]:
        packed = int.from_bytes(self.raw((n + 7) // 8), "little")
        return [bool(packed >> i & 1) for i in range(n)]

    def _words(self, n: int) -> list[str]:
        seen: list[str] = []
        values = []
        for _ in range(n):
            place = self.varint()
            if place == 0:
                seen.append(self.text())
                place = len(seen)
            if place > len(seen):
                raise DecodeError("", "damaged packed form: a word that was not said before")
            values.append(seen[place - 1])
            self._text_left -= len(values[-1])
            if self._text_left < 0:
                raise DecodeError("", "damaged packed form: words repeated into too much text")
        return values

    def _histogram(self) -> list[list[int]]:
        n = self.varint()
        if n > len(self._body):
            raise DecodeError("", "damaged packed form: a histogram longer than the message")
        buckets = self._sums(n, 0)
        return [[bucket, self.varint()] for bucket in buckets]


def _divide(value: int, scale: int) -> float:
    try:
        return value / scale
    except OverflowError as e:
        raise DecodeError("", "damaged packed form: a number too large") from e
