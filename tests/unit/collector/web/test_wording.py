# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.web import wording
from collector.web.wording import Times
from tests.unit.collector.web.fakes import NOW_MS

ALMATY = Times(zoneinfo.ZoneInfo("Asia/Almaty"))


def test_times_are_of_their_zone() -> None:
    assert ALMATY.stamp(NOW_MS) == "18 Nov 2026 16:07:00"
    assert ALMATY.brief(NOW_MS) == "18 Nov 16:07"
    assert ALMATY.clock(NOW_MS) == "16:07"
    assert wording.iso(NOW_MS) == "2026-11-18T11:07:00Z"


@pytest.mark.parametrize(
    ("zone", "offset"),
    [
        ("Asia/Almaty", "UTC+5"),
        ("UTC", "UTC"),
        ("Asia/Kathmandu", "UTC+5:45"),
        ("America/St_Johns", "UTC−3:30"),
    ],
)
def test_offset_is_written_out(zone: str, offset: str) -> None:
    assert Times(zoneinfo.ZoneInfo(zone)).offset(NOW_MS) == offset


@given(st.integers() | st.none())
def test_times_are_written_whatever_the_number(at_ms: int | None) -> None:
    assert ALMATY.stamp(at_ms)
    assert ALMATY.offset(at_ms or 0)
    wording.iso(at_ms)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (11520, "3 h 12 min"),
        (90000, "1 d 1 h"),
        (-5, "0 s"),
    ],
)
def test_duration_has_its_two_largest_units(seconds: float | None, said: str) -> None:
    assert wording.duration(seconds) == said


def test_age_has_one_unit() -> None:
    assert wording.age(11520) == "3 h"
    assert wording.age(None) == "–"


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "–"), (0, "0.00 ms"), (0.314, "0.31 ms"), (4.25, "4.2 ms"), (99.6, "100 ms"), (612.4, "612 ms")],
)
def test_milliseconds_have_the_digits_that_count(value: float | None, said: str) -> None:
    assert wording.milliseconds(value) == said


@pytest.mark.parametrize(
    ("ratio", "said"),
    [(None, "–"), (0, "0 %"), (1, "100 %"), (0.0004, "< 0.1 %"), (0.013, "1.3 %"), (0.2, "20.0 %")],
)
def test_percent_never_hides_a_loss(ratio: float | None, said: str) -> None:
    assert wording.percent(ratio) == said


def test_rates_and_volumes_have_si_units() -> None:
    assert wording.bit_rate(150_000) == "1.2 Mbit/s"
    assert wording.bit_rate(0) == "0 bit/s"
    assert wording.bit_rate(10**15) == "8000000 Gbit/s"
    assert wording.volume(24_100_000_000) == "24.1 GB"
    assert wording.number(12345) == "12\u202f345"
    assert wording.bit_rate(None) == wording.volume(None) == wording.number(None) == "–"
