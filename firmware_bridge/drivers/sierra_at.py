# SPDX-License-Identifier: Apache-2.0
"""What do Sierra Wireless' modems tell? (EM/MC74xx, EM75xx, EM91xx: AT!GSTATUS?)

A block of `label: value` pairs, several in a line; found by label, never by place.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from firmware_bridge.drivers.at_modem import AtModem, Question, Values
from firmware_bridge.drivers.standard_at import QUESTIONS
from firmware_bridge.protocols.at_fields import decimal
from firmware_bridge.reading import Identity

_FIGURE = r"\s*(-?\d{1,3}(?:\.\d+)?)(?![\w.])"
_MODES = {"LTE": "lte", "WCDMA": "umts", "GSM": "gsm", "ENDC": "nr_nsa", "NR5G": "nr_sa"}


def status(lines: Sequence[str], _: Identity) -> Values:
    """AT!GSTATUS?"""
    text = "\n".join(lines)
    mode = re.search(r"System mode:\s*([A-Z0-9]+)", text)
    band = re.search(r"LTE band:\s*B(\d{1,3})", text)
    nr_band = re.search(r"NR5G band:\s*n(\d{1,3})", text)
    channels = [re.search(rf"{of} Rx chan:\s*(\d{{1,7}})(?!\w)", text) for of in ("NR5G", "LTE")]
    channel = next((found for found in channels if found), None)
    bands = [f"B{band[1]}" if band else "", f"n{nr_band[1]}" if nr_band else ""]
    return {
        "access_technology": _MODES.get(mode[1]) if mode else None,
        "band": ",".join(filter(None, bands)) or None,
        "channel": int(channel[1]) if channel else None,
        "temperature_c": _after(text, r"Temperature:"),
        "rssi_dbm": _after(text, r"PCC RxM RSSI:") or _after(text, r"^RSSI \(dBm\):"),
        "rsrp_dbm": _after(text, r"PCC RxM RSSI:[^\n]*?RSRP \(dBm\):")
        or _after(text, r"PCC RxM RSRP:")
        or _after(text, r"^RSRP \(dBm\):"),
        "rsrq_db": _after(text, r"(?<!NR5G )RSRQ \(dB\):"),
        "sinr_db": _after(text, r"(?<!NR5G )SINR \(dB\):"),
        "nr_rsrp_dbm": _after(text, r"NR5G RSRP \(dBm\):"),
        "nr_rsrq_db": _after(text, r"NR5G RSRQ \(dB\):"),
        "nr_sinr_db": _after(text, r"NR5G SINR \(dB\):"),
    }


def _after(text: str, label: str) -> float | None:
    found = re.search(label + _FIGURE + r"(?=\s*(?:$|[A-Z]|\s{2,}|\t))", text, re.MULTILINE)
    return decimal(found[1]) if found else None


DRIVER = AtModem(
    name="sierra_at", maker="sierra|semtech", questions=(*QUESTIONS, Question("AT!GSTATUS?", status))
)
