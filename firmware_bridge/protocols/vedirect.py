# SPDX-License-Identifier: Apache-2.0
r"""Which blocks does a Victron device tell by itself? (VE.Direct protocol, text mode)

    \r\n<label>\t<value> … \r\nChecksum\t<byte>

The bytes of a block, from the first \r to the one behind `Checksum`, add up to 0 modulo 256. That one may be
any byte, also a line's end or a colon. Messages in hexadecimal (`:` … `\n`) may stand between and are not
counted. One sum in 256 is right by chance: what the lines look like counts too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

Block = dict[str, str]

_END = b"\r\nChecksum\t"
_MAX_BYTES = 4096
_HEX_LINE = re.compile(rb"(?:(?<=\n)|\A):[0-9A-Fa-f]*\n")
_HEX_ANYWHERE = re.compile(rb":[0-9A-Fa-f]{2,}\n")
_FIELD = re.compile(rb"([A-Za-z][\x21-\x39\x3b-\x7e]{0,15})\t([\x20-\x7e]{0,64})")
"""Wider than any label and value that is known: a new one must not cost the others."""
_MOST_FIELDS = 40


@dataclass
class Blocks:
    """Bytes in, in pieces of any size; whole blocks out.

    Attributes:
        refused: pieces that looked like a block and were none.
    """

    refused: int = 0
    _buffer: bytes = b""
    _is_too_long: bool = False

    def feed(self, data: bytes) -> list[Block]:
        """What is whole now, oldest first."""
        self._buffer += data
        found = []
        while (at := self._buffer.find(_END)) >= 0 and len(self._buffer) > at + len(_END):
            size = at + len(_END) + 1
            piece, self._buffer = self._buffer[:size], self._buffer[size:]
            block = None if self._is_too_long or size > _MAX_BYTES else read_block(piece)
            self._is_too_long = False
            if block is None:
                self.refused += 1
            else:
                found.append(block)
        if len(self._buffer) > _MAX_BYTES:
            self._buffer, self._is_too_long = self._buffer[-len(_END) :], True
        return found


def read_block(piece: bytes) -> Block | None:
    """The fields of everything up to and with a checksum's byte; None where it is no block."""
    # The sum's byte is taken off first: it may look like the begin of a message in hexadecimal.
    body, last = piece[:-1], piece[-1]
    for hexadecimal in (_HEX_LINE, _HEX_ANYWHERE):
        text = hexadecimal.sub(b"", body)
        if (sum(text) + last) % 256 == 0:
            return _fields(text)
    return None


def _fields(text: bytes) -> Block | None:
    """None where a line is none of a block, or a label stands there twice."""
    first, *lines, _checksum = text.split(b"\r\n")
    found = [_FIELD.fullmatch(line) for line in lines]
    known = [(m[1].decode("ascii"), m[2].decode("ascii")) for m in found if m is not None]
    is_whole = not first and len(known) == len(lines) and 0 < len(known) <= _MOST_FIELDS
    block = dict(known)
    return block if is_whole and len(block) == len(known) else None
