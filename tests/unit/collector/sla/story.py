# SPDX-License-Identifier: Apache-2.0
"""How does a scenario of `scenarios.toml` become records, as a device would have sent them?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from agent.contract.devices import Modem, Power, Router, Satellite
from agent.contract.kinds import Event, Fields, Host, Latency, Outage, Portal, Reach
from agent.contract.record import ClockState, Record
from collector.sla.book import Placed
from collector.sla.sighting import Basis, sight
from collector.sla.slot import DAY_SLOTS, SLOT_MS, SlotClass

SCHOOL = "school-1"
FIRST = 20_000 * DAY_SLOTS - 5
"""Slot 0 of a scenario; midnight comes soon."""

CLASSES = {"?": 0, "u": 1, "d": 2, "p": 3, "o": 4}
ROUND_MS = 50_000

_WELL = {
    "up": True, "anchors": 3, "anchors_up": 3, "anchor_asked": 10, "anchor_answered": 10,
    "gateway_asked": 24, "gateway_answered": 24, "dns_asked": 1, "dns_answered": 1,
    "route": True, "carrier": True,
}  # fmt: skip
_DEAD = {"up": False, "anchors_up": 0, "anchor_answered": 0, "dns_answered": 0}
_UNASKED = {
    "up": None, "anchors_up": None, "anchor_asked": 0, "anchor_answered": None,
    "gateway_asked": 0, "gateway_answered": None, "dns_asked": 0, "dns_answered": None,
}  # fmt: skip
_NO_GATEWAY = {"gateway_asked": None, "gateway_answered": None}
_SEEN: dict[str, dict[str, Any]] = {
    "U": {},
    "M": {},
    "D": _DEAD,
    "d": {**_DEAD, "dns_answered": 1},
    "G": {**_DEAD, "gateway_answered": 0},
    "L": {"anchor_answered": 4},
    "o": {"anchors_up": 2, "anchor_answered": 7},
    "N": {"dns_answered": 0},
    "C": {**_UNASKED, "carrier": False, "route": False},
    "R": {**_UNASKED, "route": False},
    "A": {**_UNASKED, "anchors": 0},
    "q": {"gateway_answered": 0},
    "w": _NO_GATEWAY,
    "W": {**_DEAD, **_NO_GATEWAY},
}


def spelled(text: str) -> str:
    """One letter a slot."""
    return re.sub(r"(\S)\*(\d+)", lambda m: m[1] * int(m[2]), text).replace(" ", "")


def classes(text: str) -> bytes:
    """Classes by their letters."""
    return bytes(SlotClass(CLASSES[letter]) for letter in spelled(text))


def records(scenario: dict[str, Any]) -> list[Placed]:
    """Everything that the devices said, in the order of time."""
    first = _Device("pi-1", "1", spelled(scenario["saw"]), scenario.get("starts", []))
    said = list(first.rounds())
    for words in scenario.get("words", []):
        said += [first.says(_word(words), slot, 20_000) for slot in words["slots"]]
    for rtt in scenario.get("rtt", []):
        timing = Latency(target="1.1.1.1", rtt_median_ms=rtt["ms"], loaded=rtt["loaded"], received=10)
        said.append(first.says(timing, rtt["slot"], 10_000))
    for told in scenario.get("told", []):
        said.append(first.says(_told(told), told["first"], 0, (told["last"] - told["first"] + 1) * SLOT_MS))
    if "saw2" in scenario:
        said += _Device("pi-2", "2", spelled(scenario["saw2"]), []).rounds()
    return said


@dataclass
class _Device:
    """One device and its life; each slot takes a number for its round, other records have some far beyond."""

    name: str
    digit: str
    saw: str
    starts: list[dict[str, Any]]
    numbers: dict[tuple[int, int], int] = field(default_factory=dict)

    def rounds(self) -> Iterator[Placed]:
        """Starts and rounds."""
        for start in self.starts:
            yield from self._start(start)
        for slot, letter in enumerate(self.saw):
            if letter in _SEEN:
                yield self.says(
                    Reach(**{**_WELL, **_SEEN[letter]}), slot, 5000, ROUND_MS, seq=self._number(slot)
                )

    def says(self, fields: Fields, slot: int, after_ms: int, lasting_ms: int = 0, *, seq: int = 0) -> Placed:
        """One record that begins some time after its slot does."""
        at_ms = (FIRST + slot) * SLOT_MS + after_ms
        start = self._start_of(slot)
        life = self.starts.index(start) + 1 if start else 0
        boots = sum(s["boot"] == "new" for s in self.starts[:life])
        skipped = self.saw.count("j", 0, slot) * SLOT_MS
        clock = ClockState(
            wall_ms=at_ms,
            mono_ms=at_ms - self._booted_ms(life) - skipped,
            boot=f"{self.digit}{boots:07x}",
            age_s=5,
        )
        session = f"{self.digit}{life:015x}"
        record = Record(
            seq=seq or self._number(slot),
            kind=fields.kind,
            clock=clock,
            duration_ms=lasting_ms,
            fields=fields,
        )
        school = "elsewhere" if self.saw[slot : slot + 1] == "M" else SCHOOL
        return Placed(school, sight(self.name, session, record, at_ms, Basis.CLOCK))

    def _number(self, slot: int) -> int:
        """Thousands a session; a slot that was lived through takes one for its round, words more."""
        start = self._start_of(slot)
        begin = start["slot"] if start else 0
        lived = slot - begin - self.saw.count("x", begin, slot) - self.saw.count("j", begin, slot)
        extra = self.numbers[begin, slot] = self.numbers.get((begin, slot), -1) + 1
        return 3 + lived + extra * 100_000

    def _start(self, start: dict[str, Any]) -> Iterator[Placed]:
        if start["event"] == "lost":
            return
        lasted_s = start["away"] * 60 if "away" in start else None
        unclean = {"power_cut": "power cut or reset", "killed": "agent killed"}.get(start["event"])
        if unclean is not None:
            event = Event(event="unclean_shutdown", subject=unclean, lasted_s=lasted_s)
            yield self.says(event, start["slot"], 1000, seq=1)
        yield self.says(Event(event="agent_started", lasted_s=lasted_s), start["slot"], 1000, seq=2)

    def _start_of(self, slot: int) -> dict[str, Any] | None:
        return next((s for s in reversed(self.starts) if s["slot"] <= slot), None)

    def _booted_ms(self, life: int) -> int:
        """A boot takes the device a second less than it takes to be heard of."""
        boots = [s["slot"] for s in self.starts[:life] if s["boot"] == "new"]
        return (FIRST + boots[-1]) * SLOT_MS if boots else (FIRST - 600) * SLOT_MS


def _word(words: dict[str, Any]) -> Fields:
    codes = words["codes"]
    meaning = ",".join(codes) or None
    if words["kind"] == "portal":
        verdict = codes[0] if codes else "open"
        return Portal(target="http://x/", verdict=verdict)
    if words["kind"] == "host":
        return Host(undervoltage=bool(codes))
    made: dict[str, Fields] = {
        "modem": Modem(port="lte", meaning=meaning),
        "router": Router(router="r", meaning=meaning),
        "satellite": Satellite(dish="d", meaning=meaning),
        "power": Power(controller="c", meaning=meaning),
    }
    return made[words["kind"]]


def _told(told: dict[str, Any]) -> Outage:
    return Outage(
        scope=told.get("scope", "link"),
        outage="o",
        revision=2,
        ongoing=False,
        cause=told["cause"],
        opened_resolution_s=0.5,
        closed_resolution_s=0.25,
    )
