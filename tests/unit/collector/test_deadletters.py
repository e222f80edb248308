# SPDX-License-Identifier: Apache-2.0
"""Is everything refused written down, within limits?"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from agent.contract import topics
from agent.contract.record import Refused
from collector.admission import Admitted, Refusal, RefusalReason
from collector.deadletters import DeadLetters
from collector.health import Health
from collector.message import Message
from collector.sinks.base import Measurement
from tests.unit.collector.samples import DEVICE, NOW_MS, SCHOOL, SESSION, batch, message, record

DAY = "2026-09-21"


def letters(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines()
    ]


def refusal(
    payload: bytes = b"\xff", reason: RefusalReason = RefusalReason.NOT_DECODABLE, at_ms: int = NOW_MS
) -> Refusal:
    return Refusal(message=message(payload, received_ms=at_ms), reason=reason, problem="why", device=DEVICE)


def test_a_refused_message_is_kept_with_its_bytes(tmp_path: Path) -> None:
    health = Health()
    dead = DeadLetters(tmp_path, health)
    dead.add_refusal(refusal(b"\xff\x00"))
    dead.commit()

    (letter,) = letters(tmp_path)
    assert base64.b64decode(letter["payload"]) == b"\xff\x00"
    assert (letter["reason"], letter["problem"], letter["topic"]) == (
        "not_decodable",
        "why",
        "sp/1/13/kz-1/up",
    )
    assert letter["at"] == "2026-09-21T14:13:20.000+00:00"
    assert health.dead_letters == 1


def test_a_refused_record_is_kept_as_it_was(tmp_path: Path) -> None:
    dead = DeadLetters(tmp_path, Health())
    admitted = Admitted(message=message(batch()), batch=batch())
    dead.add_record(admitted, Refused(seq=3, problem="why", plain={"seq": 3, "name": "Школа", "odd": b"?"}))
    dead.commit()

    (letter,) = letters(tmp_path)
    assert (letter["seq"], letter["session"], letter["record"]["name"]) == (3, SESSION, "Школа")


def test_a_measurement_no_sink_will_take_is_named(tmp_path: Path) -> None:
    dead = DeadLetters(tmp_path, Health())
    measurement = Measurement(
        school=SCHOOL,
        device=DEVICE,
        session=SESSION,
        record=record(5),
        at_ms=0,
        received_ms=NOW_MS,
        backlog=False,
    )
    dead.add_rejection(measurement, "influxdb", "type conflict")
    dead.commit()

    (letter,) = letters(tmp_path)
    assert (letter["sink"], letter["seq"], letter["kind"], letter["problem"]) == (
        "influxdb",
        5,
        "reach",
        "type conflict",
    )


def test_each_day_has_its_file(tmp_path: Path) -> None:
    dead = DeadLetters(tmp_path, Health())
    dead.add_refusal(refusal())
    dead.add_refusal(refusal(at_ms=NOW_MS + 86_400_000))
    dead.commit()

    assert sorted(p.name for p in tmp_path.iterdir()) == ["2026-09-21.jsonl", "2026-09-22.jsonl"]


def test_what_is_over_the_days_limit_is_only_counted(tmp_path: Path) -> None:
    health = Health()
    dead = DeadLetters(tmp_path, health, max_bytes_per_day=800)
    for n in range(10):
        made = Message(f"sp/1/0/kz-{n}/up", b"?", NOW_MS)
        dead.add_refusal(Refusal(message=made, reason=RefusalReason.BAD_TOPIC, problem="why"))
        dead.commit()

    assert (health.dead_letters, health.dead_letters_dropped) == (5, 5)
    assert (tmp_path / f"{DAY}.jsonl").stat().st_size <= 800


def test_one_device_leaves_room_for_the_letters_of_others(tmp_path: Path) -> None:
    health = Health()
    dead = DeadLetters(tmp_path, health, max_bytes_per_day=2000)
    for _ in range(2):
        for _ in range(5):
            dead.add_refusal(refusal())
        dead.commit()
    dead.add_refusal(
        Refusal(message=message(b"?", topics.up("kz-2")), reason=RefusalReason.UNSIGNED, problem="w")
    )
    dead.commit()

    assert (health.dead_letters, health.dead_letters_dropped) == (4, 7)
    assert [letter["topic"][-7:] for letter in letters(tmp_path)] == ["kz-1/up"] * 3 + ["kz-2/up"]


def test_a_record_that_is_long_is_cut(tmp_path: Path) -> None:
    dead = DeadLetters(tmp_path, Health())
    dead.add_record(
        Admitted(message=message(batch()), batch=batch()),
        Refused(seq=3, problem="why", plain={"detail": "x" * 1_000_000}),
    )
    dead.commit()

    (letter,) = letters(tmp_path)
    assert len(letter["record"]) == 16_384


def test_an_unknown_device_gets_one_letter_an_hour_with_the_number_left_out(tmp_path: Path) -> None:
    dead = DeadLetters(tmp_path, Health())
    for at_ms in (NOW_MS, NOW_MS + 1, NOW_MS + 2, NOW_MS + 3_600_000):
        dead.add_refusal(refusal(reason=RefusalReason.UNKNOWN_DEVICE, at_ms=at_ms))
    dead.commit()

    assert [letter.get("left_out") for letter in letters(tmp_path)] == [None, 2]


def test_only_so_many_unknown_devices_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("collector.deadletters._DEVICES_REMEMBERED", 3)
    dead = DeadLetters(tmp_path, Health())
    for n in range(9):
        dead.add_refusal(
            Refusal(
                message=message(b""), reason=RefusalReason.UNKNOWN_DEVICE, problem="why", device=f"kz-{n}"
            )
        )

    assert len(dead._unknown) == 3


def test_a_disk_that_takes_nothing_stops_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("")
    health = Health()
    dead = DeadLetters(tmp_path / "file" / "dead", health)
    for _ in range(3):
        dead.add_refusal(refusal())
        dead.commit()

    assert (health.dead_letters, health.dead_letters_dropped) == (0, 3)
    assert [r.message.split()[0] for r in caplog.records] == ["deadletters.not_written"]


def test_the_oldest_days_go_when_there_are_too_many(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    dead = DeadLetters(tmp_path, Health(), kept_days=3)
    (tmp_path / "notes.jsonl").write_text("somebody's own\n")
    for day in range(5):
        dead.add_refusal(refusal(at_ms=NOW_MS + day * 86_400_000))
        dead.commit()

    days = ["2026-09-23.jsonl", "2026-09-24.jsonl", "2026-09-25.jsonl"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [*days, "notes.jsonl"]
    assert [r.getMessage().split()[1] for r in caplog.records] == [
        "file=2026-09-21.jsonl",
        "file=2026-09-22.jsonl",
    ]
