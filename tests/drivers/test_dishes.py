# SPDX-License-Identifier: Apache-2.0
"""Is what a satellite terminal says understood, and is nothing made up where it says less?"""

from __future__ import annotations

import dataclasses
import random
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.devices import Satellite
from agent.contract.reason import Reason
from firmware_bridge.drivers.starlink import GET_HISTORY, GET_STATUS, Starlink, reading
from firmware_bridge.meaning import MEANINGS
from firmware_bridge.protocols.grpc import CallFailed, framed, unframed
from firmware_bridge.protocols.protobuf import BadMessage, Message
from firmware_bridge.reading import DeviceFailed, DeviceReading
from tests.drivers.dishes import NAMES, REQUESTS, Answering, Tree, about, encode, responses, varint

PRIVATE = ("ut00000000-00000000-0012abcd", "KZ", "43.2389")


def figures(reading: DeviceReading) -> dict[str, Any]:
    found = dataclasses.asdict(reading.fields[0])
    return {k: v for k, v in found.items() if v is not None and k not in {"dish", "driver", "meaning"}}


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_gives_what_is_expected_and_no_more(name: str) -> None:
    dish = Answering(responses(name))
    reading = Starlink().read(dish, "dish")
    assert figures(reading) == pytest.approx(about(name)["expected"])
    assert list(reading.meanings) == about(name)["meanings"]
    assert set(reading.meanings) <= set(MEANINGS)
    assert dish.asked == list(REQUESTS.values()) == [GET_STATUS, GET_HISTORY]


def status(tree: Tree) -> dict[str, Any]:
    return figures(reading(Message(encode(tree)), None, "dish"))


CONNECTED: Tree = {2: {1: 7}, 1003: 0.5, 1009: 40.0}
CASES: list[tuple[str, Tree, dict[str, Any]]] = [
    ("nothing is known of an empty status", {}, {}),
    (
        "zeros are not made of what a new version does not tell",
        {2: {1: 7}, 1016: 100},
        {"uptime_s": 7, "ethernet_mbps": 100},
    ),
    (
        "no drops are not sent",
        {1009: 40.0},
        {
            "state": "connected",
            "connected": True,
            "drop_ratio": 0.0,
            "latency_ms": 40.0,
            "down_bps": 0.0,
            "up_bps": 0.0,
        },
    ),
    (
        "an outage without a cause",
        {1014: {}},
        {"state": "cause_0", "connected": False, "outage_cause": "cause_0"},
    ),
    (
        "a cause nobody knows",
        {1014: {1: 77}},
        {"state": "cause_77", "connected": False, "outage_cause": "cause_77"},
    ),
    (
        "shut down by heat",
        {1014: {1: 3}},
        {"state": "thermal_shutdown", "connected": False, "outage_cause": "thermal_shutdown"},
    ),
    (
        "disabled, nobody knows why",
        {1024: 99, 1014: {1: 8}},
        {"state": "disabled", "connected": False, "outage_cause": "disabled_99"},
    ),
    (
        "a share that is none is refused",
        {1003: 7.0, 1009: 40.0},
        {"state": "connected", "connected": True, "latency_ms": 40.0, "down_bps": 0.0, "up_bps": 0.0},
    ),
    (
        "a latency of nothing is none",
        {1003: 1.0, 1009: 0.0},
        {"state": "connected", "connected": True, "drop_ratio": 1.0, "down_bps": 0.0, "up_bps": 0.0},
    ),
    (
        "no number",
        {1003: float("nan"), 1009: float("inf"), 1007: float("-inf")},
        {"state": "connected", "connected": True, "up_bps": 0.0},
    ),
    ("other types under the same numbers", {1003: 5, 1009: "x", 1004: 3, 1005: 1.0, 1014: 2, 2: "zz"}, {}),
    (
        "alerts that do not hold, and one nobody knows",
        {1005: {1: 0, 2: 1, 40: 1, 20: 1, 21: 1}},
        {"alerts": "alert_40,thermal_shutdown,water"},
    ),
    ("a view never obstructed", {1004: {4: 100.0}}, {"obstruction_ratio": 0.0, "obstructed": False}),
]


@pytest.mark.parametrize(("tree", "expected"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_status_gives_only_what_is_sure(tree: Tree, expected: dict[str, Any]) -> None:
    assert status(tree) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("code", "meanings"),
    [(0, ["connected"]), (1, ["connected"]), (2, ["account"]), (7, ["account"]), (12, ["account"])]
    + [(code, ["no_service"]) for code in (3, 8, 10, 16, 77, -1)],
)
def test_a_disabled_terminal_says_whose_matter_it_is(code: int, meanings: list[str]) -> None:
    found = reading(Message(encode(CONNECTED | {1024: code})), None, "dish")
    assert list(found.meanings) == meanings


@pytest.mark.parametrize(
    ("history", "power_w"),
    [
        ({1: 3, 1010: [1.0, 2.0, 3.0, 0.0]}, 2.0),
        ({1: 4, 1010: [1.0, 2.0, 3.0, 6.0]}, 3.0),
        ({1: 902, 1010: [50.0, 70.0, *([10.0] * 898)]}, round((50 + 70 + 58 * 10) / 60, 4)),
        ({1010: [1.0]}, None),
        ({1: 5}, None),
        ({1: 5, 1010: []}, None),
        ({1: -1, 1010: [1.0]}, None),
        ({1: 5, 1010: [float("nan")] * 4}, None),
        ({1: 5, 1010: 7}, None),
    ],
)
def test_power_is_the_mean_of_the_last_minute(history: Tree, power_w: float | None) -> None:
    found = reading(Message(encode(CONNECTED)), Message(encode(history)), "dish").fields[0]
    assert isinstance(found, Satellite)
    assert found.power_w == power_w


def test_neither_identifier_nor_place_gets_through() -> None:
    tree = {
        1: {1: PRIVATE[0], 2: "rev3", 4: PRIVATE[1], 5: 1},
        1015: {1: 1, 2: 12},
        1025: PRIVATE[2],
        **CONNECTED,
    }
    told = repr(reading(Message(encode(tree)), None, "dish"))
    assert not any(private in told for private in PRIVATE)
    assert "12345678901" not in repr(
        reading(Message(encode({1: {2: "x12345678901", 3: "12345678901"}})), None, "d")
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "no answer of a dish"),
        (encode({2: {1: 7, 2: "unimplemented"}}), "code 7"),
        (encode({3004: {1: 1}}), "no answer of a dish"),
        (encode({2004: 5}), "no answer of a dish"),
        (b"\xe2", "cut off"),
        (b"<html>", "protocol buffers"),
        (encode({2004: "\x0a\x7f"}), "no answer of a dish"),
    ],
)
def test_what_is_no_status_is_a_bad_answer(answer: bytes, words: str) -> None:
    with pytest.raises(DeviceFailed, match=words) as failed:
        Starlink().read(Answering({GET_STATUS: answer}), "dish")
    assert failed.value.reason is Reason.BAD_ANSWER


def test_damage_never_gives_what_cannot_be_and_never_crashes() -> None:
    told = failed = 0
    for name in NAMES:
        for seed in range(150):
            dice = random.Random(seed)
            answers = {}
            for request, answer in responses(name).items():
                data = bytearray(answer)
                for _ in range(dice.randint(1, 3)):
                    data[dice.randrange(len(data))] = dice.randrange(256)
                answers[request] = bytes(data[: dice.randint(0, len(data))] if dice.random() < 0.2 else data)
            try:
                found = Starlink().read(Answering(answers), "dish")
            except DeviceFailed:
                failed += 1
                continue
            told += 1
            _assert_possible(found.fields[0])
    print(f"\n{told} damaged statuses told something possible, {failed} were refused")
    assert told > 50


def _assert_possible(fields: Any) -> None:
    for field in dataclasses.fields(fields):
        value, low, high = getattr(fields, field.name), field.metadata.get("low"), field.metadata.get("high")
        if isinstance(value, int | float) and not isinstance(value, bool):
            assert low is None or value >= low, field.name
            assert high is None or value <= high, field.name


TREES = st.recursive(
    st.one_of(st.integers(0, 2**63 - 1), st.floats(width=32, allow_nan=False), st.text(max_size=5)),
    lambda inner: st.dictionaries(st.integers(1, 2**29 - 1), inner, max_size=4),
    max_leaves=12,
)


@given(tree=st.dictionaries(st.integers(1, 2**29 - 1), TREES, max_size=5))
def test_a_message_says_what_was_written(tree: Tree) -> None:
    _assert_says(Message(encode(tree)), tree)


def _assert_says(message: Message, tree: Tree) -> None:
    assert sorted(message.numbers) == sorted(tree)
    for number, value in tree.items():
        if isinstance(value, dict):
            inner = message.message(number)
            assert inner is not None
            _assert_says(inner, value)
        elif isinstance(value, str):
            assert message.text(number) == value
        elif isinstance(value, float):
            assert message.real(number) == value
        else:
            assert message.whole(number) == value


def test_messages_of_the_standard_are_read() -> None:
    """Examples of protobuf.dev, encoding."""
    assert Message(bytes.fromhex("089601")).whole(1) == 150
    assert Message(bytes.fromhex("120774657374696e67")).text(2) == "testing"
    assert Message(bytes.fromhex("08feffffffffffffffff01")).whole(1) == -2
    inner = Message(bytes.fromhex("1a03089601")).message(3)
    assert inner is not None
    assert inner.whole(1) == 150
    assert Message(bytes.fromhex("0801089601")).whole(1) == 150
    assert Message(varint(1 << 3 | 5) + struct.pack("<f", 2.5) * 1).reals(1) == [2.5]


@pytest.mark.parametrize(
    "damaged",
    [
        "08",
        "0896",
        "1205aa",
        "0b",
        "0c",
        "0f",
        "0001",
        "15000000",
        "ff" * 11,
        "08" + "ff" * 11,
        "12ffffffff0f",
    ],
)
def test_what_is_no_message_is_refused(damaged: str) -> None:
    with pytest.raises(BadMessage):
        Message(bytes.fromhex(damaged))


@given(st.binary(max_size=50))
def test_a_message_in_its_frame_comes_out_again(message: bytes) -> None:
    data = framed(message)
    assert unframed(data) == message
    for wrong in (data[:-1], data + b"\0", b"\1" + data[1:], b""):
        with pytest.raises(CallFailed):
            unframed(wrong)


def test_the_frames_are_those_public_programs_send() -> None:
    assert framed(GET_STATUS).hex() == "0000000003e23e00"
    assert framed(GET_HISTORY).hex() == "0000000003fa3e00"
