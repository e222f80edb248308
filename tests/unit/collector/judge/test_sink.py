# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
import dataclasses
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path

import pytest

from agent.contract.kinds import Fields, Outage, Reach
from agent.contract.record import Record
from collector.__main__ import main
from collector.config import Config, load_config
from collector.journal import Journal
from collector.judge.placing import placed
from collector.judge.reader import VerdictReader
from collector.judge.sink import JudgeOptions, JudgeSink
from collector.moment import MAX_AHEAD_MS, TimeBasis
from collector.playback import START
from collector.replay import replay
from collector.sinks.base import Measurement, SinkUnavailable
from collector.sla.parameters import Parameters, StandardTerms
from collector.sla.slot import SLOT_MS, SlotClass, slot_of
from tests.unit.collector.samples import DEVICE, NOW_MS, SCHOOL, SESSION, batch, batch_entry, clock, record

UP = Reach(up=True, anchor_asked=10, anchor_answered=10, gateway_asked=24, gateway_answered=24)
DEAD = Reach(up=False, anchor_asked=10, anchor_answered=0, gateway_asked=24, gateway_answered=24)
START_MS = NOW_MS // SLOT_MS * SLOT_MS
FIRST = slot_of(START_MS)
GOOD_BAD = [UP] * 3 + [DEAD] * 4 + [UP] * 3
CLASSES = bytes([1, 1, 1, 3, 3, 3, 3, 1, 1, 1])


def said(fields: Iterable[Fields], first_seq: int = 1, **changes: TimeBasis) -> list[Measurement]:
    """One record a slot."""
    return [
        Measurement(
            school=SCHOOL,
            device=DEVICE,
            session=SESSION,
            record=Record(
                seq=first_seq + i,
                kind=type(f).kind,
                clock=clock(i * SLOT_MS),
                duration_ms=50_000 if isinstance(f, Reach) else 0,
                fields=f,
            ),
            at_ms=START_MS + i * SLOT_MS,
            received_ms=START_MS + i * SLOT_MS,
            backlog=False,
            **changes,
        )
        for i, f in enumerate(fields)
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "verdicts.db"


def sink_of(path: Path) -> JudgeSink:
    return JudgeSink(JudgeOptions(path=str(path)))


def content(path: Path) -> tuple[bytes, bytes, list[str]]:
    reader = VerdictReader(path)
    verdicts = reader.verdicts(SCHOOL.id, FIRST - 20, FIRST + 30)
    return *verdicts, [repr(o) for o in reader.outages(SCHOOL.id, FIRST - 20, FIRST + 30)]


async def test_records_become_classes_and_an_outage(path: Path) -> None:
    sink = sink_of(path)
    await sink.write_at(said(GOOD_BAD), "000001:9")

    reader = VerdictReader(path)
    assert reader.schools() == [SCHOOL.id]
    assert reader.verdicts(SCHOOL.id, FIRST, FIRST + 9).classes == CLASSES
    (outage,) = reader.outages(SCHOOL.id, FIRST, FIRST + 9)
    assert (outage.first_slot, outage.last_slot, outage.is_open) == (FIRST + 3, FIRST + 6, False)
    assert await sink.cursor() == "000001:9"
    await sink.close()


async def test_the_same_again_changes_nothing(path: Path) -> None:
    sink = sink_of(path)
    await sink.write(said(GOOD_BAD))
    before = content(path)
    await sink.write(said(GOOD_BAD)[::-1])

    assert content(path) == before
    await sink.close()


async def test_a_record_without_a_time_is_evidence_of_nothing_until_it_has_one(path: Path) -> None:
    sink = sink_of(path)
    await sink.write(said([UP], time_basis=TimeBasis.UNKNOWN))
    assert not any(content(path)[0])

    await sink.write(said([UP], time_basis=TimeBasis.CORRECTED))
    assert content(path)[0].count(SlotClass.UP) == 1
    await sink.close()


async def test_another_contract_judges_anew_what_is_there(path: Path) -> None:
    sink = sink_of(path)
    await sink.write(said(GOOD_BAD))
    sink.be_bound_by(StandardTerms(Parameters(open_after=5, provider_causes=frozenset())))
    await sink.cursor()

    reader = VerdictReader(path)
    assert reader.verdicts(SCHOOL.id, FIRST + 3, FIRST + 6).classes == bytes([SlotClass.DOWN_OTHER] * 4)
    assert reader.outages(SCHOOL.id, FIRST, FIRST + 9) == []
    await sink.close()


async def test_the_same_contract_again_judges_nothing(path: Path) -> None:
    sink = sink_of(path)
    await sink.write(said(GOOD_BAD))
    with sqlite3.connect(path) as db:
        db.execute("UPDATE days SET classes = zeroblob(1440)")
    sink.be_bound_by(StandardTerms(Parameters()))
    await sink.cursor()
    assert not any(content(path)[0])

    sink.be_bound_by(StandardTerms(Parameters(dns_degrades=False)))
    await sink.cursor()
    assert content(path)[0].count(SlotClass.UP) == 6
    await sink.close()


@pytest.mark.parametrize("at_ms", [0, -(2**52), 2**52, START_MS + 700_000])
def test_a_time_that_cannot_be_is_evidence_of_nothing(at_ms: int) -> None:
    (measurement,) = said([UP])
    assert placed(measurement) is not None
    assert placed(dataclasses.replace(measurement, at_ms=at_ms)) is None


def test_nothing_lasts_longer_than_until_it_arrives() -> None:
    (measurement,) = said([Outage(scope="link", outage="o", ongoing=False, cause="line")])
    endless = dataclasses.replace(measurement.record, duration_ms=2**52)
    one = placed(dataclasses.replace(measurement, record=endless))
    assert one is not None
    assert one.sighting.until_ms == START_MS + MAX_AHEAD_MS


async def test_text_that_is_none_is_kept_all_the_same(path: Path) -> None:
    sink = sink_of(path)
    await sink.write(said([Outage(scope="link", outage="\ud800", ongoing=True, cause="line")]))
    await sink.write(said([UP], first_seq=2))
    assert content(path)[0].count(SlotClass.UP) == 1
    await sink.close()


def test_a_file_that_is_none_is_named(path: Path) -> None:
    path.write_bytes(b"no database at all, but long enough to look at" * 99)
    with pytest.raises(SinkUnavailable, match=r"verdicts\.db.*move the file away"):
        asyncio.run(sink_of(path).write(said([UP])))
    with pytest.raises(SinkUnavailable, match=r"verdicts\.db"):
        VerdictReader(path).schools()


TOML = """
[mqtt]
host = "127.0.0.1"
[journal]
directory = "{folder}/journal"
[dead_letters]
directory = "{folder}/dead"
[registry]
file = "{folder}/registry.toml"
[sinks.store]
path = "{folder}/store.db"
[sinks.judge]
enabled = true
path = "{folder}/verdicts.db"
"""
REGISTRY = f"""
[[school]]
id = "{SCHOOL.id}"
[[device]]
id = "{DEVICE}"
school = "{SCHOOL.id}"
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "registry.toml").write_text(REGISTRY)
    (tmp_path / "collector.toml").write_text(TOML.format(folder=tmp_path))
    fields: list[Fields] = [*GOOD_BAD, *[DEAD] * 5]
    records = [
        record(i, clock=clock(i * SLOT_MS), duration_ms=50_000, fields=f) for i, f in enumerate(fields, 1)
    ]
    told = Outage(scope="link", outage="o", revision=0, ongoing=True, cause="line", opened_resolution_s=0.5)
    records.append(record(16, kind="outage", clock=clock(4 * SLOT_MS), duration_ms=0, fields=told))
    journal = Journal.open(tmp_path / "journal")
    for some in (records[8:], records[:4], records[4:8]):
        journal.write([batch_entry(batch(records=tuple(some), first_seq=some[0].seq))])
    journal.close()
    return load_config(tmp_path / "collector.toml", {})


def test_a_file_built_again_from_the_journal_is_equal(tmp_path: Path, config: Config) -> None:
    path = tmp_path / "verdicts.db"
    asyncio.run(replay(config, "judge", START))
    before = content(path)
    for file in tmp_path.glob("verdicts.db*"):
        file.unlink()
    asyncio.run(replay(config, "judge", START))

    assert any(before[0])
    assert content(path) == before
    asyncio.run(replay(config, "judge", START))
    assert content(path) == before


def journal_of(folder: Path, *, knows_the_time: bool) -> Config:
    """Ten minutes by a device that knows the time from the start, or only when it has sent all of them."""
    folder.mkdir()
    (folder / "registry.toml").write_text(REGISTRY)
    (folder / "collector.toml").write_text(TOML.format(folder=folder))
    journal = Journal.open(folder / "journal")
    for i, fields in enumerate(GOOD_BAD, 1):
        good = clock(i * SLOT_MS)
        bad = dataclasses.replace(good, wall_ms=i * SLOT_MS, age_s=None)
        one = record(i, clock=good if knows_the_time else bad, duration_ms=50_000, fields=fields)
        sent = dataclasses.replace(one.clock, mono_ms=one.clock.mono_ms + 55_000)
        sent_then = batch(records=(one,), first_seq=i, clock=sent)
        journal.write([batch_entry(sent_then, received_ms=NOW_MS + (i + 1) * SLOT_MS)])
    last = record(11, clock=clock(11 * SLOT_MS), duration_ms=50_000, fields=UP)
    sent_last = batch(records=(last,), first_seq=11, clock=clock(12 * SLOT_MS))
    journal.write([batch_entry(sent_last, received_ms=NOW_MS + 12 * SLOT_MS)])
    journal.close()
    return load_config(folder / "collector.toml", {})


def test_records_put_right_end_like_those_that_were_right_at_first(tmp_path: Path) -> None:
    for name, knows in (("right", True), ("put-right", False)):
        asyncio.run(replay(journal_of(tmp_path / name, knows_the_time=knows), "judge", START))

    right = content(tmp_path / "right/verdicts.db")
    assert right[0].count(SlotClass.DOWN_PROVIDER) == 4
    assert len(right[2]) == 1
    assert content(tmp_path / "put-right/verdicts.db") == right


_VERSION = """
[[contract.version]]
since = {since}
availability_ratio = 0.99
calendar = "day"
lot = [{{ id = "a", technology = "geo", schools = ["{school}"] }}]
"""
_CONTRACT = """
[[calendar]]
id = "day"
zone = "Asia/Almaty"
[[calendar.version]]
since = 2026-09-01
shift = [{ days = ["mon"], hours = "08:00-20:00" }]
[[contract]]
id = "c-1"
operator = "op"
first = 2026-09-01
last = 2027-08-31
""" + "".join(_VERSION.format(since=since, school=SCHOOL.id) for since in ("2026-09-01", "2026-09-15"))


def test_explain_names_records_rule_and_figures(
    tmp_path: Path, config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(replay(config, "judge", START))
    at = "2026-09-21T14:18:30Z"
    arguments = ["explain", SCHOOL.id, "--at", at, "--config", str(tmp_path / "collector.toml")]

    assert main(arguments) == 0
    text = capsys.readouterr().out
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)

    assert found["class"] == found["kept_class"] == "down_provider"
    assert f"rule        {found['rule']}:" in text
    assert "degraded_loss_ratio = 0.2" in text
    assert "contract    none; the standard parameters hold" in text.splitlines()
    assert "None" not in text
    assert [r["device"] for r in found["records"]] == [DEVICE] * len(found["records"])
    assert found["outage"]["id"] in text


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2026-09-21T14:18Z", "c-1, lot a, version since 2026-09-15; service time"),
        ("2026-09-21T15:00Z", "c-1, lot a, version since 2026-09-15; outside the service time"),
        ("2026-09-14T14:18Z", "c-1, lot a, version since 2026-09-01; service time"),
        ("2026-08-31T14:18Z", "none; the standard parameters hold"),
    ],
)
def test_explain_names_the_version_of_the_contract_in_force(
    tmp_path: Path, config: Config, capsys: pytest.CaptureFixture[str], at: str, said: str
) -> None:
    asyncio.run(replay(config, "judge", START))
    file = tmp_path / "collector.toml"
    (tmp_path / "contracts.toml").write_text(_CONTRACT)
    file.write_text(f'{file.read_text()}\n[contracts]\nfiles = ["{tmp_path}/contracts.toml"]\n')

    assert main(["explain", SCHOOL.id, "--at", at, "--config", str(file)]) == 0
    assert f"contract    {said}" in capsys.readouterr().out.splitlines()


def test_explain_names_the_last_that_was_heard_of_a_silent_school(
    tmp_path: Path, config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(replay(config, "judge", START))
    file = str(tmp_path / "collector.toml")

    assert main(["explain", SCHOOL.id, "--at", "2026-09-22T14:18", "--config", file, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)

    assert (found["class"], found["rule"]) == ("unknown", "silence")
    assert [r["session"] for r in found["records"]] == [SESSION]


def test_explain_says_what_it_cannot_find(
    tmp_path: Path, config: Config, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "collector.toml")
    assert main(["explain", "nowhere", "--at", "2026-09-21T14:18Z", "--config", file]) != 0
    assert "no school 'nowhere'" in capsys.readouterr().err
    assert main(["explain", SCHOOL.id, "--at", "2026-09-21T14:18Z", "--config", file]) != 0
    assert "verdicts.db" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["explain", SCHOOL.id, "--at", "yesterday", "--config", file])
    assert "'yesterday' is no time" in capsys.readouterr().err


def test_explain_needs_a_judge(tmp_path: Path, config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "collector.toml"
    file.write_text(file.read_text().partition("[sinks.judge]")[0])
    assert main(["explain", SCHOOL.id, "--at", "2026-09-21T14:18Z", "--config", str(file)]) != 0
    assert "sinks.judge: is not enabled" in capsys.readouterr().err


def test_a_version_of_the_file_that_is_not_known_is_refused(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(SinkUnavailable, match="made by another version"):
        asyncio.run(sink_of(path).cursor())
