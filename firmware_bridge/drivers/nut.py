# SPDX-License-Identifier: Apache-2.0
"""What does a UPS tell through Network UPS Tools? (RFC 9271; variables and states: NUT's list of names)

Any UPS that NUT has a driver for. Serial numbers are among the variables and are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from agent.contract.devices import Power
from agent.contract.reason import Reason
from firmware_bridge.checking import checked
from firmware_bridge.meaning import told
from firmware_bridge.protocols.at_fields import decimal
from firmware_bridge.protocols.at_fields import name as short_name
from firmware_bridge.protocols.nut import Answer, Listing, NoListing, ask_names, ask_variables
from firmware_bridge.reading import DeviceFailed, DeviceReading

Values = dict[str, Any]

_ERRORS = {
    "UNKNOWN-UPS": (Reason.NOT_PRESENT, "upsd knows no UPS of that name"),
    "ACCESS-DENIED": (Reason.NOT_PERMITTED, "upsd lets this host ask nothing"),
    "DRIVER-NOT-CONNECTED": (Reason.NOT_PRESENT, "the driver of the UPS does not run"),
    "DATA-STALE": (Reason.GONE, "upsd has lost the UPS: look at its cable"),
}
_STATES = {
    "OFF": "off",
    "OB": "on_battery",
    "CAL": "calibrating",
    "BYPASS": "bypass",
    "TRIM": "trimming",
    "BOOST": "boosting",
    "OL": "on_line",
}
"""Of several the first."""
_MOST_LOAD_PERCENT = 300
"""A UPS that is overloaded switches off long before; early drivers tell ten times as much."""
_FOR_EVER_S = 65_535 * 60
"""A count of minutes that is full."""
_COMPLAINTS = {"RB": "replace_battery", "OVER": "overload", "FSD": "forced_shutdown", "ALARM": "alarm"}


class Stream(Protocol):
    """What carries a question to a server and its answer back."""

    @property
    def name(self) -> str:
        """What errors call it."""
        ...

    def write(self, data: bytes) -> None:
        """Send all of it."""
        ...

    def read(self) -> bytes:
        """What came next, at least one byte."""
        ...


class Nut:
    """One UPS of an upsd."""

    name: ClassVar[str] = "nut"
    scheme: ClassVar[str] = "nut"

    def __init__(self, ups: str = "") -> None:
        self._ups = ups

    def read(self, link: Stream, device: str) -> DeviceReading:
        """All its variables; of the only UPS where none was named.

        Raises:
            DeviceFailed: no answer, or none to be believed.
        """
        return reading(variables(link, self._ups), device)


def variables(link: Stream, ups: str) -> dict[str, str]:
    """Of one UPS, or of the only one.

    Raises:
        DeviceFailed: no answer, none to be believed, or several UPSes where none was named.
    """
    return _ask(link, ask_variables(ups or _only(link)))


def names(link: Stream) -> list[str]:
    """Of the UPSes that the server knows.

    Raises:
        DeviceFailed: no answer, or none to be believed.
    """
    return sorted(_ask(link, ask_names()))


def _only(link: Stream) -> str:
    known = names(link)
    if len(known) != 1:
        listed = ", ".join(known) or "none"
        raise DeviceFailed(link.name, Reason.NO_TARGET, f"name one UPS in the address; upsd knows {listed}")
    return known[0]


def _ask(link: Stream, question: bytes) -> dict[str, str]:
    link.write(question)
    answer, listing = Answer(), None
    try:
        while listing is None:
            listing = answer.feed(link.read())
    except NoListing as e:
        raise DeviceFailed(link.name, Reason.BAD_ANSWER, str(e)) from e
    return _rows(link.name, listing)


def _rows(name: str, listing: Listing) -> dict[str, str]:
    if listing.error is None:
        return listing.rows
    reason, said = _ERRORS.get(listing.error, (Reason.BAD_ANSWER, f"upsd says {listing.error}"))
    raise DeviceFailed(name, reason, said)


def reading(told_of: Mapping[str, str], device: str) -> DeviceReading:
    """The record of one UPS' variables."""
    values = _figures(told_of) | _states(told_of.get("ups.status", ""))
    meanings = judged(values)
    fields, refused = checked(Power, {"controller": device}, values | {"meaning": told(meanings)})
    return DeviceReading((fields,), tuple(meanings), refused)


def _figures(told_of: Mapping[str, str]) -> Values:
    def figure(name: str, by: float = 1) -> float | None:
        number = decimal(told_of.get(name, "").strip() or None)
        return None if number is None else round(number / by, 4)

    runtime_s, load_percent = _runtime_s(figure("battery.runtime"), told_of), figure("ups.load")
    is_load = load_percent is not None and load_percent <= _MOST_LOAD_PERCENT
    makers = [told_of.get(name) for name in ("device.mfr", "ups.mfr")]
    models = [told_of.get(name) for name in ("device.model", "ups.model")]
    words = [next((known for known in said if known), "") for said in (makers, models)]
    return {
        "driver": Nut.name,
        "model": short_name(" ".join(words)),
        "firmware": short_name(told_of.get("ups.firmware")),
        "battery_v": figure("battery.voltage"),
        "battery_ratio": figure("battery.charge", 100),
        "battery_temperature_c": figure("battery.temperature"),
        "runtime_s": runtime_s,
        "load_w": figure("ups.realpower"),
        "load_ratio": figure("ups.load", 100) if is_load else None,
        "mains_v": figure("input.voltage"),
    }


def _runtime_s(told_s: float | None, told_of: Mapping[str, str]) -> int | None:
    """A battery that is not drawn from lasts more than no time at all: 0 stands for not known."""
    is_idle = "OB" not in told_of.get("ups.status", "").split()
    is_none = told_s is None or told_s >= _FOR_EVER_S or (told_s <= 0 and is_idle)
    return None if told_s is None or is_none else round(told_s)


def _states(status: str) -> Values:
    words = set(status.split())
    is_known = bool(words & set(_STATES))
    mains = {"OL"} & words, {"OB"} & words
    is_trial = {"OB", "CAL"} <= words
    complaints = [said for word, said in _COMPLAINTS.items() if word in words]
    return {
        "state": next((state for word, state in _STATES.items() if word in words), None),
        "error": ",".join(complaints) or None,
        # Both, or neither, say nothing, nor does a battery that is tried out while the mains are there.
        "mains_present": bool(mains[0]) if bool(mains[0]) != bool(mains[1]) and not is_trial else None,
        "low_battery": "LB" in words if is_known else None,
        "load_on": "OFF" not in words if is_known else None,
    }


def judged(values: Values) -> list[str]:
    """What a UPS' values mean."""
    said = {
        "mains_lost": values["mains_present"] is False,
        "battery_low": values["low_battery"],
        "load_off": values["load_on"] is False,
        "power_fault": values["error"],
    }
    return [code for code, holds in said.items() if holds]


DRIVER = Nut()
