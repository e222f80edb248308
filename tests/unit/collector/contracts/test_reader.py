# SPDX-License-Identifier: Apache-2.0
"""Are contracts read as written, and is everything else refused with a sentence that helps?"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from collector.contracts.book import NO_CONTRACTS, Contracts
from collector.contracts.reader import read_contracts
from collector.errors import ConfigError
from collector.registry import Registry, School
from collector.sla.exclusion import ExclusionType
from collector.sla.parameters import STANDARD, Term
from collector.sla.penalty import ConsecutiveDays, PerHour
from collector.sla.period import Month
from collector.sla.throughput import ThroughputTarget
from collector.sla.tiers import AvailabilityTiers
from tests.unit.collector.sla.school import ALMATY, slot

INVALID = sorted((Path(__file__).parent / "invalid").glob("*.toml"))
EXAMPLE = Path(__file__).parents[4] / "deploy" / "contracts.example.toml"
REGISTRY = Registry.of([School(id=f"kz-000{n}", operator="op1", region="turkestan") for n in (1, 2, 3)], [])
VALID = (Path(__file__).parent / "valid.toml").read_text()


def read(folder: Path, *texts: str) -> Contracts:
    files = [folder / f"{n}.toml" for n in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text)
    return read_contracts(files, REGISTRY)


def test_there_is_a_file_for_every_rule() -> None:
    assert len(INVALID) == 80


@pytest.mark.parametrize("file", INVALID, ids=lambda f: f.stem)
def test_a_file_that_breaks_a_rule_is_refused_with_its_sentence(file: Path) -> None:
    sentence = file.read_text().splitlines()[0].removeprefix("# ")
    with pytest.raises(ConfigError) as raised:
        read_contracts([file], REGISTRY)

    assert str(raised.value).startswith(f"{file}: ")
    assert sentence in str(raised.value)


def test_the_example_is_read_as_it_says() -> None:
    made = read_contracts([EXAMPLE], REGISTRY)
    (contract,) = made.of("kz-0001")
    first, second = (s.promise for s in contract.stretches)

    assert (made.contracts, made.calendars, made.warnings) == (("kz-2026-1",), ("two-shifts", "boarding"), ())
    assert list(made.by_school) == ["kz-0001", "kz-0002", "kz-0003"]
    assert (contract.students, contract.region, contract.currency) == (412, "turkestan", "KZT")
    assert contract.exchange is not None
    assert (contract.exchange.rate, contract.exchange.day) == (Decimal("0.00192"), "2026-11-02")
    assert (first.since, first.availability, first.lot) == (dt.date(2026, 9, 1), Fraction(99, 100), "lot-1")
    assert (first.down_mbps, first.up_mbps) == (Fraction(20), Fraction(4))
    assert first.monthly_fee == Decimal("145000.00")
    assert first.throughput == ThroughputTarget()
    assert (first.latency.idle_rtt_ms, first.latency.idle_loss_ratio) == (Fraction(750), Fraction(1, 50))
    assert first.repair is not None
    assert (first.repair.within_slots, first.repair.share_ratio) == (1440, Fraction(19, 20))
    assert [type(rule) for rule in first.penalties] == [PerHour, ConsecutiveDays]
    assert first.exclusions[ExclusionType.PLANNED_MAINTENANCE].refuses_late
    assert first.combination.cap_fee_ratio == Decimal("0.5")
    assert (second.availability, second.down_mbps) == (Fraction(995, 1000), Fraction(50))
    assert [type(rule) for rule in second.penalties] == [AvailabilityTiers]


def test_the_examples_calendars_count_what_a_person_counts() -> None:
    """November 2026 from the 2nd: 21 weekdays of 12 h and 4 Saturdays of 6 h: 252 + 24 = 276 h.

    December: 21 weekdays until the 29th less the 16th, 20 x 12 = 240; Saturdays 5th, 19th, 26th of 6 h and
    the 12th of 5 h: 263 h. kz-0002 is closed from the 9th to the 13th of November: 5 x 12 = 60 h less.
    """
    made = read_contracts([EXAMPLE], REGISTRY)

    def hours(school: str, month: str) -> float:
        (contract,) = made.of(school)
        return len(contract.service(*Month.parse(month).slots(ALMATY).spans[0])) / 60

    assert hours("kz-0001", "2026-11") == 276
    assert hours("kz-0001", "2026-12") == 263
    assert hours("kz-0002", "2026-11") == 216
    assert hours("kz-0003", "2026-11") == 30 * 14
    assert hours("kz-0003", "2026-12") == 31 * 14
    assert hours("kz-0001", "2027-06") == 0


def test_a_change_holds_from_midnight_by_the_clock_of_the_place() -> None:
    made = read_contracts([EXAMPLE], REGISTRY)
    change = slot("2027-01-11T00:00+05:00")
    before, after = made.at("kz-0003", change - 1), made.at("kz-0003", change)

    assert before is not None
    assert after is not None
    assert (before.lot, before.technology, after.lot, after.technology) == (
        "lot-2",
        "cellular",
        "lot-1",
        "geo",
    )
    assert before.calendar.id == "boarding"
    assert before.latency.idle_rtt_ms == 100  # of any technology
    assert made.at("kz-0003", slot("2026-08-31T23:59+05:00")) is None
    assert made.at("kz-0003", slot("2027-09-01T00:00+05:00")) is None
    assert made.at("nobody", change) is None


def test_schools_that_go_by_the_same_hours_share_a_calendar() -> None:
    made = read_contracts([EXAMPLE], REGISTRY)
    one, two, three = (made.of(f"kz-000{n}")[0].stretches[-1].promise.calendar for n in (1, 2, 3))

    assert one is three
    assert one is not two


def test_the_judge_is_told_its_figures_without_a_hole() -> None:
    made = read_contracts([EXAMPLE], REGISTRY)
    begin, end = slot("2026-09-01T00:00+05:00"), slot("2027-09-01T00:00+05:00")

    terms = list(made.terms("kz-0001", begin - 10, end + 9))

    assert [t.first_slot for t in terms] == [begin - 10, begin, slot("2027-01-11T00:00+05:00"), end]
    assert all(a.last_slot + 1 == b.first_slot for a, b in pairwise(terms))
    assert terms[-1].last_slot == end + 9
    assert list(NO_CONTRACTS.terms("x", 5, 9)) == [Term(5, 9, STANDARD)]
    assert [(t.first_slot, t.last_slot) for t in made.terms("kz-0001", begin, begin + 5)] == [
        (begin, begin + 5)
    ]


def test_calendars_may_stand_in_another_file_whatever_the_order(tmp_path: Path) -> None:
    calendars, contracts = VALID.split("[[contract]]")

    made = read(tmp_path, "[[contract]]" + contracts, calendars)

    assert made.contracts == ("c-1",)


def test_contracts_may_follow_each_other(tmp_path: Path) -> None:
    """From the next day on, not from the last one."""
    _, contract = VALID.split("[[contract]]")
    following = "[[contract]]" + contract.replace("c-1", "c-2").replace("2027", "2028").replace(
        "2026-09-01", "2027-09-01"
    )

    made = read(tmp_path, VALID, following)

    assert [c.contract for c in made.of("kz-0001")] == ["c-1", "c-2"]
    assert [s.promise.since.year for s in made.stretches("kz-0001", 0, 10**9)] == [2026, 2027]


def test_a_target_of_all_is_allowed_and_one_of_nothing_as_well(tmp_path: Path) -> None:
    for target in ("1", "1.0", "0"):
        made = read(tmp_path, VALID.replace("0.99", target))
        assert made.of("kz-0001")[0].stretches[0].promise.availability == Fraction(target)


def test_a_lot_may_have_a_target_and_hours_of_its_own(tmp_path: Path) -> None:
    night = (
        '[[calendar]]\nid = "night"\nzone = "Asia/Almaty"\n[[calendar.version]]\nsince = 2026-09-01\n'
        'shift = [{ days = ["mon"], hours = "22:00-02:00" }]\n'
    )
    lot = '[[contract.version.lot]]\nid = "lot-2"\ntechnology = "leo"\nschools = ["kz-0003"]\n'
    made = read(tmp_path, night, VALID + lot + 'calendar = "night"\navailability_ratio = 0.95\n')

    promises = [made.of(f"kz-000{n}")[0].stretches[0].promise for n in (1, 3)]

    assert [p.availability for p in promises] == [Fraction(99, 100), Fraction(95, 100)]
    assert [p.calendar.id for p in promises] == ["day", "night"]


def test_a_day_may_end_at_24(tmp_path: Path) -> None:
    made = read(tmp_path, VALID.replace("08:00-20:00", "00:00-24:00"))
    monday = slot("2026-11-02T00:00+05:00")

    assert made.of("kz-0001")[0].service(monday, monday + 1440).spans == ((monday, monday + 1440),)


def test_a_machine_that_does_not_know_kazakhstans_time_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before tzdata 2024a Almaty stays at UTC+6, and every shift would be an hour off."""
    old = dt.timezone(dt.timedelta(hours=6))
    monkeypatch.setattr("collector.contracts.zone.zoneinfo.ZoneInfo", lambda _: old)

    with pytest.raises(ConfigError, match=r"calendar\[0\]\.zone: .*this machine needs tzdata 2024a or newer"):
        read(tmp_path, VALID)


def test_what_is_allowed_but_hardly_meant_is_a_warning(tmp_path: Path) -> None:
    text = (
        VALID.replace(
            "shift =",
            "term = [{ first = 2026-09-01, last = 2027-05-25 }]\n"
            "holidays = [2025-12-16, 2026-12-16]\nshift =",
        )
        .replace('operator = "op1"', 'operator = "op2"')
        .replace('"kz-0001", "kz-0002"', '"kz-0001"')
    )
    empty = (
        '[[contract]]\nid = "c-2"\noperator = "op1"\nfirst = 2026-09-01\nlast = 2026-09-02\n'
        '[[contract.version]]\nsince = 2026-09-01\navailability_ratio = 1\ncalendar = "day"\nlot = []\n'
    )

    assert read(tmp_path, text, empty).warnings == (
        "calendar 'day': the holiday 2025-12-16 is outside all its terms",
        "contract 'c-1': school 'kz-0001' is registered with operator 'op1', not 'op2'",
        "contract 'c-2' promises no school anything",
    )


def test_nothing_written_is_nothing_promised(tmp_path: Path) -> None:
    assert read(tmp_path) == NO_CONTRACTS
    assert read(tmp_path, "") == NO_CONTRACTS


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gone\.toml: cannot be read"):
        read_contracts([tmp_path / "gone.toml"], REGISTRY)
