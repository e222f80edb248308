# SPDX-License-Identifier: Apache-2.0
"""Who is told what of a fleet, minute by minute?"""

from __future__ import annotations

import pytest

from agent.contract.decoder import DecodeError
from collector.alerts.hours import read_hours
from collector.alerts.rule import RULES, read_rules
from collector.alerts.sign import Sign
from collector.registry import School
from tests.unit.collector.alerts.day import MINUTE_MS, Day, fleet, said


def test_an_outage_fires_once_and_is_over_once() -> None:
    day = Day(fleet({"op": 1}))
    day.minute(times=5)
    began_ms = day.now_ms + MINUTE_MS
    fired = day.minute(["op-0"], times=30)
    assert said(fired) == [("outage", "firing")]
    assert fired[0].starts_at_ms == began_ms
    assert fired[0].labels == {"school": "op-0", "region": "r-op-0", "operator": "op"}
    assert fired[0].schools[0].cause == "down_provider"
    over = day.minute(times=30)
    assert said(over) == [("outage", "resolved")]
    assert over[0].alert == fired[0].alert
    assert over[0].ends_at_ms == began_ms + 30 * MINUTE_MS
    assert over[0].schools[0].since_ms == began_ms


def test_two_bad_minutes_are_none() -> None:
    day = Day(fleet({"op": 1}))
    for _ in range(20):
        day.minute(["op-0"], times=2)
        day.minute(times=3)
    assert day.told == []


def test_many_of_one_operator_are_one_alert_that_names_them() -> None:
    day = Day(fleet({"op1": 10, "op2": 10}))
    day.minute(times=5)
    down = {f"op1-{n}" for n in range(4)}
    fired = day.minute(down, times=10)
    assert said(fired) == [("operator_outage", "firing")]
    assert {s.school for s in fired[0].schools} == down
    assert fired[0].labels == {"operator": "op1"}
    joined = day.minute(down | {"op1-7"}, times=10)
    assert said(joined) == [("operator_outage", "updated")]
    assert joined[0].schools_total == 5
    over = day.minute(times=10)
    assert said(over) == [("operator_outage", "resolved")]


def test_who_stays_down_when_the_others_are_back_is_told_alone() -> None:
    day = Day(fleet({"op1": 10, "op2": 10}))
    day.minute(times=5)
    day.minute([f"op1-{n}" for n in range(4)], times=10)
    assert said(day.minute(["op1-2"], times=10)) == [("operator_outage", "resolved"), ("outage", "firing")]


def test_three_of_many_are_told_each_for_itself() -> None:
    day = Day(fleet({"op1": 50}))
    day.minute(times=5)
    fired = day.minute(["op1-1", "op1-2", "op1-3"], times=10)
    assert said(fired) == [("outage", "firing")] * 3


def test_those_that_went_down_far_apart_have_not_one_reason() -> None:
    day = Day(fleet({"op1": 4}))
    day.minute(times=5)
    day.minute(["op1-0"], times=10)
    day.minute(["op1-0", "op1-1"], times=10)
    assert said(day.minute(["op1-0", "op1-1", "op1-2"], times=10)) == [("outage", "firing")]
    assert len(day.told) == 3


def test_a_region_is_seen_where_operators_are_mixed() -> None:
    schools = {
        **fleet({"op1": 2, "op2": 2, "op3": 2}, region="Aqtöbe"),
        **{f"far-{n}": School(id=f"far-{n}", operator=f"op{n % 3 + 1}", region="Almaty") for n in range(30)},
    }
    day = Day(schools)
    day.minute(times=5)
    fired = day.minute([s for s in schools if not s.startswith("far")], times=10)
    assert said(fired) == [("region_outage", "firing")]
    assert fired[0].labels == {"region": "Aqtöbe"}


def test_a_silent_device_is_told_after_a_quarter_of_an_hour() -> None:
    day = Day(fleet({"op1": 10, "op2": 10}))
    day.minute(times=5)
    assert day.minute(silent=["op1-3"], times=14) == []
    assert said(day.minute(silent=["op1-3"], times=5)) == [("silent", "firing")]
    assert said(day.minute(times=5)) == [("silent", "resolved")]


def test_when_all_fall_silent_it_is_us_and_no_school_is_blamed() -> None:
    day = Day(fleet({"op1": 10, "op2": 10}))
    day.minute(times=5)
    assert said(day.minute(silent=list(day.schools), times=60)) == [("collector_degraded", "firing")]
    assert said(day.minute(times=10)) == [("collector_degraded", "resolved")]


def test_when_one_operator_falls_silent_it_is_not_us_and_told_once() -> None:
    day = Day(fleet({"op1": 10, "op2": 10}))
    day.minute(times=5)
    fired = day.minute(silent=[s for s in day.schools if s.startswith("op1")], times=25)
    assert said(fired) == [("operator_silent", "firing")]
    assert fired[0].schools_total == 10


def test_a_school_that_was_never_heard_of_is_not_down() -> None:
    day = Day(fleet({"op1": 3, "op2": 3}))
    assert day.minute(silent=["op1-0"], times=120) == []


def test_one_that_flaps_is_one_alert_until_it_is_quiet() -> None:
    day = Day(fleet({"op": 1}))
    day.minute(times=5)
    for _ in range(10):
        day.minute(["op-0"], times=5)
        day.minute(times=5)
    assert said(day.told) == [
        ("outage", "firing"),
        ("outage", "resolved"),
        ("outage", "firing"),
        ("outage", "updated"),
    ]
    assert day.told[-1].summary.endswith("(comes and goes)")
    assert said(day.minute(times=70)) == [("outage", "resolved")]


def test_one_that_flaps_and_is_well_when_it_is_told_began_when_it_was_last_down() -> None:
    day = Day(fleet({"op": 1}))
    day.minute(times=5)
    day.is_muted = lambda _: True
    day.minute(["op-0"], times=5)
    day.minute(times=5)
    began_ms = day.now_ms + MINUTE_MS
    day.minute(["op-0"], times=5)
    day.minute(times=5)
    day.is_muted = lambda _: False
    (told,) = day.minute(times=2)
    assert (told.state, told.summary.endswith("(comes and goes)")) == ("firing", True)
    assert (told.starts_at_ms, told.schools[0].since_ms) == (began_ms, began_ms)


def test_what_is_muted_is_not_told_and_what_still_fires_afterwards_is() -> None:
    day = Day(fleet({"op": 1}))
    day.minute(times=5)
    day.is_muted = lambda school: school.id == "op-0"
    assert day.minute(["op-0"], times=30) == []
    day.is_muted = lambda _: False
    assert said(day.minute(["op-0"], times=2)) == [("outage", "firing")]


def test_outside_the_service_hours_nobody_is_called_but_for_a_whole_operator() -> None:
    hours = read_hours("mon-sun 08:00-20:00", "Asia/Almaty")
    day = Day(fleet({"op1": 10, "op2": 10}), hours)
    assert hours is not None
    day.until(lambda at_ms: not hours.holds(at_ms))
    day.minute(times=5)
    assert day.minute(["op1-0"], times=30) == []
    assert day.minute(["op1-1"], times=30) == []
    whole = {f"op2-{n}" for n in range(5)}
    assert said(day.minute({"op1-1", *whole}, times=10)) == [("operator_outage", "firing")]
    day.restart()
    day.minute(["op1-1"], times=10)
    day.until(lambda at_ms: hours.holds(at_ms + MINUTE_MS))
    morning = day.minute(["op1-1"], times=2)
    assert said(morning) == [("outage", "firing"), ("digest", "digest")]
    assert morning[1].labels == {"operator": "op1"}
    assert {s.school for s in morning[1].schools} == {"op1-0", "op1-1"}
    assert morning[1].summary == "outside hours: 2 alerts at 2 schools, 1 still hold"


def test_an_acknowledgement_is_told_once_and_names_its_owner() -> None:
    day = Day(fleet({"op": 1}))
    day.minute(times=5)
    (fired,) = day.minute(["op-0"], times=10)
    until_ms = day.now_ms + 3_600_000
    events = day.engine.acknowledge(fired.alert, "Aigerim", until_ms, day.now_ms, day.fleet())
    assert [(e.state, e.details["owner"]) for e in events] == [("acknowledged", "Aigerim")]
    assert day.engine.acknowledge(fired.alert, "Aigerim", until_ms, day.now_ms, day.fleet()) == []
    assert day.engine.acknowledge("alert_unknown", "Aigerim", until_ms, day.now_ms, day.fleet()) == []


def test_a_figure_between_its_two_limits_changes_nothing() -> None:
    day = Day(fleet({"op": 1}))
    events = []
    for free_mb in (900, 190, 210, 390, 190, 410, 300, 150):
        day.now_ms += MINUTE_MS
        day.engine.take([Sign("spool_free_mb", "op-0", day.now_ms, free_mb, device="op-0-pi")], day.now_ms)
        events += day.look()
    assert said(events) == [("spool_low", "firing"), ("spool_low", "resolved"), ("spool_low", "firing")]
    assert events[0].summary == "school op-0 (op-0-pi): little space on the card: 190 MB"


def test_every_rule_can_be_read_and_changed() -> None:
    assert read_rules({}) == RULES
    changed = read_rules({"outage": {"open_after": 5}, "degraded": {"enabled": False}})
    assert changed["outage"].open_after == 5
    assert "degraded" not in changed


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"outages": {}}, "unknown rule.*outage"),
        ({"outage": {"open_after": 0}}, "at least 1"),
        ({"outage": {"open": 1}}, "open"),
        ({"spool_low": {"raise_at": 400}}, "must differ"),
        ({"outage": {"raise_at": 4}}, "go together"),
        ({"outage": {"sentence": "x"}}, "not yours"),
        ({"outage": 3}, "must be a table"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(tables: dict[str, object], words: str) -> None:
    with pytest.raises((DecodeError, ValueError), match=words):
        read_rules(tables)


@pytest.mark.parametrize(
    "text", ["always", "mon 08:00", "mon-xyz 08:00-20:00", "mon 20:00-08:00", "mon 8-20", "mon 08:00-25:00"]
)
def test_hours_that_cannot_be_meant_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="service_hours"):
        read_hours(text, "Asia/Almaty")


def test_hours_may_go_over_the_weekend() -> None:
    hours = read_hours("sat-mon 08:00-24:00", "Asia/Almaty")
    assert hours is not None
    assert hours.days == {5, 6, 0}
    assert read_hours("", "Asia/Almaty") is None


def test_a_failure_that_rolls_over_an_operator_in_five_minutes_is_one_alert_that_names_all() -> None:
    """Twenty of fifty, four a minute: the first are told before there are enough, the others are not."""
    day = Day(fleet({"op1": 50, "op2": 50}))
    day.minute(times=5)
    down: set[str] = set()
    for minute in range(5):
        down |= {f"op1-{4 * minute + n}" for n in range(4)}
        day.minute(down)
    day.minute(down, times=15)
    fired = said(day.told)
    assert fired.count(("operator_outage", "firing")) == 1
    assert ("outage", "firing") not in fired[fired.index(("operator_outage", "firing")) :]
    parent = [e for e in day.told if e.rule == "operator_outage"][-1]
    assert {s.school for s in parent.schools} == down
    over = said(day.minute(times=10))
    assert over.count(("operator_outage", "resolved")) == 1
    assert over.count(("outage", "resolved")) == fired.count(("outage", "firing"))


def test_schools_that_are_long_silent_do_not_count_as_reporting() -> None:
    day = Day(fleet({"op1": 20, "op2": 20}))
    day.minute(times=5)
    gone: set[str] = set()
    for n in range(14):
        gone.add(f"op1-{n}")
        day.minute(silent=gone, times=7)
    day.minute(silent=gone, times=30)
    before = len(day.told)
    day.minute({"op1-15", "op1-16", "op1-17"}, silent=gone, times=10)
    assert said(day.told[before:]) == [("operator_outage", "firing")]


def test_an_operator_that_is_gone_already_does_not_hide_that_it_is_us() -> None:
    day = Day(fleet({"op1": 10, "op2": 10, "op3": 3}))
    day.minute(times=5)
    dead = {"op3-0", "op3-1", "op3-2"}
    assert said(day.minute(silent=dead, times=30)) == [("operator_silent", "firing")]
    assert said(day.minute(silent=list(day.schools), times=60)) == [("collector_degraded", "firing")]


def test_one_school_less_than_most_is_not_us() -> None:
    day = Day(fleet({"op1": 10, "op2": 10}))
    day.minute(times=5)
    half = {f"op{o}-{n}" for o in (1, 2) for n in range(5)}
    assert ("collector_degraded", "firing") not in said(day.minute(silent=half, times=40))
    day = Day(fleet({"op1": 10, "op2": 10}))
    day.minute(times=5)
    more = half | {"op1-5", "op2-5"}
    assert said(day.minute(silent=more, times=40)) == [("collector_degraded", "firing")]


def test_schools_that_are_switched_off_in_the_evening_one_by_one_are_not_us() -> None:
    day = Day(fleet({"op1": 6, "op2": 6}))
    day.minute(times=5)
    off: set[str] = set()
    for school in day.schools:
        off.add(school)
        day.minute(silent=off, times=7)
    assert ("collector_degraded", "firing") not in said(day.told)


def test_who_stays_silent_after_it_was_us_is_told_some_minutes_later() -> None:
    day = Day(fleet({"op1": 10, "op2": 10}))
    day.minute(times=5)
    day.minute(silent=list(day.schools), times=60)
    back = day.minute(silent=["op1-3"], times=4)
    assert said(back) == [("collector_degraded", "resolved")]
    assert said(day.minute(silent=["op1-3"], times=10)) == [("silent", "firing")]


def test_a_school_known_to_be_down_is_not_called_silent_as_well() -> None:
    day = Day(fleet({"op1": 10, "op2": 10}))
    day.minute(times=5)
    assert said(day.minute(["op1-0"], times=10)) == [("outage", "firing")]
    assert day.minute(silent=["op1-0"], times=60) == []
    assert said(day.minute(times=10)) == [("outage", "resolved")]


def test_a_restart_in_the_middle_of_a_group_makes_no_second_one() -> None:
    day = Day(fleet({"op1": 10, "op2": 10}))
    day.minute(times=5)
    down = {f"op1-{n}" for n in range(5)}
    for _ in range(15):
        day.minute(down)
        day.restart()
    assert said(day.told) == [("operator_outage", "firing")]
    for _ in range(15):
        day.minute()
        day.restart()
    assert said(day.told)[1:] == [("operator_outage", "resolved")]


def test_a_group_under_maintenance_calls_nobody() -> None:
    day = Day(fleet({"op1": 10, "op2": 10}))
    day.minute(times=5)
    day.is_muted = lambda school: school.operator == "op1"
    down = {f"op1-{n}" for n in range(8)}
    assert day.minute(down, times=20) == []
    day.is_muted = lambda _: False
    assert said(day.minute(down, times=3)) == [("operator_outage", "firing")]


def test_signs_far_apart_are_not_in_a_row() -> None:
    day = Day(fleet({"op1": 3}))
    day.minute(times=5)
    for _ in range(6):
        day.minute(["op1-0"])
        day.minute(silent=["op1-0"], times=11)
    assert day.told == []


def test_the_night_is_told_in_the_morning_even_where_the_collector_was_off_when_it_began() -> None:
    hours = read_hours("mon-sun 08:00-20:00", "Asia/Almaty")
    assert hours is not None
    day = Day(fleet({"op1": 10, "op2": 10}), hours)
    day.until(lambda at_ms: not hours.holds(at_ms))
    day.minute(times=5)
    day.minute(["op1-0"], times=10)
    assert day.minute(times=10) == []
    day.until(hours.holds)
    day.restart(asleep_min=30)
    assert said(day.minute(times=5)) == [("digest", "digest")]
    assert day.told[-1].summary == "outside hours: 1 alerts at 1 schools, 0 still hold"
