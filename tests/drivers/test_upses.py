# SPDX-License-Identifier: Apache-2.0
"""Are UPSes understood that Network UPS Tools or apcupsd know, and are broken answers refused?"""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.reason import Reason
from firmware_bridge.drivers import apcupsd, nut
from firmware_bridge.meaning import MEANINGS
from firmware_bridge.protocols.apcupsd import Answer as ApcupsdAnswer
from firmware_bridge.protocols.apcupsd import NoStatus
from firmware_bridge.protocols.nut import Answer as NutAnswer
from firmware_bridge.protocols.nut import NoListing, ask_variables
from firmware_bridge.reading import DeviceFailed, DeviceReading
from firmware_bridge.recording import record_apcupsd, record_nut
from tests.drivers.upses import NAMES, Answering, about, bytes_of, read, text_of

ON_LINE = "nut/backups_on_line"
PLANTED = "AS1234567890"


def figures(reading: DeviceReading) -> dict[str, Any]:
    found = dataclasses.asdict(reading.fields[0])
    return {k: v for k, v in found.items() if v is not None and k not in {"controller", "driver", "meaning"}}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_recording_gives_what_is_expected_and_no_more(name: str, size: int) -> None:
    reading = read(name, bytes_of(name), size)
    assert figures(reading) == pytest.approx(about(name)["expected"])
    assert list(reading.meanings) == about(name)["meanings"]
    assert set(reading.meanings) <= set(MEANINGS)
    assert reading.refused == ()


def test_there_are_recordings_of_both() -> None:
    print(f"\n{len(NAMES)} recordings of UPSes")
    assert {name.partition("/")[0] for name in NAMES} == {"nut", "apcupsd"}


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_that_ends_early_is_none(name: str) -> None:
    data = bytes_of(name)
    for cut in range(0, len(data) - 1, 3):
        with pytest.raises(DeviceFailed):
            read(name, data[:cut])


@pytest.mark.parametrize("name", NAMES)
def test_damage_never_gives_what_cannot_be_and_never_crashes(name: str) -> None:
    told = failed = 0
    for seed in range(200):
        dice, data = random.Random(seed), bytearray(bytes_of(name))
        for _ in range(3):
            data[dice.randrange(len(data))] = dice.choice(b'0123456789.-" :\x00\xff\n')
        try:
            reading = read(name, bytes(data))
        except DeviceFailed:
            failed += 1
            continue
        told += 1
        for field in dataclasses.fields(reading.fields[0]):
            value, low = getattr(reading.fields[0], field.name), field.metadata.get("low")
            high = field.metadata.get("high")
            if isinstance(value, int | float) and not isinstance(value, bool):
                assert low is None or value >= low
                assert high is None or value <= high
    print(f"\n{name}: {told} damaged answers told something possible, {failed} were refused")
    assert told


@pytest.mark.parametrize("name", NAMES)
def test_no_number_of_a_device_gets_through(name: str) -> None:
    for old in ("000000000000", "host", "Back-UPS ES 700G", "871.O4 .I"):
        reading = read(name, _planted(name, old))
        assert PLANTED not in repr(reading)


def _planted(name: str, old: str) -> bytes:
    data, new = bytes_of(name), PLANTED.encode()
    if name.startswith("nut"):
        return data.replace(old.encode(), new)
    lines = [f"{line}\n".replace(old, PLANTED).encode() for line in text_of(name).splitlines()]
    return b"".join(len(line).to_bytes(2, "big") + line for line in lines) + b"\0\0"


@given(data=st.binary(max_size=200), sizes=st.lists(st.integers(1, 60), min_size=1, max_size=6))
def test_pieces_of_any_size_say_the_same(data: bytes, sizes: list[int]) -> None:
    for make, whole in ((NutAnswer, bytes_of(ON_LINE)), (ApcupsdAnswer, bytes_of("apcupsd/backups_on_line"))):
        for said in (data, whole[:-5] + data + whole[-5:], whole[:30] + data):
            assert _answer(make, said, [len(said) or 1]) == _answer(make, said, sizes)


def _answer(make: Any, data: bytes, sizes: list[int]) -> object:
    answer, at, turn = make(), 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        try:
            found = answer.feed(data[at : at + size])
        except (NoListing, NoStatus):
            return "refused"
        if found is not None:
            return found
        at, turn = at + size, turn + 1
    return None


STATUSES: list[tuple[str, dict[str, Any]]] = [
    ("OL", {"state": "on_line", "mains_present": True, "low_battery": False}),
    (
        "OB LB FSD",
        {"state": "on_battery", "mains_present": False, "low_battery": True, "error": "forced_shutdown"},
    ),
    ("OL CAL", {"state": "calibrating", "mains_present": True}),
    ("CAL OB DISCHRG", {"state": "on_battery", "mains_present": None, "meaning": None}),
    ("OL OB", {"mains_present": None}),
    ("BYPASS", {"state": "bypass", "mains_present": None}),
    ("OL OVER TRIM", {"state": "trimming", "error": "overload"}),
    ("", {"state": None, "mains_present": None, "low_battery": None, "load_on": None}),
    ("ol", {"state": None, "mains_present": None}),
    ("OLD OBX", {"state": None, "mains_present": None}),
]


@pytest.mark.parametrize(("status", "expected"), STATUSES, ids=[s[0] for s in STATUSES])
def test_a_status_is_understood(status: str, expected: dict[str, Any]) -> None:
    (fields,) = nut.reading({"ups.status": status}, "ups").fields
    found = dataclasses.asdict(fields)
    assert {k: found[k] for k in expected} == expected


APC_STATUSES: list[tuple[dict[str, str], dict[str, Any]]] = [
    (
        {"STATUS": "SHUTTING DOWN", "STATFLAG": "0x05060250"},
        {"mains_present": False, "low_battery": True, "error": "forced_shutdown", "state": "on_battery"},
    ),
    # A master whose slave is gone knows its UPS all the same.
    (
        {"STATUS": "ONBATT SLAVEDOWN", "STATFLAG": "0x07060810 Status Flag"},
        {"mains_present": False, "low_battery": False, "error": None},
    ),
    (
        {"STATUS": "ONLINE REPLACEBATT", "STATFLAG": "0x05000088"},
        {"mains_present": True, "error": "replace_battery"},
    ),
    ({"STATUS": "CAL ONBATT"}, {"mains_present": None, "state": "on_battery", "meaning": None}),
    ({"STATUS": "ONLINE NOBATT"}, {"mains_present": True, "error": "no_battery"}),
    ({"STATUS": "", "STATFLAG": "nonsense"}, {"mains_present": None, "low_battery": None, "state": None}),
    ({"STATUS": "ONLINE", "STATFLAG": "0x05000010"}, {"mains_present": None}),
]


@pytest.mark.parametrize(("lines", "expected"), APC_STATUSES, ids=[str(s[0]) for s in APC_STATUSES])
def test_a_status_of_apcupsd_is_understood(lines: dict[str, str], expected: dict[str, Any]) -> None:
    (fields,) = apcupsd.reading(lines, "ups").fields
    found = dataclasses.asdict(fields)
    assert {k: found[k] for k in expected} == expected


def test_a_figure_that_cannot_be_is_unknown() -> None:
    """Minutes that are full, and a load ten times as high, both as drivers told them."""
    (fields,) = nut.reading({"ups.status": "OL", "battery.runtime": "3932100", "ups.load": "640"}, "u").fields
    assert (getattr(fields, "runtime_s", 0), getattr(fields, "load_ratio", 0)) == (None, None)


@pytest.mark.parametrize(("status", "runtime_s"), [("OL", None), ("OB DISCHRG LB", 0), ("", None)])
def test_no_time_left_counts_only_on_battery(status: str, runtime_s: int | None) -> None:
    (fields,) = nut.reading({"ups.status": status, "battery.runtime": "0"}, "u").fields
    assert getattr(fields, "runtime_s", -1) == runtime_s


def test_flags_alone_tell_that_the_ups_is_lost() -> None:
    lines = (b"STATUS   : NO IDEA\n", b"STATFLAG : 0x05000100\n", b"")
    data = b"".join(len(line).to_bytes(2, "big") + line for line in lines)
    with pytest.raises(DeviceFailed, match="lost the UPS"):
        apcupsd.Apcupsd().read(Answering([data]), "ups")


@pytest.mark.parametrize(
    "value", ["", "NA", "-1", "1e3", "nan", "inf", "100%", "1,5", "0x10", "9" * 30, "101", "12 V"]
)
def test_a_figure_that_is_none_is_unknown(value: str) -> None:
    (fields,) = nut.reading({"ups.status": "OL", "battery.charge": value}, "ups").fields
    assert getattr(fields, "battery_ratio", None) is None


@pytest.mark.parametrize(
    ("answer", "reason", "words"),
    [
        (b"ERR UNKNOWN-UPS\n", Reason.NOT_PRESENT, "no UPS of that name"),
        (b"ERR ACCESS-DENIED\n", Reason.NOT_PERMITTED, "ask nothing"),
        (b"ERR DATA-STALE\r\n", Reason.GONE, "lost the UPS"),
        (b"ERR DRIVER-NOT-CONNECTED\n", Reason.NOT_PRESENT, "does not run"),
        (b"ERR SOMETHING-NEW\n", Reason.BAD_ANSWER, "SOMETHING-NEW"),
        (b"SSH-2.0-OpenSSH\r\n", Reason.BAD_ANSWER, "not the answer"),
        (b"BEGIN LIST VAR ups\n" + b"x" * 70_000, Reason.BAD_ANSWER, "no end"),
        (b'BEGIN LIST VAR ups\nVAR ups ups.status "OL"\n', Reason.GONE, "ended"),
        (b"", Reason.GONE, "ended"),
    ],
)
def test_what_upsd_refuses_is_told_with_its_reason(answer: bytes, reason: Reason, words: str) -> None:
    with pytest.raises(DeviceFailed, match=words) as failed:
        nut.Nut("ups").read(Answering([answer] if answer else []), "ups")
    assert failed.value.reason is reason


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"\0\0", Reason.BAD_ANSWER),
        (b"\xff\xff", Reason.BAD_ANSWER),
        (b"HTTP/1.1 400 Bad Request\r\n", Reason.BAD_ANSWER),
        (b"\0\x05" + b"APC:1" + b"\0\x11STATUS : COMMLOST\0\0", Reason.GONE),
        (b"\0\x05APC:1" * 300, Reason.BAD_ANSWER),
        (b"\0\x05APC", Reason.GONE),
    ],
)
def test_what_apcupsd_does_not_know_is_not_told(answer: bytes, reason: Reason) -> None:
    with pytest.raises(DeviceFailed) as failed:
        apcupsd.Apcupsd().read(Answering([answer]), "ups")
    assert failed.value.reason is reason


def test_nothing_is_asked_but_lists() -> None:
    link = Answering([b'BEGIN LIST UPS\nUPS ups "a \\"b\\""\nEND LIST UPS\n', bytes_of(ON_LINE)])
    nut.Nut().read(link, "ups")
    assert link.asked == b"LIST UPS\nLIST VAR ups\n"
    for name in ("", "a b", "ups\nSET VAR ups x y", "ü"):
        with pytest.raises(ValueError, match="no name of a UPS"):
            ask_variables(name)


@pytest.mark.parametrize("known", [[], ["a", "b"]])
def test_one_ups_must_be_named_where_there_is_not_just_one(known: list[str]) -> None:
    rows = "".join(f'UPS {name} ""\n' for name in known)
    with pytest.raises(DeviceFailed, match="name one UPS"):
        nut.Nut().read(Answering([f"BEGIN LIST UPS\n{rows}END LIST UPS\n".encode()]), "ups")


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_of_a_ups_names_no_device_and_reads_the_same(name: str) -> None:
    """A serial number of its own kind, and one hidden in every value that names something."""
    is_nut = name.startswith("nut")
    data = bytes_of(name)
    if is_nut:
        more = "".join(
            f'VAR ups {key} "{PLANTED}"\n'
            for key in ("ups.serial", "battery.serial", "ups.id", "ups.contacts")
        )
        data = data.replace(b"END LIST", more.encode() + b"END LIST")
    lines = list(record_nut(Answering([data]), "ups") if is_nut else record_apcupsd(Answering([data])))
    assert PLANTED not in "\n".join(lines)
    assert not any(line.startswith(("HOSTNAME : host", "UPSNAME  : ups")) for line in lines)
    if is_nut:
        rows = [f'VAR ups {k} "{v}"' for k, _, v in (line.partition(": ") for line in lines)]
        wire = "\n".join(["BEGIN LIST VAR ups", *rows, "END LIST VAR ups", ""]).encode()
    else:
        wire = b"".join(len(t).to_bytes(2, "big") + t.encode() for t in (f"{x}\n" for x in lines)) + b"\0\0"
    assert lines
    assert figures(read(name, wire)) == pytest.approx(about(name)["expected"])
