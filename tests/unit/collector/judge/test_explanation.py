# SPDX-License-Identifier: Apache-2.0
"""Is it said what a slot counts as, where that is not its class?"""

from __future__ import annotations

import pytest

from collector.contracts.book import NO_CONTRACTS
from collector.judge.explanation import explain, sentences
from collector.sla.ledger import Ledger
from collector.sla.memory import MemoryBook
from tests.unit.collector.sla.story import FIRST, SCHOOL, records


@pytest.mark.parametrize(
    ("saw", "slot", "kept", "counts_as"),
    [
        ("UUU DD UUU", 3, "down_provider", "degraded"),
        ("UUU DDD UUU", 3, "down_provider", "down_provider"),
        ("UUU DD UUU", 1, "up", "up"),
    ],
)
def test_a_short_bad_run_counts_as_degraded(saw: str, slot: int, kept: str, counts_as: str) -> None:
    ledger = Ledger(MemoryBook())
    ledger.apply(records({"saw": saw}))
    found = explain(ledger.book, SCHOOL, FIRST + slot, NO_CONTRACTS)
    assert (found["kept_class"], found["counts_as"]) == (kept, counts_as)
    lines = [line for line in sentences(found) if line.startswith("counts as")]
    assert lines == (
        ["counts as   degraded: a bad run too short for an outage is reported, not counted"]
        if kept != counts_as
        else []
    )
