# SPDX-License-Identifier: Apache-2.0
"""Are devices that talk by themselves understood, and is nothing believed that was damaged on the way?"""

from __future__ import annotations

import dataclasses
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.reason import Reason
from firmware_bridge.drivers.nmea import Nmea
from firmware_bridge.drivers.vedirect import Vedirect
from firmware_bridge.drivers.vedirect import reading as vedirect_reading
from firmware_bridge.home import Home
from firmware_bridge.meaning import MEANINGS
from firmware_bridge.protocols.nmea import Sentences, checksum
from firmware_bridge.protocols.vedirect import Blocks
from firmware_bridge.reading import DeviceFailed, DeviceReading
from tests.drivers.talks import FIXTURES, NAMES, Talked, about, block_bytes, bytes_of, in_pieces, lossy

MPPT, FULL, FIX = "vedirect/bluesolar_75_15", "vedirect/bmv_700_full", "nmea/ublox_7_fix"


def read(name: str, talk: Talked, home: Home | None = None) -> DeviceReading:
    if name.startswith("vedirect"):
        return Vedirect().read(talk, "device")
    now: datetime | None = about(name).get("now") if name in NAMES else None
    now_ms = 0 if now is None else round(now.timestamp() * 1000)
    return Nmea(lambda: now_ms, home).read(talk, "device")


def figures(reading: DeviceReading) -> dict[str, Any]:
    """All but what it says of itself."""
    found = dataclasses.asdict(reading.fields[0])
    aside = {"controller", "receiver", "driver", "meaning"}
    return {k: v for k, v in found.items() if v is not None and k not in aside}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [1, 7, 4096])
def test_a_recording_gives_what_is_expected_and_no_more(name: str, size: int) -> None:
    told = about(name)
    reading = read(name, in_pieces(bytes_of(name) * 4, size))
    assert figures(reading) == pytest.approx(told["expected"])
    assert list(reading.meanings) == told["meanings"]
    assert set(reading.meanings) <= set(MEANINGS)
    assert reading.refused == ()


def test_there_are_recordings_of_both() -> None:
    print(f"\n{len(NAMES)} recordings of devices that talk by themselves")
    assert len(NAMES) >= 11
    assert {about(name)["rung"] for name in NAMES} <= {"parsed", "emulated", "seen"}


@pytest.mark.parametrize("name", NAMES)
def test_half_of_the_first_round_costs_nothing_of_the_next(name: str) -> None:
    data = bytes_of(name)
    for cut in range(len(data)):
        reading = read(name, Talked((data[cut:] + 3 * data,)))
        assert figures(reading) == pytest.approx(about(name)["expected"]), cut


@pytest.mark.parametrize("name", [MPPT, "vedirect/smartshunt_low", FIX])
def test_a_changed_byte_is_never_believed(name: str) -> None:
    """Every byte, changed in one bit and to what framing is made of; what is still told is as it was."""
    data, expected = bytes_of(name), about(name)["expected"]
    refused = told = 0
    for at, byte in enumerate(data):
        for new in {byte ^ 1, byte ^ 0x80, *b"\r\n\t:$*,-0"} - {byte}:
            try:
                reading = read(name, Talked((data[:at] + bytes([new]) + data[at + 1 :],)))
            except DeviceFailed:
                refused += 1
                continue
            told += 1
            assert figures(reading).items() <= expected.items(), (at, new)
    print(f"\n{name}: {refused + told} changed bytes, {told} times something was told, all of it true")
    assert refused + told > 1000


@pytest.mark.parametrize("name", [MPPT, FIX])
def test_a_lost_byte_is_never_believed(name: str) -> None:
    data, expected = bytes_of(name), about(name)["expected"]
    for at in range(len(data)):
        try:
            reading = read(name, Talked((data[:at] + data[at + 1 :],)))
        except DeviceFailed:
            continue
        assert figures(reading).items() <= expected.items(), at


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_line_gives_what_is_true_or_nothing(name: str) -> None:
    expected, told = about(name)["expected"], 0
    for seed in range(15):
        try:
            reading = read(name, Talked((lossy(20 * bytes_of(name), seed),)))
        except DeviceFailed:
            continue
        told += 1
        assert figures(reading).items() <= expected.items(), seed
    assert told


@given(data=st.binary(max_size=300), sizes=st.lists(st.integers(1, 50), min_size=1, max_size=8))
def test_pieces_of_any_size_say_the_same(data: bytes, sizes: list[int]) -> None:
    data = bytes_of(MPPT)[40:] + data + bytes_of(FULL) + bytes_of(FIX) + data
    for make in (Blocks, Sentences):
        whole, pieces = make(), make()
        found: list[object] = []
        at, turn = 0, 0
        while at < len(data):
            size = sizes[turn % len(sizes)]
            found += pieces.feed(data[at : at + size])
            at, turn = at + size, turn + 1
        assert found == whole.feed(data)


DAMAGED: list[tuple[str, bytes, int]] = [
    ("a label twice", block_bytes(["V\t12000", "V\t13000"]), 0),
    ("no tab", block_bytes(["V 12000"]), 0),
    ("bytes that are no text", block_bytes(["V\t12\u0000"]), 0),
    ("nothing but a sum", block_bytes([]), 0),
    ("no sum", b"\r\nV\t12000\r\nI\t0\r\n", 0),
    ("a sum that is a line's end", block_bytes(["A\t" + "z" * 4, "V\t12000", "X\t%"]), 1),
    ("a label that nobody knows yet", block_bytes(["V\t12000", "NEW.LABEL-2\tx" + "y" * 40]), 1),
    ("hexadecimal in front", b":A0002000148\n" + block_bytes(["V\t12000"]), 1),
    ("hexadecimal within", block_bytes(["V\t12000", ":7F0ED0071", "I\t0"]), 1),
    ("hexadecimal in a value", block_bytes(["V\t12000"]).replace(b"12000", b"12:A01\n000"), 1),
    ("hexadecimal cut off", b":A00020" + block_bytes(["V\t12000"]), 0),
    ("a block without end", b"\r\nV\t" + b"1" * 9000, 0),
    ("as many fields as no device has", block_bytes([f"L{n}\t1" for n in range(50)]), 0),
]


@pytest.mark.parametrize(("data", "blocks"), [d[1:] for d in DAMAGED], ids=[d[0] for d in DAMAGED])
def test_a_damaged_block_is_refused(data: bytes, blocks: int) -> None:
    assert len(Blocks().feed(data)) == blocks
    after = Blocks()
    after.feed(data)
    assert after.feed(bytes_of(MPPT) * 2)[-1]["V"] == "12530"


@pytest.mark.parametrize(
    ("said", "firmware"),
    [
        ("0313FF", "3.13"),
        ("313", "3.13"),
        ("020801", "2.08"),
        ("20801", "2.08"),
        ("FFFFFF", None),
        ("", None),
    ],
)
def test_the_longer_label_of_the_firmware_is_read_too(said: str, firmware: str | None) -> None:
    (fields,) = vedirect_reading({"PID": "0xA06C", "FWE": said, "V": "13150"}, "c").fields
    assert getattr(fields, "firmware", "") == firmware


def test_a_sum_of_every_value_is_read_as_one_byte() -> None:
    seen = set()
    for filler in range(256):
        steps = [min(90, max(0, filler - 90 * at)) for at in range(3)]
        block = block_bytes(["F\t" + "".join(chr(33 + step) for step in steps), "V\t12000"])
        seen.add(block[-1])
        assert [b["V"] for b in Blocks().feed(block * 2)] == ["12000"] * 2
    assert len(seen) == 256


def sentence(body: str) -> bytes:
    return f"${body}*{checksum(body.encode()):02X}\r\n".encode()


ZERO = "0000.0000,N,00000.0000,E"
STRANGE: list[tuple[str, bytes, dict[str, Any]]] = [
    ("weeks rolled over", sentence(f"GPRMC,083559.00,A,{ZERO},0,0,070407,,,A"), {"fix": True}),
    ("a year of the last century", sentence(f"GPRMC,083559.00,A,{ZERO},0,0,220899,,,A"), {"fix": True}),
    ("no such day", sentence(f"GPRMC,083559.00,A,{ZERO},0,0,310226,,,A"), {"fix": True}),
    ("no such time", sentence(f"GPRMC,246000.00,A,{ZERO},0,0,010226,,,A"), {"fix": True}),
    ("no date", sentence(f"GPRMC,083559.00,A,{ZERO},0,0,,,,A"), {"fix": True}),
    (
        "old receivers have no mode",
        sentence(f"GPRMC,110000,A,{ZERO},0,0,010226,,"),
        {"fix": True, "clock_offset_ms": 0},
    ),
    (
        "a leap second",
        sentence(f"GLRMC,105960.5,A,{ZERO},0,0,010226,,,A"),
        {"fix": True, "clock_offset_ms": 500},
    ),
    ("simulated", sentence(f"GPRMC,110000.00,A,{ZERO},0,0,010226,,,S"), {"fix": False}),
    ("estimated", sentence(f"GPGGA,110000.00,{ZERO},6,00,,,M,,M,,"), {"fix": False, "satellites": 0}),
    (
        "BeiDou's old talker",
        sentence(f"BDGGA,110000.00,{ZERO},1,09,0.9,0,M,0,M,,"),
        {"fix": True, "satellites": 9, "hdop": 0.9},
    ),
    (
        "small letters in the sum",
        sentence(f"GARMC,110000.00,A,{ZERO},0,0,010226,,,A")
        .lower()
        .replace(b"garmc", b"GARMC")
        .replace(b",a,", b",A,")
        .replace(b"n,", b"N,")
        .replace(b"e,", b"E,")
        .replace(b",a*", b",A*"),
        {"fix": True, "clock_offset_ms": 0},
    ),
    (
        "UBX between",
        b"\xb5\x62\x01\x07$\x00\x5c" + sentence(f"GNRMC,110000.00,A,{ZERO},0,0,010226,,,A") + b"\xb5\x62",
        {"fix": True, "clock_offset_ms": 0},
    ),
]


@pytest.mark.parametrize(("data", "expected"), [s[1:] for s in STRANGE], ids=[s[0] for s in STRANGE])
def test_a_strange_sentence_gives_only_what_is_sure(data: bytes, expected: dict[str, Any]) -> None:
    now_ms = round(datetime.fromisoformat("2026-02-01T11:00:00+00:00").timestamp() * 1000)
    reading = Nmea(lambda: now_ms).read(Talked((data,)), "gps")
    assert figures(reading) == expected


NO_SENTENCES = [
    b"$GPRMC,083559.00,A,0000.0000,N,00000.0000,E,0,0,010226,,,A\r\n",
    b"$GPRMC,083559.00,A*",
    sentence("PUBX,00,081350.00"),
    sentence("AIVDM,1"),
    b"$GPRMC" + b"," * 200 + b"*00",
    bytes(range(256)) * 4,
]


@pytest.mark.parametrize("data", NO_SENTENCES)
def test_what_is_no_sentence_is_a_bad_answer(data: bytes) -> None:
    with pytest.raises(DeviceFailed, match="is the speed right") as failed:
        Nmea(lambda: 0).read(Talked((data,)), "gps")
    assert failed.value.reason is Reason.BAD_ANSWER


@pytest.mark.parametrize("driver", [Nmea(lambda: 0), Vedirect()])
def test_silence_is_a_timeout(driver: Nmea | Vedirect) -> None:
    with pytest.raises(DeviceFailed, match="nothing comes from here") as failed:
        driver.read(Talked((b"", b"")), "device")
    assert failed.value.reason is Reason.TIMEOUT


def fix_at(latitude: str, longitude: str, *, hdop: str = "1.0") -> Talked:
    """Three rounds at one place."""
    gga = sentence(f"GPGGA,110000.00,{latitude},N,{longitude},E,1,08,{hdop},0,M,0,M,,")
    rmc = sentence(f"GPRMC,110000.00,A,{latitude},N,{longitude},E,0,0,010226,,,A")
    return Talked(((gga + rmc) * 3,))


def test_a_receiver_that_is_carried_away_has_moved(tmp_path: Path) -> None:
    """A minute of latitude is 1852 m; a tenth of it 185 m."""
    home = Home(tmp_path / "deep" / "gps.json", 200.0)
    moved = [
        figures(read("nmea", talk, home)).get("moved")
        for talk in (
            fix_at("0000.0000", "00000.0000"),
            fix_at("0000.1000", "00000.0000"),
            fix_at("0000.1200", "00000.0000"),
            fix_at("0000.1200", "00000.0000", hdop="20.0"),
            fix_at("0000.0000", "17959.9999"),
            fix_at("0000.0000", "00000.0010"),
        )
    ]
    assert moved == [None, False, True, None, True, False]
    assert (tmp_path / "deep" / "gps.json").stat().st_mode & 0o077 == 0


def test_one_wrong_fix_of_several_is_no_move(tmp_path: Path) -> None:
    home = Home(tmp_path / "gps.json", 200.0)
    read("nmea", fix_at("0000.0000", "00000.0000"), home)
    near, far = fix_at("0000.0000", "00000.0000").chunks[0], fix_at("0030.0000", "00000.0000").chunks[0]
    third = len(near) // 3
    reading = read("nmea", Talked((near[:third], far[:third], near[:third])), home)
    assert (figures(reading)["moved"], reading.meanings) == (False, ())


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[]", b'{"latitude": 1}', b'{"latitude": 1e9, "longitude": 0}']
)
def test_a_damaged_home_is_set_aside_and_learnt_anew(tmp_path: Path, damage: bytes) -> None:
    file = tmp_path / "gps.json"
    file.write_bytes(damage)
    home = Home(file, 200.0)
    assert figures(read("nmea", fix_at("0000.0000", "00000.0000"), home)).get("moved") is None
    assert figures(read("nmea", fix_at("0000.0000", "00000.0000"), home))["moved"] is False
    assert (tmp_path / "gps.damaged").read_bytes() == damage


def test_a_position_is_nowhere_but_in_the_home_file(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    home = Home(tmp_path / "gps.json", 200.0)
    reading = read("nmea", fix_at("4313.9876", "07654.3210"), home)
    told = (
        repr(reading)
        + repr(home)
        + caplog.text
        + repr(Sentences().feed(sentence("GPGLL,4313.9876,N,07654.3210,E")))
    )
    assert "4313" not in told
    assert "43.23" not in told
    assert "76.9" not in told


def test_no_recording_has_a_position() -> None:
    files = sorted((FIXTURES / "nmea").glob("*.nmea"))
    places = [p for f in files for p in re.findall(r"\d{4,5}\.\d+,[NSEW]", f.read_text())]
    print(f"\n{len(files)} recordings, {len(places)} places, all zero")
    assert places
    assert all(not set(place[:-2]) - set("0.") for place in places)
