# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from agent.contract.devices import Modem, Power, Router, Satellite
from agent.contract.kinds import KINDS, Dns, Event, Fields, Host, Interface, Latency, Outage, Portal, Reach
from agent.contract.reason import Reason
from agent.contract.record import ClockState, Record
from collector.sla.book import Placed
from collector.sla.ledger import Ledger
from collector.sla.memory import MemoryBook
from collector.sla.sighting import (
    ALIVE,
    FACTS,
    Basis,
    Fact,
    Name,
    Round,
    Start,
    Timing,
    Told,
    Word,
    fact_of,
    holds_in,
    sight,
    tells,
)
from collector.sla.slot import SLOT_MS

SLOT = 29_000_000
UP = Reach(up=True, anchor_asked=10, anchor_answered=10)
DEAD = Reach(up=False, anchor_asked=10, anchor_answered=0, gateway_asked=24, gateway_answered=24)


def record(fields: Fields | None, *, kind: str = "", reason: str | None = None, **changes: Any) -> Record:
    plain: dict[str, Any] = {"seq": 1, "duration_ms": 0, "reason": reason} | changes
    clock = ClockState(wall_ms=SLOT * SLOT_MS, mono_ms=90_000, boot="0badcafe", age_s=1)
    return Record(kind=kind or (fields.kind if fields else "reach"), clock=clock, fields=fields, **plain)


@pytest.mark.parametrize(
    ("fields", "reason", "fact"),
    [
        (UP, None, Round(True, None, None, 10, 10)),
        (dataclasses.replace(UP, method="tcp"), None, Round(True, None, None, 10, 10)),
        (Reach(up=None, anchor_answered=1), None, Round(True, None, None, None, 1)),
        (Reach(up=None, carrier=False), Reason.NETWORK_DOWN, Round(None, carrier=False)),
        (Latency(target="1.1.1.1", rtt_median_ms=612.5), None, Timing(612.5)),
        (Latency(target="1.1.1.1", rtt_median_ms=612.5, loaded=True), None, ALIVE),
        (Latency(target="gateway", rtt_median_ms=0.4), None, ALIVE),
        (Latency(target="1.1.1.1"), Reason.TIMEOUT, ALIVE),
        (Dns(target="10.0.0.1", lookup_ms=12.0), None, Name(was_answered=True)),
        (Dns(target="10.0.0.1", rcode=2), Reason.DNS_SERVER_FAILURE, Name(was_answered=True)),
        (Dns(target="10.0.0.1"), Reason.TIMEOUT, Name(was_answered=False)),
        (Dns(target="10.0.0.1"), Reason.NETWORK_DOWN, ALIVE),
        (Portal(target="http://x/", verdict="open"), None, Word("portal:http://x/", ())),
        (Portal(target="http://x/", verdict="portal"), None, Word("portal:http://x/", ("portal",))),
        (Portal(target="http://x/", verdict="quota"), None, Word("portal:http://x/", ("quota",))),
        (Portal(target="http://x/"), Reason.TIMEOUT, ALIVE),
        (Host(undervoltage=True), None, Word("host", ("undervoltage",))),
        (Host(undervoltage=False), None, Word("host", ())),
        (Host(), None, ALIVE),
        (Modem(port="m", meaning="no_signal,moved"), None, Word("modem:m", ("moved", "no_signal"))),
        (Modem(port="m"), Reason.NOT_PRESENT, Word("modem:m", ("modem_absent",))),
        (Modem(port="m"), Reason.TIMEOUT, ALIVE),
        (Router(router="r", meaning="router_up"), None, Word("router:r", ("router_up",))),
        (Satellite(dish="d"), None, Word("satellite:d", ())),
        (Power(controller="c", mains_present=False), None, Word("power:c", ("mains_lost",))),
        (Power(controller="c", mains_present=True, low_battery=True, load_on=False), None,
         Word("power:c", ("battery_low", "load_off"))),
        (Event(event="agent_started", lasted_s=60.5), None, Start("agent_started", 60_500)),
        (Event(event="unclean_shutdown", subject="agent killed"), None, Start("unclean_shutdown", None)),
        (Event(event="unclean_shutdown", subject="power cut or reset"), None, Start("power_cut", None)),
        (Event(event="power_cut", lasted_s=300.0), None, Start("power_cut", 300_000)),
        (Event(event="clock_step", step_ms=5), None, ALIVE),
        (Outage(scope="link", outage="o", revision=2, ongoing=False, cause="line", opened_resolution_s=0.5),
         None, Told("link", "o", 2, "line", True, 0.5, None)),
        (Outage(scope="dns", ongoing=None), None, Told("dns", "0badcafe-90000", 0, None, False, None, None)),
        (Interface(interface="eth0", source="host"), None, ALIVE),
        (None, Reason.OVERRAN, ALIVE),
    ],
)  # fmt: skip
def test_a_record_says_one_thing(fields: Fields | None, reason: str | None, fact: Fact) -> None:
    found = fact_of(record(fields, reason=reason))
    assert (type(found), found) == (type(fact), fact)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_failure_without_a_figure_is_only_a_sign_of_life(kind: str) -> None:
    assert fact_of(record(None, kind=kind, reason=Reason.INTERNAL)) is ALIVE


def test_a_kind_that_is_not_known_yet_is_a_sign_of_life() -> None:
    assert fact_of(record(None, kind="tomorrow", reason=Reason.INTERNAL)) is ALIVE


def test_few_facts_matter_where_an_anchor_answered() -> None:
    assert len(FACTS) == 7
    telling: list[Fact] = [Round(up=True), Timing(5.0), Name(was_answered=True)]
    assert all(tells(fact) for fact in telling)
    assert tells(Word("portal:x", ("portal",)))
    assert not tells(Word("modem:x", ("account", "no_signal")))
    assert not tells(ALIVE)


@pytest.mark.parametrize(
    ("after_ms", "lasting_ms", "slot"),
    [
        (0, 50_000, 0),  # 0 … 50 s
        (34_000, 50_000, 0),  # 34 … 84 s: its middle is at 59 s
        (36_000, 50_000, 1),  # 36 … 86 s: its middle is at 61 s
        (59_999, 0, 0),
    ],
)
def test_a_round_is_of_the_slot_in_which_its_middle_lies(after_ms: int, lasting_ms: int, slot: int) -> None:
    at_ms = SLOT * SLOT_MS + after_ms
    assert sight("d", "s", record(UP, duration_ms=lasting_ms), at_ms, Basis.CLOCK).slot == SLOT + slot


def test_a_word_holds_as_long_as_until_it_would_be_said_again() -> None:
    def held(fields: Fields) -> int:
        return holds_in(sight("d", "s", record(fields), SLOT * SLOT_MS + 20_000, Basis.CLOCK)) - SLOT

    assert held(Modem(port="m", meaning="no_signal")) == 1  # 20 s + 100 s = 120 s, which is slot 2 no more
    assert held(Power(controller="c", mains_present=False)) == 6  # 20 s + 360 s
    assert held(Portal(target="x", verdict="portal")) == 15  # 20 s + 900 s


def classes_of(*rounds: tuple[int, Reach]) -> list[int]:
    """Classes of slots 0 … 4, from rounds of 50 s that begin some milliseconds after slot 0."""
    ledger = Ledger(MemoryBook())
    for seq, (after_ms, fields) in enumerate(rounds, 1):
        at_ms = SLOT * SLOT_MS + after_ms
        said = record(fields, seq=seq, duration_ms=50_000)
        ledger.apply([Placed("school", sight("d", "s", said, at_ms, Basis.CLOCK))])
    return list(ledger.book.verdicts("school", SLOT, SLOT + 4).classes)


def test_rounds_at_the_border_leave_no_hole_when_their_times_tremble() -> None:
    # Middles at 59.9 s, 120.1 s, 179.9 s, 240.1 s: slots 0, 2, 2, 4; 1 and 3 lie in rounds all the same.
    assert classes_of((34_900, UP), (95_100, UP), (154_900, UP), (215_100, UP)) == [1, 1, 1, 1, 1]


def test_a_slot_without_a_round_is_judged_by_the_one_that_reaches_further_into_it() -> None:
    # 10 … 60 s, then 110 … 160 s: the first ends where slot 1 begins, the second has its last 10 s.
    assert classes_of((10_000, UP), (110_000, DEAD))[:3] == [1, 3, 3]
    # 9.999 s are too little to speak for a slot.
    assert classes_of((10_000, UP), (110_001, DEAD))[:3] == [1, 0, 3]
