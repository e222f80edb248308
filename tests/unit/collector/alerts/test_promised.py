# SPDX-License-Identifier: Apache-2.0
"""Is what a school was promised what its figures are held against?"""

from __future__ import annotations

import datetime as dt
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from agent.contract.kinds import Throughput
from collector.alerts.expiry import certificate_signs
from collector.alerts.sign import Promised, Sign, budget_sign, signs
from collector.contracts.reader import read_contracts
from collector.registry import Placement, Registry, School
from collector.sla.budget import budget
from tests.unit.collector.sinks.measurements import measurement

_CONTRACT = """
[[calendar]]
id = "day"
zone = "Asia/Almaty"
[[calendar.version]]
since = 2026-09-01
shift = [{ days = ["mon", "tue", "wed", "thu", "fri"], hours = "08:00-20:00" }]
[[contract]]
id = "c-1"
operator = "op1"
first = 2026-09-01
last = 2027-08-31
[[contract.version]]
since = 2026-09-01
availability_ratio = 0.99
calendar = "day"
[[contract.version.lot]]
id = "lot-1"
technology = "geo"
schools = ["kz-1"]
down_mbps = 10
monthly_fee = 1000
"""
_SCHOOLS = [School(id="kz-1", operator="op1"), School(id="kz-2", operator="op1")]
_REGISTRY = Registry.of(_SCHOOLS, [Placement(device="d-1", school="kz-1")])
_MONDAY = dt.datetime(2026, 11, 9, 12, 0, tzinfo=dt.timezone(dt.timedelta(hours=5)))


@pytest.fixture
def promised(tmp_path: Path) -> Promised:
    file = tmp_path / "contracts.toml"
    file.write_text(_CONTRACT)
    return Promised(contracts=read_contracts([file], _REGISTRY))


def ratios(
    promised: Promised, at: dt.datetime = _MONDAY, school: School = _SCHOOLS[0], **test: Any
) -> list[Sign]:
    """What one test says beside that it was heard."""
    plain = {"direction": "down", "server": "s", "method": "capacity", "mbps": 6.0, "validity": "valid"}
    fields = Throughput(**{**plain, **test})
    made = measurement(fields=fields, school=school, at_ms=int(at.timestamp() * 1000))
    return [sign for sign in signs(made, promised) if sign.figure != "heard"]


def test_a_test_is_held_against_what_the_contract_asks_of_one(promised: Promised) -> None:
    """6 of 10 Mbit/s where four fifths are asked: 6 / 8."""
    (sign,) = ratios(promised)
    assert (sign.figure, sign.school, sign.value, sign.cause) == (
        "throughput_ratio",
        "kz-1",
        0.75,
        "6.0 Mbit/s",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"at": _MONDAY.replace(hour=22)},
        {"at": _MONDAY - dt.timedelta(days=1)},
        {"at": _MONDAY.replace(year=2028)},
        {"school": _SCHOOLS[1]},
        {"direction": "up"},
        {"direction": "sideways"},
        {"mbps": None},
        {"validity": "suspect"},
        {"validity": None},
    ],
)
def test_what_was_not_promised_or_not_valid_says_nothing(promised: Promised, changes: dict[str, Any]) -> None:
    assert ratios(promised, **changes) == []


def test_a_budget_of_nothing_is_spent_by_the_first_minute() -> None:
    found = [
        budget_sign("kz-1", budget(Fraction(target), 15_840, down), 1).value
        for target, down in (("0.99", 0), ("0.99", 79), ("0.99", 159), ("1", 0), ("1", 1))
    ]
    assert found[0] == found[3] == 0
    assert found[1] == pytest.approx(79 / 158.4)
    assert found[2] > 1
    assert found[4] == 10


def test_certificates_of_devices_that_stand_somewhere_are_watched() -> None:
    lives = {"d-1": (0, 1000), "d-2": (0, 1000)}
    (sign,) = certificate_signs(lives, _REGISTRY, 900_000)
    assert (sign.device, sign.school) == ("d-1", "kz-1")
    assert sign.value == pytest.approx(0.1)
    assert sign.cause == "until 1970-01-01 00:16 UTC"
    assert certificate_signs(lives, _REGISTRY, 2_000_000)[0].value < 0
    assert certificate_signs({}, _REGISTRY, 900_000)[0].value == 1
