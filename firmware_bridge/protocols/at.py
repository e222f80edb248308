# SPDX-License-Identifier: Apache-2.0
"""Which bytes of a modem answer the command that was sent? (3GPP TS 27.007 §4, ITU-T V.250 §5.7)

One `Exchange` for each command: bytes in, in pieces of any size; a `Reply` once the modem has said how it
ended. Echo, lines nobody asked for, blank lines and damaged ones are told from the answer. AT has no
checksum: what is not printable ASCII is thrown away and counted, what remains the driver's grammar checks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_MAX_LINE_BYTES = 1024
_MAX_LINES = 200
_BREAK = re.compile(rb"[\r\n]+")
_PRINTABLE = re.compile(rb"[\t\x20-\x7e]*")
_PREFIX = re.compile(r"AT([+^!#*$%][A-Z0-9]+)")
_ERROR = re.compile(r"\+CM[ES] ERROR:\s*(?P<code>\S.*)")
_FAILED = frozenset(
    {"ERROR", "COMMAND NOT SUPPORT", "NO CARRIER", "NO ANSWER", "NO DIALTONE", "BUSY", "ABORTED", "NA"}
)
_BARE = frozenset({"AT+CGMI", "AT+CGMM", "AT+CGMR", "AT!GSTATUS?", "AT+GTCCINFO?"})
"""Commands whose answer has no prefix, or not in every line."""
_UNSOLICITED = re.compile(
    r"[+^!#*$%&_][A-Z0-9]+:|RING\b|(?:APP |SIM |MODEM )?RDY\b|NORMAL POWER|POWERED DOWN|"
    r"(?:UNDER|OVER)-VOLTAGE|SMS |PB DONE|Call Ready|CONNECT\b"
)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one command.

    Attributes:
        lines: of the answer, without prefix.
        error: `ERROR`, or the code or text behind `+CME ERROR:`; None when it ended well.
        unsolicited: lines that belong to no command.
        damaged: lines with bytes that no modem sends.
    """

    lines: tuple[str, ...]
    error: str | None = None
    unsolicited: int = 0
    damaged: int = 0


@dataclass
class Exchange:
    """One command and what comes after it.

    Attributes:
        wants_escape: the modem waits for text: somebody must send `at_commands.ESCAPE`.
    """

    command: str
    wants_escape: bool = False
    _buffer: bytes = b""
    _lines: list[str] = field(default_factory=list)
    _unsolicited: int = 0
    _damaged: int = 0

    def feed(self, data: bytes) -> Reply | None:
        """Take what came; the reply once it is whole. What comes behind its end is ignored."""
        self._buffer += data
        *whole, self._buffer = _BREAK.split(self._buffer)
        self.wants_escape = self._buffer.lstrip() in {b">", b"> "}
        for line in whole:
            reply = self._take(line)
            if reply is not None:
                return reply
        if len(self._buffer) > _MAX_LINE_BYTES:
            self._buffer, self._damaged = b"", self._damaged + 1
        return None

    def _take(self, raw: bytes) -> Reply | None:
        if not _PRINTABLE.fullmatch(raw):
            self._damaged += 1
            return None
        line = raw.decode("ascii").strip()
        if line in {"OK", "0"} and not (line == "0" and self._is_bare):
            return self._reply(None)
        if (error := _ERROR.fullmatch(line)) is not None:
            return self._reply(error["code"].strip())
        if line.upper() in _FAILED:
            return self._reply(line.upper())
        self._sort(line)
        return None

    def _sort(self, line: str) -> None:
        """Echo, answer, or neither."""
        if not line or line.upper().replace(" ", "") == self.command.upper():
            return
        prefix = self._prefix
        if prefix and line.startswith(prefix + ":"):
            self._keep(line[len(prefix) + 1 :].strip())
        elif self._is_bare and not _UNSOLICITED.match(line):
            self._keep(line)
        else:
            self._unsolicited += 1

    def _keep(self, line: str) -> None:
        if len(self._lines) < _MAX_LINES:
            self._lines.append(line)

    @property
    def _prefix(self) -> str | None:
        found = _PREFIX.match(self.command)
        return found[1] if found else None

    @property
    def _is_bare(self) -> bool:
        return self.command in _BARE

    def _reply(self, error: str | None) -> Reply:
        return Reply(tuple(self._lines), error, self._unsolicited, self._damaged)
