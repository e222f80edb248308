# SPDX-License-Identifier: Apache-2.0
"""What does a Starlink terminal see of the sky and of its network? (its gRPC service at 192.168.100.1:9200)

Experimental: field numbers are those of the service as terminals describe it (API version 42); none was read
on the spot. Two requests that only ask are ever sent. Its identifier, country and position are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from agent.contract.devices import Satellite
from agent.contract.reason import Reason
from firmware_bridge.checking import checked
from firmware_bridge.meaning import told
from firmware_bridge.protocols.at_fields import name as short_name
from firmware_bridge.protocols.protobuf import BadMessage, Message, empty_within
from firmware_bridge.reading import DeviceFailed, DeviceReading

Values = dict[str, Any]

METHOD = "/SpaceX.API.Device.Device/Handle"
PORT = 9200
GET_STATUS, GET_HISTORY = empty_within(1004), empty_within(1007)
STATUS, HISTORY = 2004, 2006
_RESPONSE_STATUS = 2

_CAUSES: Mapping[int, tuple[str, str | None]] = {
    1: ("booting", "terminal_stowed"),
    2: ("stowed", "terminal_stowed"),
    3: ("thermal_shutdown", "terminal_hot"),
    4: ("no_schedule", "no_service"),
    5: ("no_satellites", "searching_sky"),
    6: ("obstructed", "obstructed"),
    7: ("no_downlink", "no_signal"),
    8: ("no_pings", "no_service"),
    9: ("actuator_activity", "searching_sky"),
    10: ("cable_test", "terminal_stowed"),
    11: ("sleeping", "terminal_stowed"),
    13: ("sky_search", "searching_sky"),
    14: ("inhibit_rf", "no_service"),
}
"""Why it is not connected: in words, and what that means."""
_DISABLED: Mapping[int, tuple[str, str]] = {
    2: ("no_account", "account"),
    3: ("too_far_from_address", "no_service"),
    4: ("in_ocean", "no_service"),
    6: ("blocked_country", "no_service"),
    7: ("data_overage", "account"),
    8: ("cell_disabled", "no_service"),
    10: ("roam_restricted", "no_service"),
    11: ("unknown_location", "no_service"),
    12: ("account_disabled", "account"),
    13: ("unsupported_version", "no_service"),
    14: ("moving_too_fast", "no_service"),
    15: ("aviation_limits", "no_service"),
    16: ("blocked_area", "no_service"),
}
"""Why the network does not serve it though it sees satellites."""
_OKAY = frozenset({None, 0, 1})
_ALERTS = {
    1: "motors_stuck",
    2: "thermal_shutdown",
    3: "thermal_throttle",
    4: "unexpected_location",
    5: "mast_not_vertical",
    6: "slow_ethernet",
    7: "roaming",
    8: "install_pending",
    9: "heating",
    10: "psu_throttle",
    11: "power_save",
    14: "beam_table_stale",
    16: "low_motor_current",
    17: "lower_signal",
    18: "slow_ethernet_100",
    19: "obstruction_map_reset",
    20: "water",
    21: "water",
    22: "upsu_slow",
    23: "no_ethernet",
}
_POWER_S = 60
STATUS_FIELDS: Mapping[str, str] = {
    "2004.1.2": "text",
    "2004.1.3": "text",
    "2004.2.1": "whole",
    "2004.1003": "real",
    "2004.1004.1": "real",
    "2004.1004.4": "real",
    "2004.1004.5": "whole",
    **{f"2004.1005.{number}": "whole" for number in range(1, 64)},
    "2004.1007": "real",
    "2004.1008": "real",
    "2004.1009": "real",
    "2004.1014.1": "whole",
    "2004.1016": "whole",
    "2004.1024": "whole",
}
HISTORY_FIELDS: Mapping[str, str] = {"2006.1": "whole", "2006.1010": "reals"}
"""All that is ever looked at or recorded, by the path of numbers and type."""


class Calls(Protocol):
    """What carries a request to the terminal and its response back."""

    @property
    def name(self) -> str:
        """What errors call it."""
        ...

    def ask(self, message: bytes) -> bytes:
        """Send `GET_STATUS` or `GET_HISTORY`.

        Raises:
            DeviceFailed: there was no response.
        """
        ...


class Starlink:
    """One terminal."""

    name: ClassVar[str] = "starlink"
    scheme: ClassVar[str] = "starlink"

    def read(self, link: Calls, device: str) -> DeviceReading:
        """Its status, and from its history what it draws.

        Raises:
            DeviceFailed: no status, or none to be believed.
        """
        status = response(link, GET_STATUS, STATUS)
        try:
            history = response(link, GET_HISTORY, HISTORY)
        except DeviceFailed:
            history = None
        return reading(status, history, device)


def response(link: Calls, request: bytes, number: int) -> Message:
    """The message of that number in the response.

    Raises:
        DeviceFailed: there is none.
    """
    try:
        envelope = Message(link.ask(request))
    except BadMessage as e:
        raise DeviceFailed(link.name, Reason.BAD_ANSWER, f"no message of protocol buffers: {e}") from e
    inner = envelope.message(number)
    if inner is None:
        said = envelope.message(_RESPONSE_STATUS)
        code = None if said is None else said.whole(1)
        raise DeviceFailed(link.name, Reason.BAD_ANSWER, f"no answer of a dish (field {number}, code {code})")
    return inner


def reading(status: Message, history: Message | None, device: str) -> DeviceReading:
    """The record of a status and, where there is one, a history."""
    state, meanings = _state(status)
    info, uptime = status.message(1), status.message(2)
    values = {
        "driver": Starlink.name,
        "model": None if info is None else short_name(info.text(2)),
        "firmware": None if info is None else short_name(info.text(3)),
        "uptime_s": None if uptime is None else uptime.whole(1),
        "alerts": _alerts(status.message(1005)),
        "ethernet_mbps": status.whole(1016) or None,
        "power_w": None if history is None else _power_w(history),
        "meaning": told(meanings),
    }
    fields, refused = checked(Satellite, {"dish": device}, values | state | _figures(status) | _view(status))
    return DeviceReading((fields,), tuple(meanings), refused)


def _state(status: Message) -> tuple[Values, list[str]]:
    """No outage is told while it is connected."""
    outage, code = status.message(1014), status.whole(1024)
    cause = None if outage is None else outage.whole(1) or 0
    if code not in _OKAY:
        said, meaning = _DISABLED.get(code or 0, (f"disabled_{code}", "no_service"))
        return {"state": "disabled", "connected": cause is None, "outage_cause": said}, [meaning]
    if cause is not None:
        said, means = _CAUSES.get(cause, (f"cause_{cause}", None))
        meanings = [means] if means else []
        return {"state": said, "connected": False, "outage_cause": said}, meanings
    if not _has_measured(status):
        return {}, []
    return {"state": "connected", "connected": True}, ["connected"]


def _has_measured(status: Message) -> bool:
    """Zeros are not sent, but a terminal whose pings all come back at once does not exist."""
    return status.real(1003) is not None or status.real(1009) is not None


def _figures(status: Message) -> Values:
    if not _has_measured(status):
        return {}
    latency_ms = status.real(1009) or 0.0
    return {
        "drop_ratio": _rounded(status.real(1003) or 0.0),
        "latency_ms": _rounded(latency_ms) if latency_ms > 0 else None,
        "down_bps": _rounded(status.real(1007) or 0.0),
        "up_bps": _rounded(status.real(1008) or 0.0),
    }


def _view(status: Message) -> Values:
    """Of the sky."""
    obstruction = status.message(1004)
    if obstruction is None:
        return {}
    return {
        "obstruction_ratio": _rounded(obstruction.real(1) or 0.0),
        "obstructed": bool(obstruction.whole(5)),
    }


def _alerts(alerts: Message | None) -> str | None:
    if alerts is None:
        return None
    said = {_ALERTS.get(number, f"alert_{number}") for number in alerts.numbers if alerts.whole(number)}
    return ",".join(sorted(said)) or None


def _power_w(history: Message) -> float | None:
    """Mean of the last minute; a ring of one figure a second, `current` counts all there ever were."""
    ring, current = history.reals(1010) or [], history.whole(1) or 0
    count = min(len(ring), current, _POWER_S)
    newest = [ring[(current - back) % len(ring)] for back in range(1, count + 1)]
    return _rounded(sum(newest) / count) if count > 0 else None


def _rounded(value: float) -> float:
    return round(value, 4)


DRIVER = Starlink()
