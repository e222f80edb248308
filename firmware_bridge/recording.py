# SPDX-License-Identifier: Apache-2.0
"""How does a contributor record what a modem answers, so that a driver can be tested without it?

`> AT+CSQ` begins an exchange, each `< …` is a line of the answer. Every command of the list is asked once.
"""

from __future__ import annotations

from collections.abc import Iterator

from firmware_bridge.drivers.at_modem import AtLink
from firmware_bridge.protocols.at_commands import READ_ONLY
from firmware_bridge.reading import Unanswered
from firmware_bridge.scrubbing import scrubbed


def record(link: AtLink) -> Iterator[str]:
    """Lines of the recording; a question that is not answered stands there without an answer.

    Raises:
        DeviceFailed: the port went away.
    """
    for command in sorted(READ_ONLY):
        yield f"> {command}"
        try:
            reply = link.ask(command)
        except Unanswered:
            continue
        prefix = _prefix(command)
        yield from (f"< {prefix}{scrubbed(line)}" for line in reply.lines)
        yield f"< {_end(reply.error)}"


def _prefix(command: str) -> str:
    """As the modem writes it; bare answers have none."""
    if command in {"AT+CGMI", "AT+CGMM", "AT+CGMR", "AT!GSTATUS?"}:
        return ""
    return command.removeprefix("AT").partition("=")[0].rstrip("?") + ": "


def _end(error: str | None) -> str:
    if error is None:
        return "OK"
    return error if error.isalpha() and error.isupper() else f"+CME ERROR: {error}"
