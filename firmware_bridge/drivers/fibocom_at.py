# SPDX-License-Identifier: Apache-2.0
"""What do Fibocom's modems tell?

L850 and L860 (Intel XMM) by AT+XCESQ?, FM350 and others (MediaTek) by AT+GTCCINFO?.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from firmware_bridge.checking import merged
from firmware_bridge.drivers.at_modem import AtModem, Question, Values
from firmware_bridge.drivers.standard_at import QUESTIONS, extended_signal
from firmware_bridge.protocols.at_fields import Part, band, integer, part, parts
from firmware_bridge.reading import Identity

_SERVING, _LTE, _NR = 1, 4, 9
_LEAST = 12
_BAND_FROM = 100
_NR_BAND = re.compile(r"50([1-9]\d{0,2})")
"""n5 is 505, n79 is 5079."""
_HEADING = re.compile(r"cell:\s*$")
"""Models on Qualcomm write one above each kind of rows, and channels as hexadecimal numbers."""


def cells(lines: Sequence[str], known: Identity) -> Values:
    """AT+GTCCINFO?: the serving row ends with …,RSSNR,RxLev,RSRP,RSRQ as indices, counted from the end."""
    values: Values = {}
    has_headings = any(_HEADING.search(line) for line in lines)
    for line in lines:
        told = _cell(parts(line), known) | ({"channel": None} if has_headings else {})
        is_joined = {"lte", "nr_sa"} <= {values.get("access_technology"), told.get("access_technology")}
        values |= merged([told]) | ({"access_technology": "nr_nsa"} if is_joined else {})
    return values


def _cell(found: Sequence[Part], known: Identity) -> Values:
    row = [integer(p) for p in found]
    if len(row) < _LEAST or row[0] != _SERVING or row[1] not in {_LTE, _NR}:
        return {}
    rsrp, rsrq = part(found, -2) or "255", part(found, -1) or "255"
    if row[1] == _NR:
        powers = merged([extended_signal([f"99,99,255,255,255,255,{rsrq},{rsrp}"], known)])
        coded_nr = _NR_BAND.fullmatch(part(found, 8) or "")
        return powers | {
            "access_technology": "nr_sa",
            "channel": row[6],
            "band": f"n{coded_nr[1]}" if coded_nr else None,
        }
    powers = merged([extended_signal([f"99,99,255,255,{rsrq},{rsrp}"], known)])
    coded = row[8] or 0
    return powers | {
        "access_technology": "lte",
        "channel": row[6],
        "band": band("B", str(coded - _BAND_FROM)),
    }


def extended(lines: Sequence[str], known: Identity) -> Values:
    """AT+XCESQ?: <n>, then as AT+CESQ, then RSSNR in halves of a dB."""
    found = parts(lines[0]) if lines else []
    if len(found) < 8:
        return {}
    values = extended_signal([",".join(p or "255" for p in found[1:7])], known)
    halves = integer(found[7])
    return values | {"sinr_db": None if halves is None or halves == 255 else halves / 2}


DRIVER = AtModem(
    name="fibocom_at",
    maker="fibocom",
    questions=(*QUESTIONS, Question("AT+XCESQ?", extended), Question("AT+GTCCINFO?", cells)),
)
