# SPDX-License-Identifier: Apache-2.0
"""What does an APC UPS tell through apcupsd? (its status, as `apcaccess` shows it)

Serial number, host's and UPS' names are among the lines and are not read. While apcupsd has lost the UPS it
goes on telling the last figures: then nothing is told.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from agent.contract.devices import Power
from agent.contract.reason import Reason
from firmware_bridge.checking import checked
from firmware_bridge.drivers.nut import Stream, judged
from firmware_bridge.meaning import told
from firmware_bridge.protocols.apcupsd import ASK_STATUS, Answer, NoStatus
from firmware_bridge.protocols.at_fields import name as short_name
from firmware_bridge.reading import DeviceFailed, DeviceReading

LINES = frozenset(
    [
        "APC",
        "VERSION",
        "CABLE",
        "DRIVER",
        "UPSMODE",
        "MODEL",
        "STATUS",
        "LINEV",
        "LOADPCT",
        "BCHARGE",
        "TIMELEFT",
        "MBATTCHG",
        "MINTIMEL",
        "MAXTIME",
        "SENSE",
        "LOTRANS",
        "HITRANS",
        "ALARMDEL",
        "BATTV",
        "ITEMP",
        "LASTXFER",
        "NUMXFERS",
        "TONBATT",
        "CUMONBATT",
        "STATFLAG",
        "NOMINV",
        "NOMBATTV",
        "NOMPOWER",
        "FIRMWARE",
    ]
)
"""Lines that name neither a device nor a host; values of the others are not kept in a recording."""
Values = dict[str, Any]

_FIGURE = re.compile(r"(-?\d{1,6}(?:\.\d{1,3})?) (Volts|Percent|Minutes|Seconds|Watts|C)\b.*")
_LOST = "COMMLOST"
_FLAGS = {
    0x001: "CAL",
    0x002: "TRIM",
    0x004: "BOOST",
    0x008: "ONLINE",
    0x010: "ONBATT",
    0x020: "OVERLOAD",
    0x040: "LOWBATT",
    0x080: "REPLACEBATT",
    0x100: "COMMLOST",
    0x200: "SHUTTING",
}
"""Bits of STATFLAG; STATUS says nothing but SHUTTING DOWN while they tell the rest."""
_FLAG = re.compile(r"0x([0-9A-Fa-f]{1,8})\b.*")
_STATES = {
    "ONBATT": "on_battery",
    "CAL": "calibrating",
    "TRIM": "trimming",
    "BOOST": "boosting",
    "ONLINE": "on_line",
}
"""Of several the first."""
_COMPLAINTS = {
    "REPLACEBATT": "replace_battery",
    "NOBATT": "no_battery",
    "OVERLOAD": "overload",
    "SHUTTING": "forced_shutdown",
}


class Apcupsd:
    """The UPS of an apcupsd."""

    name: ClassVar[str] = "apcupsd"
    scheme: ClassVar[str] = "apcupsd"

    def read(self, link: Stream, device: str) -> DeviceReading:
        """Its status.

        Raises:
            DeviceFailed: no answer, none to be believed, or the UPS is lost.
        """
        lines = status(link)
        if _LOST in words_of(lines):
            raise DeviceFailed(link.name, Reason.GONE, "apcupsd has lost the UPS: look at its cable")
        return reading(lines, device)


def status(link: Stream) -> dict[str, str]:
    """The lines of the answer by name.

    Raises:
        DeviceFailed: no answer, or none to be believed.
    """
    link.write(ASK_STATUS)
    answer, lines = Answer(), None
    try:
        while lines is None:
            lines = answer.feed(link.read())
    except NoStatus as e:
        raise DeviceFailed(link.name, Reason.BAD_ANSWER, str(e)) from e
    return lines


def reading(lines: Mapping[str, str], device: str) -> DeviceReading:
    """The record of a status."""
    values = _figures(lines) | _states(words_of(lines))
    meanings = judged(values)
    fields, refused = checked(Power, {"controller": device}, values | {"meaning": told(meanings)})
    return DeviceReading((fields,), tuple(meanings), refused)


def words_of(lines: Mapping[str, str]) -> set[str]:
    """Of the status, in words and in bits."""
    flags = _FLAG.fullmatch(lines.get("STATFLAG", ""))
    bits = int(flags[1], 16) if flags else 0
    return set(lines.get("STATUS", "").split()) | {word for bit, word in _FLAGS.items() if bits & bit}


def _figures(lines: Mapping[str, str]) -> Values:
    minutes, seconds = _figure(lines, "TIMELEFT", "Minutes"), _figure(lines, "TIMELEFT", "Seconds")
    runtime_s = minutes * 60 if minutes is not None else seconds
    load, most_w = _figure(lines, "LOADPCT", "Percent"), _figure(lines, "NOMPOWER", "Watts")
    charge = _figure(lines, "BCHARGE", "Percent")
    return {
        "driver": Apcupsd.name,
        "model": short_name(lines.get("MODEL")),
        "firmware": short_name(lines.get("FIRMWARE")),
        "battery_v": _figure(lines, "BATTV", "Volts"),
        "battery_ratio": None if charge is None else round(charge / 100, 4),
        "runtime_s": None if runtime_s is None else round(runtime_s),
        "load_w": None if load is None or most_w is None else round(load * most_w / 100, 1),
        "load_ratio": None if load is None else round(load / 100, 4),
        "mains_v": _figure(lines, "LINEV", "Volts"),
    }


def _figure(lines: Mapping[str, str], name: str, unit: str) -> float | None:
    """None where the line is of another unit, or `N/A`."""
    found = _FIGURE.fullmatch(lines.get(name, ""))
    return float(found[1]) if found is not None and found[2] == unit else None


def _states(words: set[str]) -> Values:
    is_known = bool(words & set(_STATES))
    is_on, is_off = "ONLINE" in words, "ONBATT" in words
    return {
        "state": next((state for word, state in _STATES.items() if word in words), None),
        "error": ",".join(said for word, said in _COMPLAINTS.items() if word in words) or None,
        # Both, or neither, say nothing, nor does a battery that is tried out while the mains are there.
        "mains_present": is_on if is_on != is_off and not (is_off and "CAL" in words) else None,
        "low_battery": "LOWBATT" in words if is_known else None,
        "load_on": True if is_known else None,
    }


DRIVER = Apcupsd()
