# SPDX-License-Identifier: Apache-2.0
"""What are the parts of a line like `+QENG: "servingcell","NOCONN","LTE",-96,-,"0x1F"`?"""

from __future__ import annotations

import re
from collections.abc import Sequence

Part = str | None
_PART = re.compile(r'\s*(?:"([^"]*)"?|([^,"]*))\s*(?:,|$)')
_NONE = frozenset({"", "-", "--", "---", "NA", "N/A"})
_NUMBER_OF_SOMEBODY = re.compile(r"\d{10,}|\d(?:[ -]?\d){10,}")
_BAND = re.compile(r"0*[1-9]\d{0,2}")
_MAX_PARTS = 64


def parts(line: str) -> list[Part]:
    """Comma separated, quoted or not; None where a modem writes a dash or nothing."""
    found: list[Part] = []
    at = 0
    while at <= len(line) and len(found) < _MAX_PARTS:
        match = _PART.match(line, at)
        if match is None or match.end() == at:
            if match is not None and at == len(line):
                found.append(None)
            break
        text = (match[1] if match[1] is not None else match[2]).strip()
        found.append(None if text in _NONE else text)
        at = match.end()
        if line[at - 1 : at] != ",":
            break
    return found


def part(found: Sequence[Part], at: int) -> Part:
    """The part at a place; None where the line is too short."""
    return found[at] if -len(found) <= at < len(found) else None


def integer(text: Part) -> int | None:
    """A decimal number; None for anything else."""
    try:
        return int(text, 10) if text is not None and len(text) <= 20 else None
    except ValueError:
        return None


def decimal(text: Part) -> float | None:
    """A number with or without a point; None for anything else."""
    is_number = text is not None and re.fullmatch(r"[+-]?\d{1,9}(\.\d{1,6})?", text)
    return float(text) if text is not None and is_number else None


def may_be_private(text: str) -> bool:
    """Whether it may hold the number of a person, a SIM or a device, written in one or in groups."""
    return _NUMBER_OF_SOMEBODY.search(text) is not None


def band(letter: str, text: Part) -> str | None:
    """`B3`, `n78` …; None for what is no number of a band."""
    return f"{letter}{int(text)}" if text is not None and _BAND.fullmatch(text) else None


def name(text: Part) -> str | None:
    """A short name, of a network for instance; None where it might be somebody's number."""
    if text is None or may_be_private(text):
        return None
    return " ".join(text.split())[:40] or None
