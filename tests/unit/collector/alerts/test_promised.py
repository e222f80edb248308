# SPDX-License-Identifier: Apache-2.0
"""Is what a school was promised what its figures are held against?"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from agent.contract.kinds import Reach, Throughput
from collector.alerts.expiry import certificate_signs
from collector.alerts.sign import Promised, Sign, budget_sign, signs
from collector.alerts.spending import budget_signs
from collector.config import load_config
from collector.contracts.reader import read_contracts
from collector.moment import TimeBasis
from collector.registry import Placement, Registry, School
from collector.sla.book import Verdicts
from collector.sla.budget import budget
from collector.sla.cause import Cause
from collector.sla.exclusion import Exclusion, ExclusionType, Scope, ScopeKind, Status
from collector.sla.outage import Outage
from collector.sla.slot import SLOT_MS, SlotClass, slot_of
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


def test_a_test_that_the_judge_takes_for_invalid_says_nothing(promised: Promised) -> None:
    fields = Throughput(direction="down", server="s", method="capacity", mbps=6.0, validity="valid")
    at_ms = int(_MONDAY.timestamp() * 1000)
    failed = measurement(fields=fields, school=_SCHOOLS[0], at_ms=at_ms, reason="gone")
    undated = dataclasses.replace(
        measurement(fields=fields, school=_SCHOOLS[0], at_ms=at_ms), time_basis=TimeBasis.UNKNOWN
    )

    for made in (failed, undated):
        assert [sign.figure for sign in signs(made, promised)] == ["heard"]


class Kept:
    """Verdicts of a month that began as it is told."""

    def __init__(self, down: int) -> None:
        self.asked: list[tuple[str, int, int]] = []
        self._down = down

    def verdicts(self, school: str, first: int, last: int) -> Verdicts:
        self.asked.append((school, first, last))
        classes = bytearray([SlotClass.UP]) * (last - first + 1)
        nine = 9 * 60  # on Monday the 2nd, by the clock of the school
        begin = 24 * 60 + nine
        classes[begin : begin + self._down] = bytes([SlotClass.DOWN_PROVIDER]) * self._down
        return Verdicts(bytes(classes), bytes(len(classes)))

    def outages(self, school: str, first: int, last: int) -> list[Outage]:
        begin = first + 24 * 60 + 9 * 60
        assert begin <= last
        return [
            Outage(
                school=school,
                first_slot=begin,
                last_slot=begin + self._down - 1,
                is_open=False,
                begin_ms=begin * SLOT_MS,
                end_ms=(begin + self._down) * SLOT_MS,
                begin_resolution_s=60,
                end_resolution_s=60,
                cause=Cause.LINE,
                confidence=None,
                slots=(0, 0, 0, self._down, 0),
                parts=(),
            )
        ]


def test_what_the_judge_says_becomes_a_budget(promised: Promised) -> None:
    """21 working days of 12 hours at 99 %: 151.2 minutes; 120 are lost, ten of them excluded."""
    at_ms = int(_MONDAY.timestamp() * 1000)
    kept = Kept(120)
    (sign,) = budget_signs(promised.contracts, (), kept, at_ms)
    assert (sign.school, sign.cause) == ("kz-1", "120 minutes")
    assert sign.value == pytest.approx(120 / 151.2)
    first = slot_of(int(dt.datetime(2026, 11, 1, tzinfo=_MONDAY.tzinfo).timestamp() * 1000))
    assert kept.asked == [("kz-1", first, slot_of(at_ms))]
    begin_ms = (first + 24 * 60 + 9 * 60) * 60_000
    excluded = Exclusion(
        id="e",
        type=ExclusionType.POWER,
        scope=Scope(kind=ScopeKind.ALL),
        from_ms=begin_ms,
        to_ms=begin_ms + 600_000,
        declared_at_ms=begin_ms,
        declared_by="A",
        reason="r",
        status=Status.APPROVED,
        decided_at_ms=begin_ms,
        decided_by="B",
    )
    (less,) = budget_signs(promised.contracts, [excluded], kept, at_ms)
    assert less.value == pytest.approx(110 / 151.1)
    later_ms = int(_MONDAY.replace(year=2028).timestamp() * 1000)
    assert list(budget_signs(promised.contracts, (), kept, later_ms)) == []


async def test_the_budget_goes_from_records_over_the_judge_to_an_alert(tmp_path: Path) -> None:
    """100 of 151.2 minutes are lost on the morning of the 9th."""
    (tmp_path / "contracts.toml").write_text(_CONTRACT)
    (tmp_path / "registry.toml").write_text(
        '[[school]]\nid = "kz-1"\noperator = "op1"\n[[device]]\nid = "d-1"\nschool = "kz-1"\n'
    )
    file = tmp_path / "collector.toml"
    lines = [
        "[registry]",
        f'file = "{tmp_path}/registry.toml"',
        "[alerts]",
        "enabled = true",
        f'directory = "{tmp_path}/alerts"',
        "[contracts]",
        f'files = ["{tmp_path}/contracts.toml"]',
        f'exclusions_file = "{tmp_path}/exclusions.jsonl"',
        "[sinks.judge]",
        "enabled = true",
        f'path = "{tmp_path}/verdicts.db"',
    ]
    file.write_text("\n".join(lines))
    config = load_config(file, with_broker=False)
    judge, watchman = config.make_sink("judge"), config.make_watchman()
    at_ms = int(_MONDAY.timestamp() * 1000)
    watchman._clock_ms = lambda: at_ms
    down = Reach(up=False, anchors=3, anchors_up=0, gateway_asked=3, gateway_answered=3, hint="down_provider")
    up = Reach(up=True, anchors=3, anchors_up=3, gateway_asked=3, gateway_answered=3, hint="up")
    with contextlib.closing(watchman.outbox):
        watchman.ask()
        assert watchman.tick() == []
        await judge.write(
            [
                measurement(
                    seq=n + 1,
                    fields=up if n < 20 else down,
                    school=_SCHOOLS[0],
                    device="d-1",
                    at_ms=at_ms - (120 - n) * 60_000,
                    received_ms=at_ms,
                )
                for n in range(120)
            ]
        )
        await judge.close()
        watchman.ask()
        (told,) = watchman.tick()
    assert told.rule == "budget_50"
    assert told.details["value"] == pytest.approx(100 / 151.2)
    assert told.summary == "kz-1: 66% of the month's downtime budget is spent (100 minutes)"


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
