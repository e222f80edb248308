# SPDX-License-Identifier: Apache-2.0
"""What does ModemManager (1.14 and later) say of a modem that it has taken? (mmcli --output-json)

Everything is text, `--` where it is not known. Numbers of persons and devices stand in other places of the
same answer; only the places named here are looked at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from agent.contract.devices import Modem
from firmware_bridge.checking import checked
from firmware_bridge.drivers.at_modem import Values, judged
from firmware_bridge.protocols.at_fields import decimal, name
from firmware_bridge.reading import DeviceReading, Identity

NAME = "modem_manager"
_TECHNOLOGIES = {
    "lte": "lte",
    "5gnr": "nr_sa",
    "umts": "umts",
    "hsdpa": "umts",
    "hsupa": "umts",
    "hspa": "umts",
}
_TECHNOLOGIES |= {"hspa-plus": "umts", "gsm": "gsm", "gprs": "gsm", "edge": "gsm", "lte-cat-m": "lte_m"}
_REGISTERED = re.compile(r"(home|roaming)(-sms-only|-csfb-not-preferred)?")
_NO_SIM, _LOCKED = "sim-missing", re.compile(r"sim-p[iu][nk]|ph-.+")


def reading(told: Mapping[str, Any], device: str) -> DeviceReading:
    """The record, from the object `modem` of `mmcli --modem`, with `signal` of `--signal-get` beside."""
    known = Identity(
        maker=name(_at(told, "generic", "manufacturer")),
        model=name(_at(told, "generic", "model")),
        firmware=name(_at(told, "generic", "revision")),
    )
    values = _registration(told) | _signal(told) | _sim(told)
    values, meanings = judged(NAME, known, values)
    fields, refused = checked(Modem, {"port": device}, values)
    return DeviceReading((fields,), tuple(meanings), refused)


def _registration(told: Mapping[str, Any]) -> Values:
    state = _at(told, "3gpp", "registration-state")
    on = _REGISTERED.fullmatch(state or "")
    generic = told.get("generic")
    technologies = generic.get("access-technologies") if isinstance(generic, Mapping) else None
    listed = technologies if isinstance(technologies, list) else []
    known = [_TECHNOLOGIES[t] for t in listed if isinstance(t, str) and t in _TECHNOLOGIES]
    is_joined = {"lte", "nr_sa"} <= set(known)
    return {
        "registered": None if state is None or state == "unknown" else on is not None,
        "roaming": on[1] == "roaming" if on else None,
        "denied": True if state == "denied" else None,
        "operator": name(_at(told, "3gpp", "operator-name")),
        "access_technology": "nr_nsa" if is_joined else known[0] if known else None,
        "attached": {"attached": True, "detached": False}.get(
            _at(told, "3gpp", "packet-service-state") or ""
        ),
    }


def _signal(told: Mapping[str, Any]) -> Values:
    def figure(group: str, of: str) -> float | None:
        return decimal(_at(told.get("signal"), group, of))

    return {
        "rssi_dbm": figure("lte", "rssi"),
        "rsrp_dbm": figure("lte", "rsrp"),
        "rsrq_db": figure("lte", "rsrq"),
        "sinr_db": figure("lte", "snr"),
        "nr_rsrp_dbm": figure("5g", "rsrp"),
        "nr_rsrq_db": figure("5g", "rsrq"),
        "nr_sinr_db": figure("5g", "snr"),
        "rscp_dbm": figure("umts", "rscp"),
        "ecio_db": figure("umts", "ecio"),
    }


def _sim(told: Mapping[str, Any]) -> Values:
    if _at(told, "generic", "state-failed-reason") == _NO_SIM:
        return {"sim_ready": False, "state": "sim_missing"}
    if _LOCKED.fullmatch(_at(told, "generic", "unlock-required") or ""):
        return {"sim_ready": False, "state": "sim_locked"}
    return {"sim_ready": True if _at(told, "generic", "sim") is not None else None}


def _at(told: Any, group: str, name: str) -> str | None:
    table = told.get(group) if isinstance(told, Mapping) else None
    value = table.get(name) if isinstance(table, Mapping) else None
    return value[:60] if isinstance(value, str) and value not in {"", "--"} else None
