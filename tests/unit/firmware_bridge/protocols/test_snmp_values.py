# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.drivers.radio_words import ATTACHED, PIN, REGISTRATION, SIM, TECHNOLOGY
from firmware_bridge.protocols import snmp_values as values
from firmware_bridge.protocols.snmp import Value
from firmware_bridge.protocols.snmp_values import Parse

PARSERS: dict[str, Parse] = {
    "integer": values.integer,
    "decimal": values.decimal,
    "divided": values.divided(10, 0),
    "count": values.count,
    "counter": values.counter,
    "counter_32": values.counter_32,
    "ticks_s": values.ticks_s,
    "text": values.text,
    "of_number": values.of_number({1: "one"}),
    "technology": TECHNOLOGY,
    "registration": REGISTRATION,
    "name": values.name,
}


@pytest.mark.parametrize(
    ("parse", "value", "expected"),
    [
        ("decimal", -98, -98.0),
        ("decimal", b"-11.0", -11.0),
        ("decimal", b" -69 dBm ", -69.0),
        ("decimal", b'"14"', 14.0),
        ("decimal", b"\x9f\x78\x04\x41\xc8\x00\x00", 25.0),
        ("decimal", b"\x9f\x78\x04\x7f\xc0\x00\x00", None),
        ("decimal", b"NULL", None),
        ("decimal", b"", None),
        ("decimal", b"12 34", None),
        ("decimal", b"1e5", None),
        ("decimal", 2147483647, None),
        ("decimal", -9999, None),
        ("decimal", b"-9999", None),
        ("decimal", (1, 3, 6), None),
        ("divided", 185, 18.5),
        ("divided", 0, None),
        ("integer", b"7", 7),
        ("integer", b"7.5", None),
        ("count", -1, None),
        ("count", 4294967295, None),
        ("count", b"12", 12),
        ("counter", -5, None),
        ("counter", 2**64 - 1, 2**64 - 1),
        ("counter", 2**64, None),
        ("counter", b"\0\0\0\0\0\0\0\x05", None),
        ("counter_32", -1183791572, 3111175724),
        ("counter_32", -(2**40), None),
        ("text", b"RUTX11\0", "RUTX11"),
        ("text", b"N/A", None),
        ("text", b"356938035643809", None),
        ("text", b"AA:BB:CC:DD:EE:FF", None),
        ("text", b"hostAABBCCDDEEFF", "hostAABBCCDDEEFF"),
        ("text", b"ap AABBCCDDEEFF", None),
        ("text", b"\xff\xfe\x00\x01", None),
        ("text", "Қазақтелеком".encode(), "Қазақтелеком"),
        ("text", b"x" * 200, "x" * 60),
        ("text", 5, None),
        ("ticks_s", 12345, 123),
        ("of_number", b"1", "one"),
        ("of_number", 9, None),
        ("name", (1, 3), (1, 3)),
        ("name", b"1.3", None),
    ],
)
def test_a_value_is_read_or_none(parse: str, value: Value, expected: Any) -> None:
    assert PARSERS[parse](value) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("LTE", "lte"),
        ("4G (LTE-A)", "lte"),
        ("LTE Cat M1", "lte_m"),
        ("LTE-M", "lte_m"),
        ("NB-IoT", "nb_iot"),
        ("CAT-NB1", "nb_iot"),
        ("5G-NSA", "nr_nsa"),
        ("5G SA", "nr_sa"),
        ("NR5G-SA", "nr_sa"),
        ("NR5G-NSA", "nr_nsa"),
        ("5G-SA", "nr_sa"),
        ("WCDMA", "umts"),
        ("HSPA+", "umts"),
        ("3G", "umts"),
        ("GPRS", "gsm"),
        ("EDGE", "gsm"),
        ("HSDPA+HSUPA", "umts"),
        ("CAT-NB", "nb_iot"),
        ("LTE_NR5G", None),
        ("GSM_LTE", None),
        ("5G", None),
        ("Auto", None),
        ("EHRPD", None),
        ("N/A", None),
        ("No service", None),
    ],
)
def test_a_technology_is_known_by_its_words(said: str, expected: str | None) -> None:
    assert TECHNOLOGY(said.encode()) == expected


@pytest.mark.parametrize(
    ("parse", "said", "expected"),
    [
        (REGISTRATION, "registered (home)", {"registered": True, "roaming": False}),
        (REGISTRATION, "Registered, home", {"registered": True, "roaming": False}),
        (REGISTRATION, "Registered, roaming", {"registered": True, "roaming": True}),
        (REGISTRATION, "registered (roaming)", {"registered": True, "roaming": True}),
        (REGISTRATION, "Not registered, searching", {"registered": False}),
        (REGISTRATION, "unregistered", {"registered": False}),
        (REGISTRATION, "denied", {"registered": False, "denied": True}),
        (REGISTRATION, "unknown", None),
        (REGISTRATION, "Not supported", None),
        (REGISTRATION, "Searching", {"registered": False}),
        (REGISTRATION, "Registered, emergency services only", {"registered": False}),
        (SIM, "inserted", {"sim_ready": True}),
        (SIM, "not inserted", {"sim_ready": False, "state": "sim_missing"}),
        (SIM, "unknown", None),
        (PIN, "READY", {"sim_ready": True}),
        (PIN, "OK", {"sim_ready": True}),
        (PIN, "Not ready", None),
        (SIM, "Not ready", None),
        (PIN, "SIM busy", None),
        (PIN, "SIM failure", {"sim_ready": False, "state": "sim_missing"}),
        (PIN, "Required PIN", {"sim_ready": False, "state": "sim_locked"}),
        (PIN, "Required network personalization password", {"sim_ready": False, "state": "sim_locked"}),
        (PIN, "SIM PIN", {"sim_ready": False, "state": "sim_locked"}),
        (PIN, "SIM PUK", {"sim_ready": False, "state": "sim_locked"}),
        (ATTACHED, "Connected", True),
        (ATTACHED, "Disconnected", False),
        (ATTACHED, "connecting", None),
    ],
)
def test_a_state_is_known_by_its_words(parse: Parse, said: str, expected: Any) -> None:
    assert parse(said.encode()) == expected


@given(
    st.one_of(st.integers(-(2**70), 2**70), st.binary(max_size=80), st.lists(st.integers(0, 9)).map(tuple))
)
def test_no_value_breaks_a_parser(value: Value) -> None:
    for parse in PARSERS.values():
        parse(value)
