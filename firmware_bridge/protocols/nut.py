# SPDX-License-Identifier: Apache-2.0
"""What does Network UPS Tools' upsd answer to a question for a list? (RFC 9271 §4.2)

    LIST VAR ups → BEGIN LIST VAR ups / VAR ups battery.charge "100" / … / END LIST VAR ups
    LIST UPS     → BEGIN LIST UPS / UPS ups "description" / … / END LIST UPS
    ERR UNKNOWN-UPS

Only these two are ever asked; who asks is not signed in, and could set nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ROW = re.compile(r'(?:VAR [^ ]+|UPS) ([A-Za-z0-9._-]{1,64}) "((?:[^"\\]|\\.)*)"')
_ERROR = re.compile(r"ERR ([A-Z-]{1,40})\b.*")
_ESCAPED = re.compile(r"\\(.)")
_MOST_BYTES = 64 * 1024
_MOST_ROWS = 1000


class NoListing(Exception):
    """The server answered something else than a list."""


def ask_variables(ups: str) -> bytes:
    """All variables of one UPS.

    Raises:
        ValueError: that is no name of a UPS.
    """
    if not _NAME.fullmatch(ups):
        raise ValueError(f"{ups!r} is no name of a UPS")
    return f"LIST VAR {ups}\n".encode("ascii")


def ask_names() -> bytes:
    """Names of the UPSes that the server knows."""
    return b"LIST UPS\n"


@dataclass(frozen=True, slots=True)
class Listing:
    """A list, or why there is none.

    Attributes:
        rows: values by name of a variable, or descriptions by name of a UPS.
        error: `UNKNOWN-UPS`, `DATA-STALE` …
    """

    rows: dict[str, str]
    error: str | None = None


@dataclass
class Answer:
    """Bytes in, in pieces of any size; the list once it is whole."""

    _buffer: bytes = b""
    _came: int = 0
    _has_begun: bool = False
    _rows: dict[str, str] = field(default_factory=dict)

    def feed(self, data: bytes) -> Listing | None:
        """Take what came.

        Raises:
            NoListing: it is no answer to a question for a list.
        """
        self._came += len(data)
        self._buffer += data
        *lines, self._buffer = self._buffer.split(b"\n")
        for line in lines:
            listing = self._take(line.decode("utf-8", "replace").strip("\r"))
            if listing is not None:
                return listing
        if self._came > _MOST_BYTES:
            raise NoListing(f"more than {_MOST_BYTES} bytes and no end")
        return None

    def _take(self, line: str) -> Listing | None:
        if (error := _ERROR.fullmatch(line)) is not None:
            return Listing({}, error[1])
        if not self._has_begun:
            if not line.startswith("BEGIN LIST "):
                raise NoListing("not the answer of an upsd")
            self._has_begun = True
            return None
        if line.startswith("END LIST "):
            return Listing(self._rows)
        row = _ROW.fullmatch(line)
        if row is not None and len(self._rows) < _MOST_ROWS:
            self._rows[row[1]] = _ESCAPED.sub(r"\1", row[2])
        return None
