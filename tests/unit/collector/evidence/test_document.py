# SPDX-License-Identifier: Apache-2.0
"""Does docs/reports.md say what bundles, tables and pages really hold?"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from collector.evidence.close import Closed
from collector.evidence.extract import LEAD_MS
from collector.reports.catalogue import words
from collector.reports.compare import LEAST_RANKED
from collector.reports.tables import COLUMNS
from collector.sla.slot import SLOT_S, SlotClass
from tests.unit.collector.evidence.world import november

TEXT = Path("docs/reports.md").read_text()


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Closed:
    return november(tmp_path_factory.mktemp("november")).close()


def test_every_path_of_a_bundle_is_in_the_document_and_the_other_way_round(closed: Closed) -> None:
    section = TEXT[TEXT.index("## What a bundle holds") : TEXT.index("## Revisions")]
    named = {
        name.rstrip("/")
        for line in section.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([^`]+)`", line.split("|")[1])
    }
    here = {p.name for p in closed.folder.iterdir()}

    assert len(here) >= 10
    assert named == here | {"previous"}


def test_every_column_that_the_document_names_is_there() -> None:
    columns = {column for each in COLUMNS.values() for column in each}
    prefixes = re.findall(r"`(\w+)_…`", TEXT)
    shares = re.findall(r"^\| `(\w+)`", TEXT, re.MULTILINE)

    assert len(prefixes) == 4
    assert [p for p in prefixes if f"{p}_good_minutes" not in columns] == []
    assert [
        s for s in ("availability", "pupils_availability", "coverage", "lower", "upper") if s not in TEXT
    ] == []
    assert {f"service_{s}_ratio" for s in ("availability", "coverage", "lower", "upper")} <= columns
    assert len(shares) >= 3


def test_words_and_numbers_of_the_document_are_the_programs() -> None:
    assert all(
        f"| {words('en').say(f'verdict.{key}')} |" in TEXT
        for key in ("met", "breached", "indeterminate", "not_agreed")
    )
    assert f"{SLOT_S} seconds" in TEXT
    assert LEAD_MS == 7 * 86_400_000
    assert "seven days before" in TEXT
    assert (LEAST_RANKED, "fewer than five schools" in TEXT) == (5, True)
    classes = ", ".join(f"{c.value} {c.name.lower()}" for c in SlotClass)
    assert classes in TEXT
