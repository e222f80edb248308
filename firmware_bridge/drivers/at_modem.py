# SPDX-License-Identifier: Apache-2.0
"""How does a table of AT commands and parsers become a reading of a modem?

Each family has a table (`quectel_at.py` …); all of them ask the questions of `standard_at.py` first. A parser
takes the lines of one answer and gives values by the names of the record's fields, None where it is not sure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from agent.contract.devices import Modem
from firmware_bridge.checking import checked, merged
from firmware_bridge.meaning import told
from firmware_bridge.protocols.at import Reply
from firmware_bridge.protocols.at_fields import may_be_private
from firmware_bridge.reading import DeviceReading, Identity, Unanswered

Values = dict[str, Any]
Parser = Callable[[Sequence[str], Identity], Values]

_NO_SIM = frozenset({"10", "13", "15", "310", "313", "315", "sim not inserted", "sim failure", "sim wrong"})
"""Not there, or it cannot be read (TS 27.007 §9.2, TS 27.005 §3.2.5)."""
_LOCKED_SIM = frozenset({"5", "11", "12", "311", "312", "316", *(str(code) for code in range(40, 49))})
_LOCKED_WORDS = re.compile(r"(?:sim|ph-\w+|.* personali[sz]ation) (?:pin|puk)(?: required)?")
_LABEL = re.compile(r"(?:manufacturer|model|revision): ?", re.IGNORECASE)
_WEAK_DBM = -120.0


class AtLink(Protocol):
    """What can carry a command to a modem and its reply back."""

    def ask(self, command: str) -> Reply:
        """Send one of `at_commands.READ_ONLY`.

        Raises:
            Unanswered: no reply in time.
            DeviceFailed: the port is gone.
        """
        ...


@dataclass(frozen=True, slots=True)
class Question:
    """One command and how its answer is read."""

    command: str
    parse: Parser


@dataclass(frozen=True, kw_only=True)
class AtModem:
    """A family of modems.

    Attributes:
        maker: what the answer to AT+CGMI must match.
        model: what the answer to AT+CGMM must match.
        questions: asked in this order; later values are believed more.
    """

    scheme: ClassVar[str] = "serial"

    name: str
    questions: tuple[Question, ...]
    maker: str = ""
    model: str = ""

    def recognises(self, identity: Identity) -> bool:
        """By maker and model."""
        return bool(
            re.search(self.maker, identity.maker or "", re.IGNORECASE)
            and re.search(self.model, identity.model or "", re.IGNORECASE)
        )

    def read(self, link: AtLink, device: str, identity: Identity | None = None) -> DeviceReading:
        """Ask everything once; a question that fails costs only its own values.

        Raises:
            DeviceFailed: not one question was answered.
        """
        known = identity or identify(link)
        values: list[Mapping[str, Any]] = []
        errors: dict[str, str] = {}
        unanswered = None
        for question in self.questions:
            try:
                reply = link.ask(question.command)
            except Unanswered as e:
                unanswered = e
                continue
            if reply.error is not None:
                errors[question.command] = reply.error
            values.append(question.parse(reply.lines, known))
        if not values and unanswered is not None:
            raise unanswered
        return _reading(self.name, device, known, merged(values), errors)


def identify(link: AtLink) -> Identity:
    """Who is there: maker, model, firmware.

    Raises:
        DeviceFailed: it answered none of the three questions.
    """
    answers: list[str | None] = []
    unanswered: Unanswered | None = None
    for command in ("AT+CGMI", "AT+CGMM", "AT+CGMR"):
        try:
            answers.append(_first(link.ask(command)))
        except Unanswered as e:
            unanswered = e
            answers.append(None)
    if unanswered is not None and answers == [None] * len(answers):
        raise unanswered
    return Identity(maker=answers[0], model=answers[1], firmware=answers[2])


def _first(reply: Reply) -> str | None:
    # Some put a serial number there.
    line = next((line for line in reply.lines if line and not may_be_private(line)), None)
    return None if line is None else _LABEL.sub("", line, count=1).strip('"')[:60]


def _reading(
    driver: str, device: str, known: Identity, values: Values, errors: Mapping[str, str]
) -> DeviceReading:
    sim = errors.get("AT+CPIN?", "").lower()
    if sim in _NO_SIM:
        values |= {"sim_ready": False, "state": "sim_missing"}
    elif sim in _LOCKED_SIM or _LOCKED_WORDS.fullmatch(sim):
        values |= {"sim_ready": False, "state": "sim_locked"}
    values, meanings = judged(driver, known, values)
    fields, refused = checked(Modem, {"port": device}, values)
    return DeviceReading((fields,), tuple(meanings), refused)


def judged(driver: str, known: Identity, values: Values) -> tuple[Values, list[str]]:
    """The values with the modem's state, what it is and what that means; and the meanings."""
    values = dict(values)
    is_denied = values.pop("denied", None)
    if values.pop("unregistered", None) and values.get("registered") is None:
        values["registered"] = False
    state = values.get("state") or _state(values, is_denied=is_denied)
    meanings = _meanings(state, values)
    said = {"driver": driver, "model": known.model, "firmware": known.firmware}
    return values | said | {"state": state, "meaning": told(meanings)}, meanings


def _state(values: Values, *, is_denied: bool | None) -> str | None:
    if values.get("registered"):
        return "ok"
    if is_denied:
        return "denied"
    if values.get("registered") is None:
        return None
    heard = ("rssi_dbm", "rsrp_dbm", "nr_rsrp_dbm", "rscp_dbm")
    return "searching" if any(values.get(name) is not None for name in heard) else "no_signal"


_SAYS = {
    "ok": "connected",
    "searching": "not_registered",
    "no_signal": "no_signal",
    "denied": "registration_denied",
    "sim_missing": "sim_missing",
    "sim_locked": "sim_locked",
}


def _meanings(state: str | None, values: Values) -> list[str]:
    said = [_SAYS[state]] if state in _SAYS else []
    has_address = values.get("ipv4") or values.get("ipv6")
    if state == "ok" and has_address is not None and not has_address:
        said = ["no_address"]
    powers = [values.get("rsrp_dbm"), values.get("nr_rsrp_dbm")]
    known_dbm = [dbm for dbm in powers if dbm is not None]
    if known_dbm and max(known_dbm) <= _WEAK_DBM:
        said.append("weak_signal")
    return said
