# SPDX-License-Identifier: Apache-2.0
"""What do Huawei's modems tell? (AT^HCSQ?, AT^SYSINFOEX of the ME909/MU709/MH5000 manuals)"""

from __future__ import annotations

from collections.abc import Sequence

from firmware_bridge.drivers.at_modem import AtModem, Question, Values
from firmware_bridge.drivers.standard_at import QUESTIONS
from firmware_bridge.protocols.at_fields import decimal, integer, part, parts
from firmware_bridge.reading import Identity

_UNKNOWN = 255
_MODES = {"LTE": "lte", "WCDMA": "umts", "HSPA": "umts", "GSM": "gsm", "NR": "nr_sa"}
_NO_SIM, _SIMS = frozenset({0, 255}), frozenset({0, 1, 2, 3, 4, 240, 255})
_REFUSED_SIM = frozenset({2, 3, 4})
"""There, but the network takes it not for calls, not for data, or for neither."""
_ABSENT_SIM = 255
_SERVICES = frozenset({0, 1, 2, 3, 4})


def signal(lines: Sequence[str], _: Identity) -> Values:
    """AT^HCSQ?: mode, then indices whose number differs with it; a line for each joined network."""
    values: Values = {}
    modes = set()
    for line in lines:
        values |= (told := _signal(line))
        modes.add(told.get("access_technology"))
    return values | ({"access_technology": "nr_nsa"} if {"lte", "nr_sa"} <= modes else {})


def _signal(line: str) -> Values:
    found = parts(line)
    mode, indices = part(found, 0), [integer(p) for p in found[1:]]
    indices += [None] * 4
    if mode == "LTE":
        return {
            "access_technology": "lte",
            "rssi_dbm": _binned(indices[0], 96, -121.0, 1.0),
            "rsrp_dbm": _binned(indices[1], 97, -141.0, 1.0),
            "sinr_db": _binned(indices[2], 251, -20.2, 0.2),
            "rsrq_db": _binned(indices[3], 34, -20.0, 0.5),
        }
    if mode == "NR":
        return {
            "access_technology": "nr_sa",
            "nr_rsrp_dbm": _binned(indices[0], 97, -141.0, 1.0),
            "nr_sinr_db": _binned(indices[1], 251, -20.2, 0.2),
            "nr_rsrq_db": _binned(indices[2], 34, -20.0, 0.5),
        }
    if mode == "WCDMA":
        return {
            "access_technology": "umts",
            "rssi_dbm": _binned(indices[0], 96, -121.0, 1.0),
            "rscp_dbm": _binned(indices[1], 96, -121.0, 1.0),
            "ecio_db": _binned(indices[2], 65, -32.5, 0.5),
        }
    return (
        {"access_technology": "gsm", "rssi_dbm": _binned(indices[0], 96, -121.0, 1.0)}
        if mode == "GSM"
        else {}
    )


def _binned(index: int | None, most: int, lowest: float, step: float) -> float | None:
    is_known = index is not None and index != _UNKNOWN and 0 <= index <= most
    return round(lowest + step * index, 1) if index is not None and is_known else None


def system(lines: Sequence[str], _: Identity) -> Values:
    """AT^SYSINFOEX: service, domain, roaming, SIM, lock, mode, its name, …"""
    found = parts(lines[0]) if lines else []
    service, roaming, sim = (integer(part(found, at)) for at in (0, 2, 3))
    if service not in _SERVICES or sim not in _SIMS:
        return {}
    return {
        "sim_ready": None if sim in _REFUSED_SIM else sim not in _NO_SIM,
        "state": "sim_missing" if sim == _ABSENT_SIM else None,
        "roaming": bool(roaming) if service == 2 and roaming in {0, 1} else None,
        "access_technology": _MODES.get(part(found, 6) or ""),
    }


def temperature(lines: Sequence[str], _: Identity) -> Values:
    """AT^CHIPTEMP?: tenths of a degree, 65535 where there is none."""
    found = [decimal(p) for p in parts(lines[0])] if lines else []
    real = [c / 10 for c in found if c is not None and c not in {65535.0, 0.0}]
    return {"temperature_c": max(real)} if real else {}


DRIVER = AtModem(
    name="huawei_at",
    maker="huawei",
    questions=(
        *QUESTIONS,
        Question("AT^HCSQ?", signal),
        Question("AT^SYSINFOEX", system),
        Question("AT^CHIPTEMP?", temperature),
    ),
)
