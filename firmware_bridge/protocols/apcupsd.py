# SPDX-License-Identifier: Apache-2.0
"""What does apcupsd's network information server answer to `status`? (apcupsd manual, NIS)

Records of two bytes for the length, highest first, and so many bytes of text; one of length 0 ends the
answer. A record is a line `STATUS   : ONLINE`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

ASK_STATUS = b"\x00\x06status"
_MOST_RECORDS, _MOST_RECORD_BYTES = 200, 1024
_EXPECTED = frozenset({"APC", "STATUS"})


class NoStatus(Exception):
    """The server answered something else."""


@dataclass
class Answer:
    """Bytes in, in pieces of any size; all lines once they are there."""

    _buffer: bytes = b""
    _lines: dict[str, str] = field(default_factory=dict)
    _records: int = 0

    def feed(self, data: bytes) -> dict[str, str] | None:
        """Take what came; values by name once the answer is whole.

        Raises:
            NoStatus: it is no answer to `status`.
        """
        self._buffer += data
        while len(self._buffer) >= 2:
            size = int.from_bytes(self._buffer[:2], "big")
            if size == 0:
                return self._whole()
            if size > _MOST_RECORD_BYTES or self._records >= _MOST_RECORDS:
                raise NoStatus("not the answer of an apcupsd")
            if len(self._buffer) < 2 + size:
                return None
            self._take(self._buffer[2 : 2 + size].decode("latin-1"))
            self._buffer = self._buffer[2 + size :]
        return None

    def _take(self, record: str) -> None:
        name, parted, value = record.partition(":")
        if parted and name.strip():
            self._lines[name.strip()] = value.strip(" \r\n\0")
        self._records += 1

    def _whole(self) -> dict[str, str]:
        if not _EXPECTED & self._lines.keys():
            raise NoStatus("an answer without a status: not that of an apcupsd")
        return self._lines
