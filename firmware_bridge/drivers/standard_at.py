# SPDX-License-Identifier: Apache-2.0
"""What does any modem tell by 3GPP TS 27.007? The questions that every family is asked first.

Indices stand for bins; the values told are their lower edges (TS 27.007 §8.5, §8.69, as the modems' own
documents have them).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from firmware_bridge.drivers.at_modem import AtModem, Question, Values
from firmware_bridge.protocols.at_fields import Part, integer, name, part, parts
from firmware_bridge.reading import Identity

ACCESS_TECHNOLOGIES = {
    0: "gsm",
    1: "gsm",
    2: "umts",
    3: "gsm",
    4: "umts",
    5: "umts",
    6: "umts",
    7: "lte",
    8: "gsm",
    9: "nb_iot",
    10: "lte",
    11: "nr_sa",
    12: "nr_sa",
    13: "nr_nsa",
}
"""<AcT> of TS 27.007 §7.3."""

_REGISTERED, _ROAMING, _DENIED = frozenset({1, 5, 6, 7, 9, 10}), frozenset({5, 7, 10}), 3
_LAST_STATE = 11
_ANSWER = re.compile(r"\s*0*[0-5]\s*,\s*0*(\d{1,2})\s*(?:$|,(?!\s*\w+\s*$))")
"""<n>, <stat>, and more than one part behind it, or none: `1,2,A13F` is a report of state, area and cell."""
_MOST_PARTS, _5G_TECHNOLOGIES = 6, frozenset({10, 11, 12, 13})


def pin(lines: Sequence[str], _: Identity) -> Values:
    """AT+CPIN? (§8.3): a report in front of the answer looks the same; the last one counts."""
    said = lines[-1].strip('" ').upper() if lines else ""
    # A second PIN is only wanted for what nobody does here.
    if said == "READY" or said in {"SIM PIN2", "SIM PUK2"}:
        return {"sim_ready": True}
    if said in {"NOT INSERTED", "NOT PRESENT", "SIM NOT INSERTED"}:
        return {"sim_ready": False, "state": "sim_missing"}
    is_locked = said in {"SIM PIN", "SIM PUK"} or said.startswith("PH-")
    return {"sim_ready": False, "state": "sim_locked"} if is_locked else {}


def signal(lines: Sequence[str], _: Identity) -> Values:
    """AT+CSQ (§8.5): 0 is -113 dBm or less, 31 is -51 or more, 99 unknown."""
    rssi = integer(part(parts(lines[0]), 0)) if lines else None
    if rssi is None:
        return {}
    if 0 <= rssi <= 31:
        return {"rssi_dbm": float(2 * rssi - 113)}
    return {"rssi_dbm": float(rssi - 216)} if 100 <= rssi <= 191 else {}


def extended_signal(lines: Sequence[str], _: Identity) -> Values:
    """AT+CESQ (§8.69)"""
    found = [integer(p) for p in parts(lines[0])] if lines else []
    found += [None] * (9 - len(found))
    return {
        "rscp_dbm": _binned(found[2], 96, -121.0, 1.0),
        "ecio_db": _binned(found[3], 49, -24.5, 0.5),
        "rsrq_db": _binned(found[4], 34, -20.0, 0.5),
        "rsrp_dbm": _binned(found[5], 97, -141.0, 1.0),
        "nr_rsrq_db": _binned(found[6], 126, -43.5, 0.5),
        "nr_rsrp_dbm": _binned(found[7], 126, -157.0, 1.0),
        "nr_sinr_db": _binned(found[8], 127, -23.5, 0.5),
    }


def _binned(index: int | None, most: int, lowest: float, step: float) -> float | None:
    return None if index is None or not 0 <= index <= most else lowest + step * index


def registration(lines: Sequence[str], _: Identity) -> Values:
    """AT+CREG?, +CGREG?, +CEREG?, +C5GREG? (§7.2, §10.1.20): the answer has <n> first, a report has not.

    A report that came between looks much the same: `2,"12","13",7` begins with the state. Answers of two
    parts are believed first, of the others the last.
    """
    answers = [found for line in lines if (found := _ANSWER.match(line)) is not None]
    short = [found for found in answers if found.end() == len(found.string)]
    answer = next(iter(short), answers[-1] if answers else None)
    stat = None if answer is None else int(answer[1])
    if answer is None or stat is None or stat > _LAST_STATE:
        return {}
    is_registered, told = stat in _REGISTERED, parts(answer.string)
    technology = _technology(told, is_5g=len(told) > _MOST_PARTS)
    return {
        "registered": is_registered,
        "denied": stat == _DENIED or None,
        "roaming": stat in _ROAMING if is_registered else None,
        "access_technology": technology,
    }


def _technology(found: Sequence[Part], *, is_5g: bool) -> str | None:
    """<AcT> is the fifth part; where there are more parts than LTE's answers have, only 5G is believed."""
    number = _small(part(found, 4))
    if is_5g and number not in _5G_TECHNOLOGIES:
        return None
    return ACCESS_TECHNOLOGIES.get(number) if number is not None else None


def _small(text: Part) -> int | None:
    value = integer(text) if text is not None and len(text) <= 3 else None
    return value if value is not None and value >= 0 else None


def packet_registration(lines: Sequence[str], known: Identity) -> Values:
    """As `registration`; who is not registered here may be so elsewhere: it counts only where nobody says."""
    values = registration(lines, known)
    if values.get("registered") is False:
        return {"denied": values["denied"], "unregistered": True}
    return values


def network(lines: Sequence[str], _: Identity) -> Values:
    """AT+COPS? (§7.3)"""
    found = parts(lines[0]) if lines else []
    technology = integer(part(found, 3))
    return {
        "operator": name(part(found, 2)),
        "access_technology": ACCESS_TECHNOLOGIES.get(technology) if technology is not None else None,
    }


def attachment(lines: Sequence[str], _: Identity) -> Values:
    """AT+CGATT? (§10.1.9)"""
    said = integer(part(parts(lines[0]), 0)) if lines else None
    return {"attached": bool(said)} if said in {0, 1} else {}


def addresses(lines: Sequence[str], _: Identity) -> Values:
    """AT+CGPADDR (§10.1.14): only whether there is one, and whether it is shared."""
    texts = [text for line in lines for quoted in parts(line)[1:] for text in (quoted or "").split(",")]
    found = [address for text in texts if (address := _address(text)) is not None]
    if not lines:
        return {}
    v4 = [a for a in found if a.version == 4]
    return {
        "ipv4": bool(v4),
        "ipv6": any(a.version == 6 for a in found),
        "shared_address": any(a.is_private or a in _SHARED for a in v4) if v4 else None,
    }


_SHARED = ipaddress.ip_network("100.64.0.0/10")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Dotted decimals, also for IPv6 (16 of them); None for none and for all zeros."""
    try:
        numbers = bytes(int(n) for n in text.split("."))
        if len(numbers) not in {4, 16}:
            return ipaddress.IPv6Address(text) if ":" in text else None
        address = ipaddress.ip_address(numbers)
    except ValueError:
        return None
    return None if address.is_unspecified or address.is_link_local else address


QUESTIONS = (
    Question("AT+CPIN?", pin),
    Question("AT+CSQ", signal),
    Question("AT+CESQ", extended_signal),
    Question("AT+CREG?", registration),
    Question("AT+CEREG?", packet_registration),
    Question("AT+C5GREG?", packet_registration),
    Question("AT+COPS?", network),
    Question("AT+CGATT?", attachment),
    Question("AT+CGPADDR", addresses),
)

DRIVER = AtModem(name="standard_at", questions=QUESTIONS)
