# SPDX-License-Identifier: Apache-2.0
"""What do Quectel's modems tell? (AT commands manuals of EC2x/EG2x, BG9x and RG50xQ/RM5xxQ)

AT+QENG="servingcell" comes in forms that differ by technology and in how many lines; the order of SINR and
RSRQ differs between NSA and SA. The scale of SINR differs between models and is told in dB only where it is
known (`_SINR_INDEX`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from firmware_bridge.drivers.at_modem import AtModem, Question, Values
from firmware_bridge.drivers.standard_at import QUESTIONS
from firmware_bridge.protocols.at_fields import Part, band, decimal, integer, name, part, parts
from firmware_bridge.reading import Identity

_SINR_INDEX = re.compile(r"R[GM]5\d\d")
"""Models whose manual says that the LTE figure of QENG is an index: 2 X - 20 dB, X from 0 to 30."""
_QCSQ_FIFTHS = re.compile(r"E[CGMP](?:06|12|2[015]|9[15])|BG9[56]|BG77|R[GM]5\d\d")
"""Models whose manual says that the LTE figure of QCSQ is X / 5 - 20 dB, X from 0 to 250."""
_UNKNOWN = frozenset({-32768.0, -3276.0, -140.0, 255.0})
_MODES = {"LTE": "lte", "NR5G-NSA": "nr_nsa", "NR5G-SA": "nr_sa", "WCDMA": "umts", "GSM": "gsm"}
_MODES |= {
    "NBIoT": "nb_iot",
    "NTN NBIoT": "nb_iot",
    "CAT-NB2": "nb_iot",
    "CAT-M": "lte_m",
    "CAT-M1": "lte_m",
    "CAT-NB": "nb_iot",
    "CAT-NB1": "nb_iot",
    "eMTC": "lte_m",
}
_NETWORKS = {
    "NR5G-NSA": "nr_nsa",
    "NR5G": "nr_sa",
    "CAT-M": "lte_m",
    "CAT-NB": "nb_iot",
    "LTE": "lte",
    "WCDMA": "umts",
    "HSDPA": "umts",
    "HSUPA": "umts",
}
_NETWORKS |= {"HSPA+": "umts", "GSM": "gsm", "GPRS": "gsm", "EDGE": "gsm", "eMTC": "lte_m", "NBIoT": "nb_iot"}
_LTE_LIKE = frozenset(
    {"LTE", "CAT-M", "CAT-M1", "CAT-NB", "CAT-NB1", "CAT-NB2", "NBIoT", "NTN NBIoT", "eMTC"}
)
_LTE_LEAST, _NR_LEAST, _SA_LEAST = 13, 9, 12
_MOST_DIGITS = 13
"""Of a count of bytes; an IMSI or IMEI has 14 or more."""


def serving_cell(lines: Sequence[str], known: Identity) -> Values:
    """AT+QENG="servingcell": one line, or three where LTE and NR are joined (EN-DC)."""
    values: Values = {}
    for line in lines:
        found = parts(line)
        at = 2 if part(found, 0) == "servingcell" else 0
        values |= _cell(part(found, at), found[at + 1 :], known)
    return values


def _cell(mode: Part, rest: Sequence[Part], known: Identity) -> Values:
    if mode is not None and mode in _LTE_LIKE:
        return _lte(mode, rest, known)
    if mode == "GSM":
        return {"access_technology": "gsm"}
    if mode == "NR5G-NSA":
        return _nsa(rest)
    return _sa(rest) if mode == "NR5G-SA" else _wcdma(rest) if mode == "WCDMA" else {}


def _lte(mode: str, rest: Sequence[Part], known: Identity) -> Values:
    """<is_tdd>,MCC,MNC,cell,PCI,EARFCN,band,UL bw,DL bw,TAC,RSRP,RSRQ,RSSI,SINR,…"""
    if len(rest) < _LTE_LEAST:
        return {}
    raw = _known(part(rest, 13))
    return {
        "access_technology": _MODES[mode],
        "channel": integer(part(rest, 5)),
        "band": band("B", part(rest, 6)),
        "rsrp_dbm": _known(part(rest, 10)),
        "rsrq_db": _known(part(rest, 11)),
        "rssi_dbm": _known(part(rest, 12)),
        "sinr_raw": raw,
        "sinr_db": _indexed(raw, known),
    }


def _indexed(raw: float | None, known: Identity) -> float | None:
    is_index = raw is not None and 0 <= raw <= 30 and _SINR_INDEX.match(known.model or "")
    return 2 * raw - 20 if raw is not None and is_index else None


def _nsa(rest: Sequence[Part]) -> Values:
    """MCC,MNC,PCI,RSRP,SINR,RSRQ,ARFCN,band,…"""
    if len(rest) < _NR_LEAST - 1:
        return {}
    return {"access_technology": "nr_nsa"} | _nr(rest[3], rest[5], rest[4]) | _nr_place(rest[6], rest[7])


def _sa(rest: Sequence[Part]) -> Values:
    """<is_tdd>,MCC,MNC,cell,PCI,TAC,ARFCN,band,DL bw,RSRP,RSRQ,SINR,…"""
    if len(rest) < _SA_LEAST:
        return {}
    return {"access_technology": "nr_sa"} | _nr(rest[9], rest[10], rest[11]) | _nr_place(rest[6], rest[7])


def _nr(rsrp: Part, rsrq: Part, sinr: Part) -> Values:
    return {"nr_rsrp_dbm": _known(rsrp), "nr_rsrq_db": _known(rsrq), "nr_sinr_db": _known(sinr)}


def _nr_place(channel: Part, number: Part) -> Values:
    return {"channel": integer(channel), "band": band("n", number)}


def _wcdma(rest: Sequence[Part]) -> Values:
    """MCC,MNC,LAC,cell,UARFCN,PSC,RAC,RSCP,Ec/Io,…"""
    return {
        "access_technology": "umts",
        "channel": integer(part(rest, 4)),
        "rscp_dbm": _known(part(rest, 7)),
        "ecio_db": _known(part(rest, 8)),
    }


def quality(lines: Sequence[str], known: Identity) -> Values:
    """AT+QCSQ: mode, then figures whose number differs with it; a line each where two networks are joined."""
    values: Values = {}
    for line in lines:
        found = parts(line)
        values |= _quality(part(found, 0), [_known(p) for p in found[1:]], known)
    return values


def _quality(mode: Part, figures: Sequence[float | None], known: Identity) -> Values:
    if mode in {"NR5G", "NR5G-SA", "NR5G-NSA"}:
        return _nr_quality(figures)
    if mode == "WCDMA" and len(figures) == 3:
        return {"rssi_dbm": figures[0], "rscp_dbm": figures[1], "ecio_db": figures[2]}
    if mode not in _LTE_LIKE or len(figures) < 4:
        return {}
    rssi, rsrp, raw, rsrq = figures[:4]
    is_fifths = raw is not None and 0 <= raw <= 250 and _QCSQ_FIFTHS.match(known.model or "")
    return {
        # EG21-G leaves the sign out.
        "rssi_dbm": None if rssi is None else -abs(rssi),
        "rsrp_dbm": rsrp,
        "rsrq_db": rsrq,
        "sinr_db": round(raw / 5 - 20, 1) if raw is not None and is_fifths else None,
    }


def _nr_quality(figures: Sequence[float | None]) -> Values:
    """RSRP, SINR, RSRQ; some versions write an RSSI in front, which is never the lesser power."""
    if len(figures) == 4 and figures[0] is not None and figures[0] >= (figures[1] or 0.0):
        figures = figures[1:]
    if len(figures) != 3:
        return {}
    return {"nr_rsrp_dbm": figures[0], "nr_sinr_db": figures[1], "nr_rsrq_db": figures[2]}


def network(lines: Sequence[str], _: Identity) -> Values:
    """AT+QNWINFO: technology, network, band, channel; a line each where two networks are joined."""
    found = parts(lines[0]) if lines else []
    said = [part(parts(line), 0) or "" for line in lines]
    named = [next((v for k, v in _NETWORKS.items() if k in word), None) for word in said]
    technology = "nr_nsa" if {"lte", "nr_sa"} <= set(named) else next(iter(named), None)
    number = re.search(r"(LTE|NR5G) BAND (\d{1,3})(?!\d)", part(found, 2) or "")
    kind = {"LTE": "B", "NR5G": "n"}
    return {
        "access_technology": technology,
        "operator": name(part(found, 1)),
        "band": f"{kind[number[1]]}{number[2]}" if number else None,
        "channel": integer(part(found, 3)),
    }


def temperature(lines: Sequence[str], _: Identity) -> Values:
    """AT+QTEMP: three figures in one line, or one line each with the name of its place."""
    found = [decimal(p) for line in lines for p in parts(line)]
    real = [c for c in found if c is not None and c not in {-273.0, 0.0, 255.0}]
    return {"temperature_c": max(real)} if real else {}


def traffic(lines: Sequence[str], _: Identity) -> Values:
    """AT+QGDCNT?: bytes sent, then bytes received."""
    found = parts(lines[0]) if lines else []
    sent, received = (_count(part(found, at)) for at in (0, 1))
    return {"tx_bytes": sent, "rx_bytes": received}


def _count(text: Part) -> int | None:
    is_count = text is not None and text.isdecimal() and len(text) <= _MOST_DIGITS
    return integer(text) if is_count and (text == "0" or not str(text).startswith("0")) else None


def _known(text: Part) -> float | None:
    value = decimal(text)
    return None if value in _UNKNOWN else value


DRIVER = AtModem(
    name="quectel_at",
    maker="quectel",
    questions=(
        *QUESTIONS,
        Question("AT+QNWINFO", network),
        Question("AT+QCSQ", quality),
        Question('AT+QENG="servingcell"', serving_cell),
        Question("AT+QTEMP", temperature),
        Question("AT+QGDCNT?", traffic),
    ),
)
