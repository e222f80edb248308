# SPDX-License-Identifier: Apache-2.0
"""Is a month closed as what it was, once, and only followed when something is otherwise?"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from collector.contracts.ledger import add
from collector.evidence.audit import audit
from collector.evidence.close import Closed, close
from collector.evidence.difference import expand
from collector.sla.exclusion import Act, Exclusion, ExclusionType, Scope, ScopeKind, Verb
from collector.sla.slot import SLOT_MS
from tests.unit.collector.evidence.world import MONTH, MORNINGS_MS, OUTAGE, SCHOOLS, World, november


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Closed:
    return november(tmp_path_factory.mktemp("november")).close()


def figures(closed: Closed) -> dict[str, Any]:
    return {s["school"]: s for s in json.loads((closed.folder / "figures.json").read_bytes())["schools"]}


def test_each_school_has_the_verdict_that_its_minutes_make(closed: Closed) -> None:
    """Of 240 slots 2.4 may be lost. kz-2 lost 20, so 220 of 240; of kz-3 120 are not known."""
    found = figures(closed)
    counts = {
        name: found[name]["figures"]["counted"]["service"]["counts"] for name in ("kz-1", "kz-2", "kz-3")
    }

    assert counts["kz-1"] == {"up": 240, "degraded": 0, "down_provider": 0, "down_other": 0, "unknown": 0}
    assert counts["kz-2"] == {"up": 220, "degraded": 0, "down_provider": 20, "down_other": 0, "unknown": 0}
    assert counts["kz-3"] == {"up": 120, "degraded": 0, "down_provider": 0, "down_other": 0, "unknown": 120}
    assert found["kz-4"]["figures"] is None
    assert found["kz-4"]["always"]["up"] == 240


def test_the_outage_is_there_with_its_cause_and_the_records_that_prove_it(closed: Closed) -> None:
    every = json.loads((closed.folder / "figures.json").read_bytes())["outages"]
    (outage,) = [o for o in every if o["slot_class"] == "down_provider"]
    first = MORNINGS_MS[0] // SLOT_MS + OUTAGE[0]

    assert outage["id"] == f"kz-2/{first}"
    assert (outage["began_ms"], outage["ended_ms"]) == (first * SLOT_MS, (first + 20) * SLOT_MS)
    assert (outage["service_minutes"], outage["wall_minutes"]) == (20, 20)
    assert {o["service_minutes"] for o in every if o is not outage} == {0}
    assert any(one.startswith("kz-2-pi/0000000000000001/") for one in outage["evidence"])


def test_tests_and_round_trips_are_counted(closed: Closed) -> None:
    """Forty tests a morning, four of which, at the half hours, miss 8 Mbit/s: 72 of 80."""
    down = figures(closed)["kz-1"]["figures"]["counted"]["down"]
    latency = figures(closed)["kz-1"]["figures"]["counted"]["versions"][0]["latency"]["idle"]

    assert (down["valid"], down["reached"], down["tests_min"]) == (80, 72, 60)
    assert Fraction(down["target"]) == Fraction(4, 5)
    assert down["verdict"] == "MET"
    assert (latency["slots"], latency["sent"], latency["lost"], latency["rtt_verdict"]) == (
        240,
        2400,
        0,
        "MET",
    )


def test_a_bundle_holds_evidence_configuration_figures_pages_and_tables(closed: Closed) -> None:
    paths = {line.path for line in closed.manifest.files}

    assert closed.manifest.name == "2026-11/rev1"
    assert closed.folder.name == "rev1"
    for path in ("journal/000001.journal", "journal/checkpoints.jsonl", "journal/keys.json", "figures.json",
                 "configuration/registry.toml", "configuration/contracts-001.toml", "slots.json",
                 "report.en.html", "report.ru.html", "report.kk.html", "csv/schools.csv"):  # fmt: skip
        assert path in paths
    assert {p.name for p in closed.folder.parent.iterdir()} == {"rev1"}


def test_the_slots_of_the_month_are_kept_as_they_were_judged(closed: Closed) -> None:
    slots = json.loads((closed.folder / "slots.json").read_bytes())
    classes = expand(slots["kz-2"]["runs"])

    assert len(classes) == 30 * 1440
    assert (classes.count(1), classes.count(3)) == (220, 20)


def test_closing_again_without_anything_new_makes_no_revision(tmp_path: Path) -> None:
    world = november(tmp_path)
    first = world.close()
    again = world.close()

    assert (first.is_new, again.is_new) == (True, False)
    assert again.manifest == first.manifest
    assert [p.name for p in (world.reports / "2026-11").iterdir()] == ["rev1"]


def test_what_comes_later_of_another_month_makes_no_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = november(tmp_path)
    world.close()
    december = 30 * 86_400_000
    monkeypatch.setattr(
        "tests.unit.collector.evidence.world.MORNINGS_MS", tuple(m + december for m in MORNINGS_MS)
    )
    world.tell("kz-1", 0)

    assert not world.close().is_new


def test_late_data_makes_the_next_revision_and_says_what_is_otherwise(tmp_path: Path) -> None:
    """Tuesday of kz-3 comes two days late: 120 slots become known."""
    world = november(tmp_path)
    first = world.close()
    world.tell("kz-3", 1, delay_ms=2 * 86_400_000)
    second = world.close()

    said = {(c.school, c.what): (c.before, c.after) for c in second.changes}
    assert second.manifest.name == "2026-11/rev2"
    assert {c.school for c in second.changes if c.what == "records"} == {"kz-3"}
    assert said["kz-3", "slots 2026-11-03T03:00:00Z +120 min"] == ("unknown", "up")
    assert said["kz-3", "figures.counted.service.counts.unknown"] == ("120", "0")
    assert figures(second)["kz-3"]["figures"]["counted"]["service"]["counts"]["up"] == 240
    assert "slots 2026-11-03T03:00:00Z +120 min" in (second.folder / "report.kk.html").read_text()
    assert audit(first.folder).faults == []
    assert audit(second.folder).faults == []
    assert not world.close().is_new


def test_another_contract_makes_the_next_revision_too(tmp_path: Path) -> None:
    world = november(tmp_path)
    world.close()
    contracts = tmp_path / "contracts.toml"
    contracts.write_text(
        contracts.read_text().replace("availability_ratio = 0.99", "availability_ratio = 0.9")
    )
    second = world.close()

    said = {(c.school, c.what): (c.before, c.after) for c in second.changes}
    assert ("", "configuration/contracts-001.toml") in said
    assert said["kz-2", "figures.counted.service.target"] == ("99/100", "9/10")
    assert audit(second.folder).faults == []


def test_the_same_evidence_gives_the_same_bundle_byte_for_byte(tmp_path: Path) -> None:
    world = november(tmp_path)
    one, other = (close(world.sources(), MONTH, tmp_path / name) for name in ("one", "other"))

    paths = ["manifest.json", "manifest.sig", *(line.path for line in one.manifest.files)]
    assert len(paths) >= 40
    assert [p for p in paths if (one.folder / p).read_bytes() != (other.folder / p).read_bytes()] == []


def test_the_hash_of_the_data_is_of_what_was_said_and_not_of_how_it_was_kept(tmp_path: Path) -> None:
    world = november(tmp_path / "late")
    world.tell("kz-3", 1, delay_ms=86_400_000)
    in_time = World(tmp_path / "in-time")
    for morning in (0, 1):
        for school in SCHOOLS:
            in_time.tell(school, morning)

    assert world.close().manifest.data_sha256 == in_time.close().manifest.data_sha256


def test_a_journal_that_does_not_verify_closes_nothing(tmp_path: Path) -> None:
    world = november(tmp_path)
    segment = world.journal / "000001.journal"
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 1
    segment.write_bytes(bytes(content))

    with pytest.raises(Exception, match="the journal does not verify"):
        world.close()
    assert not list((world.reports / "2026-11").iterdir())


def test_a_month_of_which_nothing_is_known_can_be_closed(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.tell("kz-4", 0)
    closed = world.close()

    assert figures(closed)["kz-1"]["figures"]["counted"]["service"]["counts"]["unknown"] == 240
    assert audit(closed.folder).faults == []


def test_a_school_that_changes_contracts_has_a_line_for_each(tmp_path: Path) -> None:
    """kz-1 is under the first contract on Monday and under the other on Tuesday: 120 slots each."""
    world = november(tmp_path)
    contracts = tmp_path / "contracts.toml"
    text = contracts.read_text().replace("last = 2026-11-03", "last = 2026-11-02")
    second = text[text.index("[[contract]]") :].replace("kz-2026-1", "kz-2026-2")
    second = second.replace("first = 2026-11-02\nlast = 2026-11-02", "first = 2026-11-03\nlast = 2026-11-03")
    contracts.write_text(text + second)
    closed = world.close()

    lines = [
        (s["figures"]["contract"], s["figures"]["counted"]["service"]["counts"]["up"])
        for s in json.loads((closed.folder / "figures.json").read_bytes())["schools"]
        if s["school"] == "kz-1"
    ]
    assert lines == [("kz-2026-1", 120), ("kz-2026-2", 120)]
    assert audit(closed.folder).faults == []
    assert "kz-1, kz-2026-2" in (closed.folder / "report.en.html").read_text()


def exclude(tmp_path: Path, name: str, first_ms: int, minutes: int) -> None:
    """One person proposes an exclusion for kz-2, another approves it."""
    proposed = Exclusion(
        id=name,
        type=ExclusionType.POWER,
        scope=Scope(kind=ScopeKind.SITE, name="kz-2"),
        from_ms=first_ms,
        to_ms=first_ms + minutes * SLOT_MS,
        declared_at_ms=first_ms,
        declared_by="aigul",
        reason="the transformer burnt",
    )
    ledger = tmp_path / "exclusions.jsonl"
    add(ledger, Act(verb=Verb.PROPOSE, id=name, by="aigul", at_ms=first_ms, proposed=proposed), "aigul")
    add(ledger, Act(verb=Verb.APPROVE, id=name, by="dmitri", at_ms=first_ms + 1), "dmitri")


def test_an_exclusion_makes_a_revision_with_both_results_and_one_of_another_month_does_not(
    tmp_path: Path,
) -> None:
    """Twenty of the 240 minutes of kz-2 are excluded: 220 of 220 with, 220 of 240 without."""
    world = november(tmp_path)
    world.close()
    exclude(tmp_path, "x-1", MORNINGS_MS[0] + OUTAGE[0] * SLOT_MS, 20)
    second = world.close()
    exclude(tmp_path, "x-2", MORNINGS_MS[0] + 40 * 86_400_000, 20)

    found = figures(second)["kz-2"]["figures"]
    assert second.manifest.name == "2026-11/rev2"
    assert found["counted"]["service"]["counts"]["down_provider"] == 0
    assert found["everything"]["service"]["counts"]["down_provider"] == 20
    assert '"x-1"' in (second.folder / "csv" / "exclusions.csv").read_text(encoding="utf-8-sig")
    assert audit(second.folder).faults == []
    assert not world.close().is_new


def test_a_record_that_claims_years_does_not_make_years_of_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its device says that a round of questions took 300 years; the month has its minutes all the same."""
    monkeypatch.setattr("tests.unit.collector.evidence.world.LASTED_MS", 300 * 365 * 86_400_000)
    world = World(tmp_path)
    world.tell("kz-1", 0)
    closed = world.close()

    assert figures(closed)["kz-1"]["figures"]["counted"]["service"]["counts"]["unknown"] <= 240
    assert audit(closed.folder).faults == []
