# SPDX-License-Identifier: Apache-2.0
"""What do a device's values say of the link? A small closed vocabulary; the outage classifier reads it.

A driver never says whose fault an outage is. It says what its device sees, as one of these codes, and the
part of the way that speaks of. What lies in between is judged by whoever knows the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Part = Literal["power", "modem", "sim", "signal", "line", "operator", "router", "quota", "site"]


@dataclass(frozen=True, slots=True)
class Meaning:
    """One thing a device may know.

    Attributes:
        part: of the way, or of the site, that it speaks of.
        is_dead: whether the link cannot work while it holds; False: this part works; None: it may.
        sentence: for people.
    """

    part: Part
    is_dead: bool | None
    sentence: str


MEANINGS: dict[str, Meaning] = {
    "connected": Meaning("line", False, "the device says it is connected to the operator's network"),
    "no_signal": Meaning("signal", True, "the device hears no network at all"),
    "weak_signal": Meaning("signal", None, "the device hears the network so faintly that it may lose it"),
    "not_registered": Meaning("signal", True, "the device hears a network but is not registered"),
    "registration_denied": Meaning("operator", True, "the network refuses the device"),
    "no_address": Meaning("operator", True, "the device is registered but was given no address"),
    "sim_missing": Meaning("sim", True, "there is no SIM in the modem, or it cannot be read"),
    "sim_locked": Meaning("sim", True, "the SIM wants a PIN or PUK"),
    "modem_absent": Meaning("modem", True, "the modem is not there"),
    "modem_mute": Meaning("modem", None, "the modem does not answer on its control port"),
    "router_up": Meaning("router", False, "the router answers"),
    "router_restarted": Meaning("router", None, "the router started anew"),
    "wan_down": Meaning("line", True, "the router's interface towards the operator is down"),
    "wan_unhealthy": Meaning("line", None, "the router's own check of the way out fails"),
    "searching_sky": Meaning("signal", True, "the terminal looks for satellites"),
    "obstructed": Meaning("signal", True, "something stands between the terminal and the satellite"),
    "terminal_stowed": Meaning("modem", True, "the terminal is stowed, asleep or starting"),
    "terminal_hot": Meaning("modem", True, "the terminal has switched off because of heat"),
    "no_service": Meaning("operator", True, "the terminal sees satellites but the network serves it not"),
    "account": Meaning("quota", True, "the operator has disabled the account, or its data are used up"),
    "mains_lost": Meaning("power", None, "there is no mains; things run on a battery"),
    "battery_low": Meaning("power", None, "the battery is nearly empty"),
    "load_off": Meaning("power", True, "the controller has switched its load off"),
    "power_fault": Meaning("power", None, "the controller or UPS reports a fault"),
    "moved": Meaning("site", None, "the receiver is not where it was"),
}
"""Every code by its name."""


def told(codes: list[str]) -> str | None:
    """As a record's field `meaning`; None when the device says nothing of the link.

    Raises:
        ValueError: no such code.
    """
    if strange := set(codes) - set(MEANINGS):
        raise ValueError(f"no meaning is called {', '.join(sorted(strange))}")
    return ",".join(codes) or None
