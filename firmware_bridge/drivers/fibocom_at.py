# SPDX-License-Identifier: Apache-2.0
"""What do Fibocom's modems tell?

L850 and L860 (Intel XMM) by AT+XCESQ?, FM350 and others (MediaTek) by AT+GTCCINFO?.
"""

from __future__ import annotations

from collections.abc import Sequence

from firmware_bridge.drivers.at_modem import AtModem, Question, Values
from firmware_bridge.drivers.standard_at import QUESTIONS, extended_signal
from firmware_bridge.protocols.at_fields import integer, part, parts
from firmware_bridge.reading import Identity

_SERVING, _LTE, _NR = 1, 4, 9
_LEAST = 12
_BAND_FROM = 100


def cells(lines: Sequence[str], known: Identity) -> Values:
    """AT+GTCCINFO?: the serving row ends with …,RSSNR,RxLev,RSRP,RSRQ as indices, counted from the end."""
    for line in lines:
        found = parts(line)
        row = [integer(p) for p in found]
        if len(row) < _LEAST or row[0] != _SERVING or row[1] not in {_LTE, _NR}:
            continue
        rsrp, rsrq = part(found, -2), part(found, -1)
        band = row[8] if row[8] is not None and row[8] > _BAND_FROM else None
        if row[1] == _LTE:
            powers = extended_signal([f"99,99,255,255,{rsrq or 255},{rsrp or 255}"], known)
            place = "lte", "B"
        else:
            powers = extended_signal([f"99,99,255,255,255,255,{rsrq or 255},{rsrp or 255}"], known)
            place = "nr_sa", "n"
        named = {"band": f"{place[1]}{band - _BAND_FROM}"} if band is not None and row[1] == _LTE else {}
        return powers | {"access_technology": place[0], "channel": row[6], **named}
    return {}


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
