# SPDX-License-Identifier: Apache-2.0
"""Which sentences does a GNSS receiver tell by itself? (NMEA 0183)

`$` talker type fields `*` sum: two hexadecimal digits, the exclusive or of all between `$` and `*`. Receivers
mix in messages of their own, also binary ones. A sentence without its sum is not believed.
"""

from __future__ import annotations

import functools
import operator
import re
from dataclasses import dataclass

_SENTENCE = re.compile(
    rb"\$((?:G[ABILNPQ]|BD|QZ)[A-Z]{3}(?:,[\x20-\x23\x25-\x29\x2b-\x7e]*)?)\*([0-9A-Fa-f]{2})"
)
_MOST_BYTES = 120
"""NMEA 0183 says 82; receivers of several systems write more."""


@dataclass(frozen=True, slots=True, repr=False)
class Sentence:
    """One sentence; what it says may be a position and is not shown."""

    talker: str
    type: str
    fields: tuple[str, ...]

    def __repr__(self) -> str:
        """Without the fields."""
        return f"Sentence({self.talker}{self.type})"

    def field(self, at: int) -> str:
        """Counted from 1 as in the standard's tables; empty where the sentence is too short."""
        return self.fields[at - 1].strip() if 0 < at <= len(self.fields) else ""


@dataclass
class Sentences:
    """Bytes in, in pieces of any size; sentences whose sum is right out.

    Attributes:
        refused: sentences whose sum was wrong.
    """

    refused: int = 0
    _buffer: bytes = b""

    def feed(self, data: bytes) -> list[Sentence]:
        """What is whole now, oldest first."""
        self._buffer += data
        found, at = [], 0
        for match in _SENTENCE.finditer(self._buffer):
            at = match.end()
            sentence = _read(match[1], match[2])
            if sentence is None:
                self.refused += 1
            else:
                found.append(sentence)
        self._buffer = self._buffer[at:]
        begun = self._buffer.rfind(b"$")
        rest = self._buffer[begun:] if begun >= 0 else b""
        self._buffer = rest if len(rest) <= _MOST_BYTES + len(b"$*H") else b""
        return found


def checksum(body: bytes) -> int:
    """Of what stands between `$` and `*`."""
    return functools.reduce(operator.xor, body, 0)


def _read(body: bytes, told: bytes) -> Sentence | None:
    if len(body) > _MOST_BYTES or checksum(body) != int(told, 16):
        return None
    address, *fields = body.decode("ascii").split(",")
    return Sentence(address[:2], address[2:], tuple(fields))
