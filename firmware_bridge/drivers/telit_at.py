# SPDX-License-Identifier: Apache-2.0
"""What do Telit's modems tell? (LE910, LM960, FN980: AT#RFSTS, AT#QSS?)

AT#RFSTS has the IMSI in its LTE form: only the fields before it are looked at, and a row is taken for LTE's
only where they are what they must be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from firmware_bridge.drivers.at_modem import AtModem, Question, Values
from firmware_bridge.drivers.cinterion_at import monitor
from firmware_bridge.drivers.standard_at import QUESTIONS
from firmware_bridge.protocols.at_fields import band, decimal, integer, name, part, parts
from firmware_bridge.reading import Identity

_NETWORK = re.compile(r"\d{3} ?\d{2,3}")
_BEHIND = re.compile(r',"[^"]*","([^"]*)",\d*,(\d*)(?:,|$)')
_SIM_STATES = {0: False, 1: True, 2: True, 3: True}


def radio(lines: Sequence[str], _: Identity) -> Values:
    """AT#RFSTS: PLMN, EARFCN, RSRP, RSSI, RSRQ, …, "IMSI", "network", services, band

    How many parts stand before the IMSI differs between models; it is skipped unseen.
    """
    found = parts(lines[0]) if lines else []
    behind = _BEHIND.search(lines[0]) if lines else None
    if behind is None or not _NETWORK.fullmatch(part(found, 0) or ""):
        return {}
    rsrp, rssi, rsrq = (decimal(part(found, at)) for at in (2, 3, 4))
    # What stands there on 2G and 3G is a code, an area or an index: never negative.
    if None in {rsrp, rssi, rsrq} or any(dbm is not None and dbm >= 0 for dbm in (rsrp, rssi, rsrq)):
        return {}
    return {
        "access_technology": "lte",
        "channel": integer(part(found, 1)),
        "rsrp_dbm": rsrp,
        "rssi_dbm": rssi,
        "rsrq_db": rsrq,
        "operator": name(behind[1]),
        "band": band("B", behind[2]),
    }


def sim(lines: Sequence[str], _: Identity) -> Values:
    """AT#QSS?: mode, state"""
    found = [integer(p) for p in parts(lines[0])] if lines else []
    state = found[1] if len(found) >= 2 else None
    if state not in _SIM_STATES:
        return {}
    return {"sim_ready": True} if _SIM_STATES[state] else {"sim_ready": False, "state": "sim_missing"}


DRIVER = AtModem(
    name="telit_at",
    maker="telit",
    # Those that were Cinterion's call themselves Telit now, and answer as they did.
    questions=(
        *QUESTIONS,
        Question("AT^SMONI", monitor),
        Question("AT#RFSTS", radio),
        Question("AT#QSS?", sim),
    ),
)
