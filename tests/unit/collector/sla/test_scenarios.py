# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
import tomllib
from pathlib import Path
from typing import Any

import pytest

from collector.sla.cause import Cause
from collector.sla.ledger import Ledger
from collector.sla.memory import MemoryBook
from collector.sla.parameters import Parameters, StandardTerms
from tests.unit.collector.sla.story import FIRST, SCHOOL, classes, records

FILE = Path(__file__).with_name("scenarios.toml")
SCENARIOS: list[dict[str, Any]] = tomllib.loads(FILE.read_text())["scenario"]
MANY = 2000
"""So many records are not sent one by one: that is for the bench."""


def test_there_are_as_many_scenarios_as_were_promised() -> None:
    assert len(SCENARIOS) >= 79
    assert len({scenario["name"] for scenario in SCENARIOS}) == len(SCENARIOS)
    causes = {outage["cause"] for scenario in SCENARIOS for outage in scenario.get("outages", [])}
    assert causes == {str(c) for c in Cause} - {Cause.DNS, Cause.UNKNOWN}, "names alone are no outage"


ORDERS = [
    (scenario, order)
    for scenario in SCENARIOS
    for order in ("in order", "newest first", "shuffled")
    if scenario.get("comes", order) == order
]


@pytest.mark.parametrize(("scenario", "order"), ORDERS, ids=[f"{s['name']}, {o}" for s, o in ORDERS])
def test_scenario(scenario: dict[str, Any], order: str) -> None:
    expected = classes(scenario["expect"])
    ledger = Ledger(MemoryBook(), StandardTerms(_parameters(scenario)))
    said = records(scenario)
    if order == "newest first":
        said.reverse()
    elif order == "shuffled":
        random.Random(scenario["name"]).shuffle(said)
    for batch in [said] if order == "in order" or len(said) > MANY else [[one] for one in said]:
        ledger.apply(batch)

    last = FIRST + len(expected) - 1
    assert list(ledger.book.verdicts(SCHOOL, FIRST, last).classes) == list(expected)
    found = [_outage(o) for o in ledger.book.outages(SCHOOL, FIRST, last)]
    assert found == [{"open": False, **outage} for outage in scenario.get("outages", [])]


def _parameters(scenario: dict[str, Any]) -> Parameters:
    plain = dict(scenario.get("parameters", {}))
    if "provider_causes" in plain:
        plain["provider_causes"] = frozenset(map(Cause, plain["provider_causes"]))
    return Parameters(**plain)


def _outage(outage: Any) -> dict[str, Any]:
    assert all(part.evidence for part in outage.parts), "an outage without evidence"
    return {
        "first": outage.first_slot - FIRST,
        "last": outage.last_slot - FIRST,
        "cause": outage.cause,
        "confidence": outage.confidence,
        "open": outage.is_open,
    }
