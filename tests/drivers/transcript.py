# SPDX-License-Identifier: Apache-2.0
"""A recording of a modem: what it was asked and what it answered.

`> AT+CSQ` begins an exchange, each `< …` is a line of the answer. Beside `NAME.at` stands `NAME.toml`: the
device, where the recording is from, its rung on the ladder (parsed, emulated, seen), the driver that
recognises it, and what is expected of it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.contract.reason import Reason
from firmware_bridge.protocols.at import Exchange, Reply
from firmware_bridge.protocols.at_commands import encoded
from firmware_bridge.reading import Unanswered

FOLDER = Path(__file__).parent / "fixtures" / "serial"
NAMES = sorted(path.stem for path in FOLDER.glob("*.at"))


@dataclass(frozen=True)
class Recorded:
    """One recording, as a link that a driver can ask."""

    name: str
    answers: dict[str, list[str]]
    about: dict[str, Any]

    def ask(self, command: str) -> Reply:
        """As the modem answered; silence for what it was never asked."""
        encoded(command)
        reply = Exchange(command).feed(self.bytes_of(command))
        if reply is None:
            raise Unanswered(self.name, Reason.TIMEOUT, f"no answer to {command}")
        return reply

    def bytes_of(self, command: str) -> bytes:
        """Its answer on the wire, without echo."""
        return b"".join(f"\r\n{line}\r\n".encode() for line in self.answers.get(command, ()))


def load(name: str) -> Recorded:
    """One recording."""
    answers: dict[str, list[str]] = {}
    asked = ""
    for line in (FOLDER / f"{name}.at").read_text().splitlines():
        if line.startswith("> "):
            asked = line[2:]
            answers[asked] = []
        else:
            answers[asked].append(line.removeprefix("< "))
    return Recorded(name, answers, tomllib.loads((FOLDER / f"{name}.toml").read_text()))
