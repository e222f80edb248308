# SPDX-License-Identifier: Apache-2.0
"""Is each message of a group stored, refused or counted, and each record once?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract import topics
from agent.contract.codec import decode_ack, decode_batch, encode
from agent.contract.kinds import Host
from agent.contract.ranges import RangeSet
from agent.contract.record import record_from_plain
from collector.admission import MAX_RECORDS, admit
from collector.condition import Condition
from collector.coverage import advance
from collector.errors import JournalUnavailable
from collector.intake import Intake
from collector.message import Message
from collector.playback import Playback
from collector.registry import Placement, Registry
from tests.unit.collector import samples
from tests.unit.collector.samples import DEVICE, NOW_MS, SCHOOL, batch, clock, message, record


@pytest.fixture
def intake(tmp_path: Path) -> Iterator[Intake]:
    made = samples.intake(tmp_path)
    yield made
    made.journal.close()


def stored(directory: Path) -> list[int]:
    """Sequence numbers of the records that a consumer would see."""
    return [
        record.seq
        for entry in Playback(directory / "journal").read(at_most=10**6).entries
        for record in decode_batch(entry.payload).batch.records
        if record.seq in RangeSet(entry.new)
    ]


def letters(directory: Path) -> list[str]:
    return [
        json.loads(line)["reason"]
        for file in (directory / "dead").glob("*")
        for line in file.read_text().splitlines()
    ]


def test_a_batch_is_stored_as_received_then_acknowledged(intake: Intake, tmp_path: Path) -> None:
    (answer,) = intake.take([message(batch([1, 2, 3]))])

    assert decode_ack(answer.payload).up_to_seq == 3
    assert samples.payloads(tmp_path / "journal") == [encode(batch([1, 2, 3]))]
    assert (intake.health.records_accepted, intake.health.journal_entries) == (3, 1)


def test_how_a_device_is_follows_its_live_batches(intake: Intake) -> None:
    def told(seq: int, waiting: int, **changes: Any) -> Message:
        made = record(seq, kind="host", fields=Host(spool_records=waiting))
        return message(batch(records=(made,), first_seq=seq, **changes))

    intake.take([told(5, 40, clock=clock(age_s=None)), told(1, 9000, backlog=True)])
    assert intake.health.conditions == {DEVICE: Condition(clock_age_s=None, host=Host(spool_records=40))}

    intake.take([message(batch([6]))])
    assert intake.health.conditions == {DEVICE: Condition(clock_age_s=5, host=Host(spool_records=40))}


def test_what_each_message_cost_is_told(intake: Intake) -> None:
    costs: list[tuple[str, float]] = []
    intake.charge = lambda topic, cpu_s: costs.append((topic, cpu_s))
    heavy = message(batch(range(1, MAX_RECORDS + 1)))
    intake.take([message(b"nonsense"), heavy])

    assert [topic for topic, _ in costs] == [heavy.topic] * 2
    assert 0 <= costs[0][1] < costs[1][1]


def test_a_batch_that_comes_again_is_acknowledged_again_and_not_stored(
    intake: Intake, tmp_path: Path
) -> None:
    intake.take([message(batch([1, 2, 3]))])
    answers = intake.take([message(batch([1, 2, 3])), message(batch([2, 3, 4]))])

    assert decode_ack(answers[0].payload).up_to_seq == 4
    assert stored(tmp_path) == [1, 2, 3, 4]
    assert intake.health.records_duplicate == 5


def test_a_batch_twice_in_one_group_is_stored_once(intake: Intake, tmp_path: Path) -> None:
    intake.take([message(batch([1, 2])), message(batch([1, 2]))])

    assert stored(tmp_path) == [1, 2]


@given(st.lists(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 8)), max_size=5), max_size=6))
def test_each_record_is_stored_once_whatever_is_sent(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[tuple[int, int]]]
) -> None:
    directory = tmp_path_factory.mktemp("intake")
    for group in groups:
        made = samples.intake(directory)
        made.take([message(batch(range(low, low + count))) for low, count in group])
        made.journal.close()
    sent = {seq for group in groups for low, count in group for seq in range(low, low + count)}

    assert sorted(stored(directory)) == sorted(sent) if groups else True


def test_numbers_a_device_dropped_are_acknowledged_and_counted(intake: Intake) -> None:
    made = batch([5, 9], first_seq=1, last_seq=12)
    (answer,) = intake.take([message(made)])

    assert decode_ack(answer.payload).up_to_seq == 12
    assert intake.health.records_dropped_by_agents == 10


def test_a_question_is_answered_without_an_entry(intake: Intake) -> None:
    intake.take([message(batch([1, 2]))])
    (answer,) = intake.take([message(batch([], first_seq=3))])

    assert decode_ack(answer.payload).up_to_seq == 2
    assert intake.health.journal_entries == 1


def test_a_record_nobody_understands_is_acknowledged_and_put_aside_once(
    intake: Intake, tmp_path: Path
) -> None:
    plain = json.loads(encode(batch([1, 2]), "json"))
    plain["records"][0]["fields"]["up"] = "perhaps"
    payload = json.dumps(plain).encode()

    answers = [intake.take([message(payload)])[0] for _ in range(2)]

    assert [decode_ack(answer.payload).up_to_seq for answer in answers] == [2, 2]
    assert letters(tmp_path) == ["record"]
    assert (intake.health.records_refused, intake.health.records_dropped_by_agents) == (1, 0)


def test_a_refused_message_is_put_aside_and_not_acknowledged(intake: Intake, tmp_path: Path) -> None:
    made = [message(b"?"), message(batch(device="kz-2"), topics.up("kz-2")), message(b"{}", "sp/1/0/x/up")]

    assert intake.take(made) == []
    assert sorted(letters(tmp_path)) == ["bad_topic", "not_decodable", "unknown_device"]
    assert intake.health.messages_refused == {"bad_topic": 1, "not_decodable": 1, "unknown_device": 1}


def test_a_device_in_a_drawer_is_acknowledged_and_its_records_put_aside(tmp_path: Path) -> None:
    registry = Registry.of([SCHOOL], [Placement(device=DEVICE, school=SCHOOL.id, from_ms=2**45)])
    made = samples.intake(tmp_path, registry)

    (answer,) = made.take([message(batch([1]))])

    assert decode_ack(answer.payload).up_to_seq == 1
    assert (letters(tmp_path), made.health.records_unplaced) == (["no_school"], 1)
    made.journal.close()


def test_a_message_that_breaks_something_costs_only_itself(
    intake: Intake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_on_poison(made: Message, *rest: Any, **options: Any) -> object:
        if made.payload == b"poison":
            raise ZeroDivisionError
        return admit(made, *rest, **options)

    monkeypatch.setattr("collector.intake.admit", break_on_poison)
    answers = intake.take([message(b"poison"), message(batch([1]))])

    assert len(answers) == 1
    assert letters(tmp_path) == ["internal"]
    assert caplog.records[0].message.startswith("message.failed")


def test_an_error_of_ours_in_one_record_holds_up_neither_its_batch_nor_what_follows(
    intake: Intake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_on_poison(plain: dict[str, Any]) -> object:
        if plain["seq"] == 2:
            raise ZeroDivisionError
        return record_from_plain(plain)

    monkeypatch.setattr("agent.contract.codec.record_from_plain", break_on_poison)
    (answer,) = intake.take([message(batch([1, 2, 3])), message(batch([4]))])
    assert decode_ack(answer.payload).up_to_seq == 4
    assert letters(tmp_path) == ["record"]

    monkeypatch.undo()
    assert stored(tmp_path) == [1, 2, 3, 4]


def test_a_batch_that_breaks_something_once_it_is_read_costs_only_itself(
    intake: Intake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_on_poison(before: Any, payload: bytes, *rest: Any) -> object:
        if payload == encode(batch([7])):
            raise ZeroDivisionError
        return advance(before, payload, *rest)

    monkeypatch.setattr("collector.intake.advance", break_on_poison)
    intake.take([message(batch([7])), message(batch([1]))])

    assert (stored(tmp_path), letters(tmp_path)) == ([1], ["internal"])


def test_nothing_is_acknowledged_or_counted_when_the_journal_fails(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise JournalUnavailable("full")

    monkeypatch.setattr(intake.journal, "write", fail)
    with pytest.raises(JournalUnavailable):
        intake.take([message(batch([1]))])
    assert intake.health.records_accepted == 0

    monkeypatch.undo()
    intake.take([message(batch([1]))])
    assert intake.health.records_accepted == 1


@pytest.mark.parametrize(
    ("payload", "presence"),
    [
        (b'{"online":true}', {DEVICE: True}),
        (b'{"online":false}', {DEVICE: False}),
        (b"", {}),
        (b"[", {}),
        (b"[]", {}),
    ],
)
def test_presence_is_what_a_device_last_said(
    intake: Intake, payload: bytes, presence: dict[str, bool]
) -> None:
    made = [
        (topics.status(DEVICE), payload),
        (topics.status("kz-2"), payload),
        ("sp/1/0/kz-1/status", payload),
    ]

    assert intake.take([Message(topic, said, NOW_MS) for topic, said in made]) == []
    assert intake.health.presence == presence


@pytest.mark.parametrize("seq", ["x", None, 50])
def test_a_record_with_a_nonsense_number_is_put_aside_too(
    intake: Intake, tmp_path: Path, seq: object
) -> None:
    plain = json.loads(encode(batch([1]), "json"))
    plain["records"] = [{**plain["records"][0], "seq": seq, "kind": "telepathy"}]

    intake.take([message(json.dumps(plain).encode())])

    assert len(letters(tmp_path)) == 1
    assert intake.health.records_refused == 1
    assert intake.health.records_dropped_by_agents == 1
