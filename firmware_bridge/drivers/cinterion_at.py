# SPDX-License-Identifier: Apache-2.0
"""What do Cinterion's (Gemalto, Thales) modems tell? (AT^SMONI)"""

from __future__ import annotations

from collections.abc import Sequence

from firmware_bridge.drivers.at_modem import AtModem, Question, Values
from firmware_bridge.drivers.standard_at import QUESTIONS
from firmware_bridge.protocols.at_fields import Part, band, decimal, integer, part, parts
from firmware_bridge.reading import Identity

_LTE_PARTS = 14
_UMTS_PARTS = 9


def monitor(lines: Sequence[str], _: Identity) -> Values:
    """AT^SMONI: 4G,EARFCN,band,DL bw,UL bw,mode,MCC,MNC,TAC,cell,PCI,tx power,RSRP,RSRQ,…"""
    found = parts(lines[0]) if lines else []
    if part(found, 0) == "3G" and len(found) >= _UMTS_PARTS:
        return _umts(found)
    if part(found, 0) != "4G" or len(found) < _LTE_PARTS:
        return {}
    return {
        "access_technology": "lte",
        "channel": integer(part(found, 1)),
        "band": band("B", part(found, 2)),
        "rsrp_dbm": decimal(part(found, 12)),
        "rsrq_db": decimal(part(found, 13)),
    }


def _umts(found: Sequence[Part]) -> Values:
    """3G,UARFCN,PSC,Ec/No,RSCP,MCC,MNC,LAC,cell,…"""
    return {
        "access_technology": "umts",
        "channel": integer(part(found, 1)),
        "ecio_db": decimal(part(found, 3)),
        "rscp_dbm": decimal(part(found, 4)),
    }


DRIVER = AtModem(
    name="cinterion_at",
    maker="cinterion|gemalto|thales",
    questions=(*QUESTIONS, Question("AT^SMONI", monitor)),
)
