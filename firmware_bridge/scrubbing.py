# SPDX-License-Identifier: Apache-2.0
"""What of a device's answers may leave the school in a recording? Nothing that names person, SIM or place."""

from __future__ import annotations

import re

_LONG_DIGITS = re.compile(r"\d{10,}")
_LONG_HEX = re.compile(r"\b(?=[0-9A-Fa-f]*\d)[0-9A-Fa-f]{12,}\b")
_GROUPS = re.compile(r"\d(?:[ -]?\d){10,}")
_CELLS = (
    # What stands before the numbers of an area and a cell, what between, and the numbers.
    re.compile(r"(\+CPSI: ?[A-Z][\w -]*,[\w ]+,[\d-]+,0x)([0-9A-Fa-f]+)(,)(\w+)"),
    re.compile(r"(\^SMONI: ?4G(?:,[^,]*){7},)([^,]*)(,)([^,]*)"),
    re.compile(r"(\^SMONI: ?3G(?:,[^,]*){6},)([^,]*)(,)([^,]*)"),
    re.compile(r"(\^SMONI: ?2G(?:,[^,]*){4},)([^,]*)(,)([^,]*)"),
    # The area comes behind the powers, the cell before the IMSI.
    re.compile(r'(#RFSTS: ?(?:"[^"]*")?,\d*,(?:\d+,)?(?:-[\d.]+,)+)([^,]*)(.*?,)([^,"]*)(?=,")'),
    re.compile(r"((?:^|: ?)[12],[1249],(?:\d{3})?,\d{0,3},)([0-9A-Fa-f]*)(,)([0-9A-Fa-f]*)"),
    re.compile(
        r'("(?:LTE|CAT-\w+|eMTC|(?:NTN )?NBIoT)"(?:,[^,]*){3},)([0-9A-Fa-f]*)((?:,[^,]*){5},)([0-9A-Fa-f]*)'
    ),
    re.compile(r'("NR5G-SA"(?:,[^,]*){3},)([0-9A-Fa-f]+)(,[^,]*,)([0-9A-Fa-f]+)'),
    re.compile(r'(\+QENG: ?.*"(?:WCDMA|GSM)",\d*,\d*,)([0-9A-Fa-f]+)(,)([0-9A-Fa-f]+)'),
)
_ADDRESS = re.compile(r"(?<![\w.-])\d{1,3}(?:(?:\.\d{1,3}){15}|(?:\.\d{1,3}){3})(?![\w.-])")
_ADDRESS_6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{0,4}){3,7}(?![\w:.])")
_SERVING_CELL = re.compile(r"((?:LTE|NR5G-SA|CAT-\w+|eMTC)\"?,\"?[TF]DD\"?,\d{3},\d{2,3},)[0-9A-Fa-f]+")
_REGISTERED_AT = re.compile(r"(\+C\w{0,2}REG:)(.*)")
_PLACE = re.compile(r'"[^"]*"|[0-9A-Fa-f]{4,}|[0-9]*[A-Fa-f][0-9A-Fa-f]*')
"""Of a registration: what is quoted, long or not decimal is an area, a cell or a list of slices."""
_LABELLED = re.compile(
    r"((?:TAC|LAC|Cell ID|IMEI|IMEI SV|IMSI|ICCID|FSN|MEID)\s*[:=]\s*)[^\t]*?(?=\s{2,}|\t|$)"
)
_SERIAL = re.compile(r"(\b(?:S/N|SN|serial(?: (?:no\.?|number))?)\s*[:=]\s*)[^\s,;]+", re.IGNORECASE)
_DIALLED_IN = re.compile(r"^<.*>$|\S*@\S*")
"""Interfaces of people who dial in are called after them."""
_HOST = re.compile(r"^(Linux )\S+(?= \d)")


def scrubbed(line: str) -> str:
    """One line of an answer, with numbers of people, SIMs, devices, cells and hosts made zeros."""
    line = _HOST.sub(r"\g<1>host", _SERIAL.sub(r"\g<1>0", _DIALLED_IN.sub("<0>", line)))
    for cell in _CELLS:
        line = cell.sub(r"\g<1>0\g<3>0", line)
    line = _LABELLED.sub(r"\g<1>0", line)
    line = _SERVING_CELL.sub(r"\g<1>0", line)
    line = _REGISTERED_AT.sub(lambda found: found[1] + _PLACE.sub(_zero, found[2]), line)
    line = _ADDRESS_6.sub(lambda found: _host_less(found[0], ":"), _ADDRESS.sub(_network, line))
    line = _GROUPS.sub(lambda found: re.sub(r"\d", "0", found[0]), line)
    line = _LONG_DIGITS.sub(lambda found: "0" * len(found[0]), line)
    return _LONG_HEX.sub(lambda found: "0" * len(found[0]), line)


def _network(found: re.Match[str]) -> str:
    return _host_less(found[0], ".")


def _host_less(address: str, dot: str) -> str:
    """The first two parts, of as many, and 1; none stays none."""
    parts = address.split(dot)
    if not address.strip(f"0{dot}"):
        return address
    return dot.join([*parts[:2], *("0" for _ in parts[3:]), "1"])


def _zero(found: re.Match[str]) -> str:
    return '"0"' if found[0].startswith('"') else "0"
