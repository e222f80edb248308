# SPDX-License-Identifier: Apache-2.0
"""What does a value that an SNMP agent told mean?

Firmware puts text where its MIB says a number, and the reverse. Each parser takes one value and returns None
for what it cannot be sure of.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Mapping
from typing import Any

from firmware_bridge.protocols.snmp import Oid, Value

Parse = Callable[[Value], Any]

_WIDE, _NARROW = 1 << 64, 1 << 32
_INTEGER = re.compile(r"[+-]?\d{1,20}")
_DECIMAL = re.compile(r"([+-]?\d{1,10}(?:\.\d{1,6})?)\s*(?:dBm|dB|°?C|%|V|W|MHz)?", re.IGNORECASE)
_OPAQUE_FLOAT = b"\x9f\x78\x04"
_NO_FIGURE = frozenset({2147483647, -2147483648, 4294967295, 32767, -32768, -9999})
"""What firmware writes where it has no figure; none of them can be one."""
_NO_TEXT = frozenset({"", "-", "--", "---", "na", "n/a", "null", "none", "unknown", "undefined"})
_LONG_DIGITS = re.compile(r"\d{10,}")
_HARDWARE_ADDRESS = re.compile(r"(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}|\b[0-9A-Fa-f]{12}\b")
_LONGEST = 60


def integer(value: Value) -> int | None:
    """A whole number, also where it came as text."""
    if isinstance(value, int):
        return value
    said = _said(value)
    return int(said) if said is not None and _INTEGER.fullmatch(said) else None


def decimal(value: Value) -> float | None:
    """A figure: an integer, digits as text with or without unit, a float wrapped as Opaque (net-snmp)."""
    if isinstance(value, bytes) and len(value) == len(_OPAQUE_FLOAT) + 4 and value.startswith(_OPAQUE_FLOAT):
        (figure,) = struct.unpack(">f", value[-4:])
    elif isinstance(value, int):
        figure = value
    else:
        match = _DECIMAL.fullmatch(_said(value) or "")
        figure = float(match[1]) if match else math.nan
    return float(figure) if math.isfinite(figure) and figure not in _NO_FIGURE else None


def divided(by: float, *nothing: float) -> Parse:
    """A figure in parts of its unit, None for what stands for no figure as the device writes it."""

    def parse(value: Value) -> float | None:
        figure = decimal(value)
        return None if figure is None or figure in nothing else figure / by

    return parse


def figure(*nothing: float) -> Parse:
    """A figure, None for what stands for no figure."""
    return divided(1, *nothing)


percent = divided(100)


def count(value: Value) -> int | None:
    """How many; None below zero."""
    number = integer(value)
    return number if number is not None and 0 <= number < _WIDE and number != _NARROW - 1 else None


def counter(value: Value) -> int | None:
    """A counter, whichever width."""
    number = integer(value)
    return number if number is not None and 0 <= number < _WIDE else None


def counter_32(value: Value) -> int | None:
    """A counter that some firmware sends as a signed number."""
    number = integer(value)
    if number is None or not -(_NARROW >> 1) <= number < _WIDE:
        return None
    return number + _NARROW if number < 0 else number


def ticks_s(value: Value) -> int | None:
    """Whole seconds of hundredths."""
    ticks = counter_32(value)
    return None if ticks is None else ticks // 100


def text(value: Value) -> str | None:
    """A short text; None for what says nothing or may be somebody's number."""
    said = _said(value)
    if said is None or said.lower() in _NO_TEXT or _is_private(said):
        return None
    return said[:_LONGEST]


def of_number(words: Mapping[int, Any]) -> Parse:
    """What a number of a list stands for."""

    def parse(value: Value) -> Any:
        number = integer(value)
        return None if number is None else words.get(number)

    return parse


def of_text(*patterns: tuple[str, Any]) -> Parse:
    """What the first pattern that is found in a text stands for."""

    def parse(value: Value) -> Any:
        said = _said(value)
        if said is None:
            return None
        return next((meant for pattern, meant in patterns if re.search(pattern, said, re.IGNORECASE)), None)

    return parse


def name(value: Value) -> Oid | None:
    """An object's name."""
    return value if isinstance(value, tuple) else None


def _said(value: Value) -> str | None:
    if not isinstance(value, bytes):
        return None
    try:
        told = value.rstrip(b"\0").decode()
    except UnicodeDecodeError:
        told = value.rstrip(b"\0").decode("latin-1")
    told = " ".join(told.split()).strip('"')
    return told if told.isprintable() else None


def _is_private(said: str) -> bool:
    return bool(_LONG_DIGITS.search(said) or _HARDWARE_ADDRESS.search(said))
