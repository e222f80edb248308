# SPDX-License-Identifier: Apache-2.0
"""What does a page say to a person, whatever it is packed and written in? Read by its bytes, not by its word.

Portals of operators and filters seldom say which encoding they use, and often a wrong one. A text read in a
wrong one has no marker in it, so looking for one in each reading does no harm.
"""

from __future__ import annotations

import html
import re
import zlib
from collections.abc import Iterator

_ENCODINGS = ("utf-8", "windows-1251", "kz1048", "koi8-r", "cp866", "iso8859-5")
"""Of Russian and Kazakh pages; kz1048 is windows-1251 with the Kazakh letters (STRK1048)."""
_WIDE_ENCODINGS = ("utf-16-le", "utf-16-be")
_PACKED = {"gzip", "x-gzip", "deflate"}
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_ENDLESS_REFERENCE = re.compile("&#[0-9]{20,}")
"""No character has such a number, and Python refuses to read one of thousands of digits."""


def unpacked(body: bytes, coding: str, *, most_bytes: int) -> bytes:
    """The body without its content coding (RFC 9110 §8.4), so much of it at most; as it is when it has none.

    `Accept-Encoding: identity` forbids to pack a page, but some do so all the same.
    """
    if coding.strip().lower() not in _PACKED:
        return body
    try:
        return zlib.decompressobj(_GZIP_OR_ZLIB).decompress(body, most_bytes)
    except zlib.error:
        return body


def readings(body: bytes) -> Iterator[str]:
    """The text in each encoding that may be meant; what is none there is replaced."""
    # No text of one byte a letter has a NUL in it.
    encodings = _WIDE_ENCODINGS if b"\0" in body else _ENCODINGS
    return (body.decode(encoding, "replace") for encoding in encodings)


def plain(text: str) -> str:
    """As a person reads it: entities resolved, one blank between words, no case."""
    return " ".join(html.unescape(_ENDLESS_REFERENCE.sub("", text)).casefold().split())
