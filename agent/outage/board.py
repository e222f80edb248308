# SPDX-License-Identifier: Apache-2.0
"""What did the devices say last that speaks of the link? Written by probes, looked at by the watch.

What is older than `_FRESH_S` is not believed: a modem that was registered two minutes ago proves nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

from agent.outage.evidence import Modem, Sight, gravest
from firmware_bridge.meaning import MEANINGS

_FRESH_S = 100.0
_SEEN_AS: dict[Modem, frozenset[str]] = {
    "account": frozenset({"account"}),
    "sim": frozenset({"sim_missing", "sim_locked"}),
    "absent": frozenset({"modem_absent", "terminal_stowed", "terminal_hot"}),
    "denied": frozenset({"registration_denied", "no_address", "no_service"}),
    "offline": frozenset({"no_signal", "not_registered", "searching_sky", "obstructed", "wan_down"}),
    "connected": frozenset({"connected"}),
}
"""Codes by what the watch is told; of several the gravest."""
_NO_POWER = frozenset({"mains_lost", "load_off"})


class Board:
    """The newest codes of each device; any thread may write and look."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._lock = threading.Lock()
        self._told: dict[str, tuple[float, frozenset[str]]] = {}

    def note(self, device: str, meanings: Sequence[str]) -> None:
        """A device said this just now; nothing, where it said nothing of the link.

        Raises:
            KeyError: no such code.
        """
        codes = frozenset(code for code in meanings if MEANINGS[code].sentence)
        with self._lock:
            self._told[device] = self._now_s(), codes

    def look(self) -> Sight:
        """What that means for the watch."""
        since_s = self._now_s() - _FRESH_S
        with self._lock:
            fresh = [codes for at_s, codes in self._told.values() if at_s >= since_s]
        known = frozenset[str]().union(*fresh)
        return Sight(modem=_seen(fresh), power="lost" if known & _NO_POWER else None)


def _seen(devices: Sequence[frozenset[str]]) -> Modem | None:
    """What the devices of one probe say together: one that is connected will do."""
    seen = [_seen_as(codes) for codes in devices]
    return "connected" if "connected" in seen else gravest(seen)


def _seen_as(codes: frozenset[str]) -> Modem | None:
    return gravest(modem for modem, those in _SEEN_AS.items() if those & codes)


@runtime_checkable
class AsksDevices(Protocol):
    """A probe that writes what its devices say on a board of its own."""

    @property
    def board(self) -> Board:
        """Its board."""
        ...
