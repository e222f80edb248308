# SPDX-License-Identifier: Apache-2.0
"""What do SIMCom's modems tell? (SIM7xxx, SIM82xx, AT+CPSI?)

Units differ by family and firmware: tenths (SIM7600, SIM82xx), whole dBm (SIM7000, SIM7070), or positive
indices. A power below -200 can only be tenths, a positive one only an index.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from firmware_bridge.drivers.at_modem import AtModem, Question, Values
from firmware_bridge.drivers.standard_at import QUESTIONS
from firmware_bridge.protocols.at_fields import Part, decimal, integer, part, parts
from firmware_bridge.reading import Identity

_TENTHS_BELOW = -200.0
_MOST_RSRP, _MOST_RSRQ = 97, 34
_MODES = {"LTE": "lte", "WCDMA": "umts", "GSM": "gsm", "LTE CAT-M1": "lte_m", "LTE NB-IOT": "nb_iot"}
_MODES |= {"NR5G_NSA": "nr_nsa", "NR5G_SA": "nr_sa", "NR5G": "nr_sa"}
_ROW = 14


def system(lines: Sequence[str], _: Identity) -> Values:
    """AT+CPSI?: one row for each radio."""
    values: Values = {}
    for line in lines:
        found = parts(line)
        mode = part(found, 0)
        if mode in {"LTE", "LTE CAT-M1", "LTE NB-IOT"} and len(found) >= _ROW - 1:
            values |= _lte(found) | {"access_technology": _MODES[mode]}
        elif mode in {"NR5G_SA", "NR5G_NSA"}:
            told = _nr(found) or _old_nr(found, beside_lte=True)
            values |= told | {"access_technology": _MODES[mode]}
        elif mode == "NR5G":
            values |= _old_nr(found, beside_lte="rsrp_dbm" in values)
        elif mode in {"WCDMA", "GSM"}:
            values |= {"access_technology": _MODES[mode]}
    return values


def _lte(found: Sequence[Part]) -> Values:
    """…,band,EARFCN,DL bw,UL bw,RSRQ,RSRP,RSSI,RSSNR"""
    band = re.search(r"BAND(\d{1,3})", found[6] or "")
    rsrq, rsrp, rssi, rssnr = (decimal(p) for p in (*found[10:14], None, None)[:4])
    values: Values = {"band": f"B{band[1]}" if band else None, "channel": integer(found[7])}
    if rsrp is None or rsrp == 0:
        return values
    if rsrp > 0:
        return values | _indexed(rsrq, rsrp)
    tenth = 10.0 if rsrp < _TENTHS_BELOW else 1.0
    values |= {
        "rsrp_dbm": rsrp / tenth,
        "rsrq_db": None if rsrq is None else rsrq / tenth,
        "rssi_dbm": None if rssi is None else rssi / tenth,
        "sinr_raw": rssnr,
    }
    return values


def _indexed(rsrq: float | None, rsrp: float) -> Values:
    """Numbers of steps, as in AT+CESQ (TS 27.007 §8.69)."""
    return {
        "rsrp_dbm": -141 + rsrp if rsrp <= _MOST_RSRP else None,
        "rsrq_db": -20 + rsrq / 2 if rsrq is not None and 0 <= rsrq <= _MOST_RSRQ else None,
    }


def _old_nr(found: Sequence[Part], *, beside_lte: bool) -> Values:
    """NR5G,PCI,ARFCN,RSRQ,RSRP,SNR: early firmware, whole dBm, RSRQ before RSRP."""
    rsrq, rsrp, snr = (decimal(part(found, at)) for at in (3, 4, 5))
    if rsrp is None or rsrp >= 0 or rsrp < _TENTHS_BELOW:
        return {}
    return {
        "access_technology": "nr_nsa" if beside_lte else "nr_sa",
        "channel": integer(part(found, 2)),
        "nr_rsrp_dbm": rsrp,
        "nr_rsrq_db": rsrq,
        "nr_sinr_db": snr,
    }


def _nr(found: Sequence[Part]) -> Values:
    """…,band,ARFCN,RSRP,RSRQ,SNR, in tenths or whole; the band says where it begins."""
    at = next((i for i, p in enumerate(found) if p and re.fullmatch(r"NR5G_BAND\d{1,3}", p)), None)
    figures = [decimal(p) for p in found[at + 2 : at + 5]] if at is not None else []
    if at is None or len(figures) < 3 or figures[0] is None or figures[0] >= 0:
        return {}
    rsrp, (rsrq, snr) = figures[0], figures[1:]
    tenth = 10 if rsrp < _TENTHS_BELOW else 1
    return {
        "band": f"n{(found[at] or '').removeprefix('NR5G_BAND')}",
        "channel": integer(part(found, at + 1)),
        "nr_rsrp_dbm": rsrp / tenth,
        "nr_rsrq_db": None if rsrq is None else rsrq / tenth,
        "nr_sinr_db": None if snr is None else snr / tenth,
    }


def temperature(lines: Sequence[str], _: Identity) -> Values:
    """AT+CPMUTEMP"""
    return {"temperature_c": decimal(part(parts(lines[0]), 0))} if lines else {}


DRIVER = AtModem(
    name="simcom_at",
    maker="simcom",
    questions=(*QUESTIONS, Question("AT+CPSI?", system), Question("AT+CPMUTEMP", temperature)),
)
