# SPDX-License-Identifier: Apache-2.0
"""Does what belongs into the journal get in, and is everything else refused with its reason?"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract import topics
from agent.contract.codec import encode
from collector.admission import MAX_RECORDS, Admitted, Refusal, RefusalReason, admit
from collector.message import Message
from tests.unit.collector.samples import DEVICE, NOW_MS, REGISTRY, batch, message


def refusal(made: Message, **limits: Any) -> Refusal:
    outcome = admit(made, REGISTRY, **limits)
    assert isinstance(outcome, Refusal)
    return outcome


def test_a_batch_of_a_registered_device_is_admitted() -> None:
    outcome = admit(message(batch([1, 2])), REGISTRY)

    assert isinstance(outcome, Admitted)
    assert outcome.batch == batch([1, 2])
    assert outcome.refused == ()


def test_a_record_nobody_understands_is_named_and_the_rest_admitted() -> None:
    plain = json.loads(encode(batch([1, 2]), "json"))
    plain["records"][0]["kind"] = "dreams"

    outcome = admit(message(json.dumps(plain).encode()), REGISTRY)

    assert isinstance(outcome, Admitted)
    assert [r.seq for r in outcome.batch.records] == [2]
    assert [r.seq for r in outcome.refused] == [1]
    assert outcome.refused[0].problem.startswith("kind: 'dreams' is not a known kind")


def test_a_message_over_the_limit_is_refused_unread() -> None:
    assert refusal(message(b"x" * 101), max_bytes=100).reason is RefusalReason.TOO_LARGE


def test_a_small_message_with_thousands_of_records_is_refused() -> None:
    made = encode(batch(range(1, MAX_RECORDS + 2)))
    assert len(made) < 5000
    outcome = refusal(message(made))
    assert (outcome.reason, outcome.problem) == (
        RefusalReason.NOT_DECODABLE,
        "records: more than 1000 records",
    )


@pytest.mark.parametrize(
    "topic", ["", "up", "sp/1/0/kz-1/up", "sp/1/13/KZ/up", "sp/2/13/kz-1/up", "sp/1/13/kz-1/up/x"]
)
def test_a_topic_of_no_device_is_refused(topic: str) -> None:
    outcome = refusal(Message(topic, b"{}", NOW_MS))

    assert (outcome.reason, outcome.device) == (RefusalReason.BAD_TOPIC, None)


def test_a_device_that_is_not_registered_is_refused() -> None:
    outcome = refusal(message(batch(device="kz-2"), topics.up("kz-2")))

    assert (outcome.reason, outcome.device) == (RefusalReason.UNKNOWN_DEVICE, "kz-2")


def test_a_payload_in_the_name_of_another_device_is_refused() -> None:
    outcome = refusal(message(batch(device="kz-2"), topics.up(DEVICE)))

    assert outcome.reason is RefusalReason.WRONG_DEVICE
    assert outcome.problem == "the payload says 'kz-2'"


@given(st.binary(max_size=300))
def test_bytes_of_a_stranger_are_refused(payload: bytes) -> None:
    for start in (b"", b"\x01\x01", b'{"v":1,'):
        assert refusal(message(start + payload)).reason is RefusalReason.NOT_DECODABLE
