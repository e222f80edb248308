# SPDX-License-Identifier: Apache-2.0
"""Does what records say become what is told, also when disks fail and programs are killed?"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from agent.contract.kinds import Host, Portal, Reach
from collector import diary
from collector.alerts.dispatch import read_hooks
from collector.alerts.event import AlertEvent
from collector.alerts.options import AlertOptions
from collector.alerts.sign import Sign
from collector.alerts.signature import new_secret
from collector.alerts.watchman import OURSELVES, Watchman
from collector.alerts.word import Acknowledgement, Mute
from collector.registry import Placement, Registry, School
from collector.sinks.base import Measurement, SinkUnavailable
from tests.unit.collector.alerts.day import MINUTE_MS, START_MS, said
from tests.unit.collector.sinks.measurements import measurement

_DOWN = Reach(up=False, gateway_asked=2, gateway_answered=2, hint="down_provider")
_UP = Reach(up=True, hint="up")
_SCHOOL = School(id="kz-1", name="№ 5 Әбай", operator="op", region="r", contract="c40")
_SCHOOLS = (_SCHOOL, School(id="kz-2", operator="op", region="r"), School(id="kz-3", operator="op2"))


def registry(schools: Iterable[School] = _SCHOOLS) -> Registry:
    return Registry.of(schools, [Placement(device=f"{s.id}-pi", school=s.id) for s in schools])


class Post:
    """A watchman at his post, and a clock; `hears` is one minute."""

    def __init__(self, directory: Path, **options: Any) -> None:
        self.directory, self.options = directory, options
        self.now_ms = START_MS
        self.registry = registry()
        self.hooks: dict[str, Any] = {}
        self.place = 0
        self.watchman = self.made()

    def made(self) -> Watchman:
        options = AlertOptions(directory=str(self.directory), **self.options)
        return Watchman(options, read_hooks(self.hooks), self.registry, clock_ms=lambda: self.now_ms)

    def killed(self) -> None:
        """What was not stored is gone."""
        self.watchman.outbox.close()
        self.watchman = self.made()

    def record(self, fields: Any, school: School = _SCHOOL, **more: Any) -> Measurement:
        at_ms = more.pop("at_ms", self.now_ms)
        received_ms = more.pop("received_ms", self.now_ms)
        return measurement(
            fields=fields,
            school=school,
            device=f"{school.id}-pi",
            at_ms=at_ms,
            received_ms=received_ms,
            **more,
        )

    def write(self, *batch: Measurement) -> None:
        self.place += 1
        asyncio.run(self.watchman.write_at(batch, f"000001:{self.place}"))

    def minutes(self, *fields: Any, times: int = 1, **more: Any) -> list[AlertEvent]:
        told = []
        for _ in range(times):
            self.now_ms += MINUTE_MS
            self.write(*(self.record(each, **more) for each in fields))
            told += self.watchman.tick()
        return told


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path / "alerts")


def test_an_outage_goes_from_records_to_the_outbox(post: Post, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(new_secret())
    post.hooks = {"noc": {"url": "https://noc.example.org", "secret_file": str(secret)}}
    post.killed()
    post.minutes(_UP, times=3)
    assert said(post.minutes(_DOWN, times=10)) == [("outage", "firing")]
    assert post.watchman.outbox.counts("noc").waiting == 1
    assert said(post.minutes(_UP, times=10)) == [("outage", "resolved")]
    assert post.watchman.outbox.counts("noc").waiting == 2


def test_killed_between_any_two_minutes_all_is_told_once(post: Post) -> None:
    told = []
    for fields in [_UP] * 3 + [_DOWN] * 12 + [_UP] * 12:
        told += post.minutes(fields)
        post.killed()
        assert asyncio.run(post.watchman.cursor()) == f"000001:{post.place}"
    assert said(told) == [("outage", "firing"), ("outage", "resolved")]
    assert told[0].alert == told[1].alert
    assert told[1].ends_at_ms == START_MS + 16 * MINUTE_MS


def test_the_same_records_again_change_nothing(post: Post) -> None:
    post.minutes(_UP, times=3)
    batches = []
    for _ in range(2):
        post.now_ms += MINUTE_MS
        batches.append(post.record(_DOWN))
    for _ in range(5):
        post.write(*batches)
    post.now_ms += 5 * MINUTE_MS
    assert post.watchman.tick() == []


def test_draining_a_backlog_tells_nothing_of_the_past(post: Post) -> None:
    post.minutes(_UP, times=3)
    post.now_ms += 10 * MINUTE_MS
    past = [
        post.record(_DOWN, at_ms=post.now_ms - n * MINUTE_MS, backlog=True, seq=20 - n)
        for n in range(9, 0, -1)
    ]
    post.write(*past)
    old = [post.record(_DOWN, at_ms=post.now_ms - n * MINUTE_MS, seq=100 - n) for n in range(60, 11, -1)]
    post.write(*old)
    post.now_ms += 2 * MINUTE_MS
    assert post.watchman.tick() == []
    assert said(post.minutes(_DOWN, times=10)) == [("outage", "firing")]


def test_what_the_collector_comes_to_late_is_the_past_too(post: Post) -> None:
    post.minutes(_UP, times=3)
    late = []
    for _ in range(20):
        post.now_ms += MINUTE_MS
        late.append(post.record(_DOWN))
    post.now_ms += 60 * MINUTE_MS
    for each in late:
        post.write(each)
        assert post.watchman.tick() == []


def test_a_clock_ahead_of_ours_does_not_hide_what_comes_after_it(post: Post) -> None:
    post.write(post.record(_UP, at_ms=post.now_ms + 9 * MINUTE_MS))
    assert said(post.minutes(_DOWN, times=8)) == [("outage", "firing")]


class Failing:
    """A disk that takes nothing for a while."""

    def __init__(self, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fails = True
        keep = post.watchman.memory.keep

        def keeps(alarms: Any) -> None:
            keep(alarms)
            if self.fails:
                raise sqlite3.OperationalError("database or disk is full")

        monkeypatch.setattr(post.watchman.memory, "keep", keeps)


def test_a_full_disk_delays_what_is_told_and_loses_nothing(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.minutes(_UP, times=3)
    disk = Failing(post, monkeypatch)
    for _ in range(10):
        post.now_ms += MINUTE_MS
        with pytest.raises(SinkUnavailable, match="disk is full"):
            post.write(post.record(_DOWN))
        post.watchman.look()
    rows = "SELECT state FROM event"
    with post.watchman.outbox.transaction() as base:
        assert base.execute(rows).fetchall() == []
    disk.fails = False
    post.watchman.look()
    with post.watchman.outbox.transaction() as base:
        assert base.execute(rows).fetchall() == [("firing",)]


def test_a_muted_school_is_told_of_when_that_is_over(post: Post) -> None:
    post.minutes(_UP, times=3)
    until_ms = post.now_ms + 30 * MINUTE_MS
    number = post.watchman.words.mute(
        Mute(
            scope="school",
            name="kz-1",
            from_ms=post.now_ms,
            to_ms=until_ms,
            said_ms=post.now_ms,
            owner="Aigerim",
            reason="new dish",
        )
    )
    assert post.minutes(_DOWN, times=25) == []
    assert post.watchman.words.unmute(number, post.now_ms)
    assert not post.watchman.words.unmute(number, post.now_ms)
    assert said(post.minutes(_DOWN, times=2)) == [("outage", "firing")]


def test_an_acknowledgement_survives_and_names_its_owner(post: Post) -> None:
    post.minutes(_UP, times=3)
    (fired,) = post.minutes(_DOWN, times=10)
    until_ms = post.now_ms + 60 * MINUTE_MS
    post.watchman.words.acknowledge(
        Acknowledgement(alert=fired.alert, owner="Aigerim", until_ms=until_ms), post.now_ms
    )
    (said_so,) = post.minutes(_DOWN)
    assert (said_so.state, said_so.details["owner"]) == ("acknowledged", "Aigerim")
    post.killed()
    assert post.minutes(_DOWN, times=3) == []
    (alarm,) = post.watchman.engine.alarms.told()
    assert (alarm.owner, alarm.is_owned(post.now_ms)) == ("Aigerim", True)
    assert not alarm.is_owned(until_ms)


def test_figures_that_others_know_can_be_fed(post: Post) -> None:
    post.minutes(_UP, times=3)
    for ratio in (0.2, 0.55, 0.8, 1.3):
        post.now_ms += MINUTE_MS
        post.watchman.feed([Sign("budget_spent_ratio", "kz-1", post.now_ms, ratio)])
        post.watchman.tick()
    rules = [alarm.rule for alarm in post.watchman.engine.alarms.told()]
    assert rules == ["budget_50", "budget_75", "budget_100"]
    with pytest.raises(ValueError, match="there is no figure"):
        Sign("budget", "kz-1", 0, 1)
    with pytest.raises(ValueError, match="not a finite number"):
        Sign("budget_spent_ratio", "kz-1", 0, float("nan"))


def test_a_first_figure_beyond_all_limits_is_told_once(post: Post) -> None:
    post.watchman.feed([Sign("budget_spent_ratio", "kz-1", post.now_ms, 1.3)])
    assert [(e.rule, e.summary) for e in post.watchman.tick()] == [
        ("budget_100", "№ 5 Әбай: the month's downtime budget is spent: 130%")
    ]


def test_a_data_plan_is_told_at_four_fifths_and_at_its_end(tmp_path: Path) -> None:
    post = Post(tmp_path / "alerts", data_plan_gb={"c40": 40.0})
    told = [
        event
        for gigabytes in (10, 31, 33, 39, 41, 0)
        for event in post.minutes(Host(line_bytes_month=gigabytes * 10**9))
    ]
    assert [(e.rule, e.state) for e in told if e.rule.startswith("data_plan")] == [
        ("data_plan_80", "firing"),
        ("data_plan_100", "firing"),
        ("data_plan_80", "resolved"),
        ("data_plan_100", "resolved"),
    ]


@pytest.mark.parametrize(
    ("rule", "bad", "good", "times"),
    [
        ("spool_low", Host(disk_free_bytes=10**8), Host(disk_free_bytes=10**9), 2),
        ("card_failed", Host(spool_writable=False), Host(spool_writable=True), 3),
        ("undervoltage", Host(undervoltage=True), Host(undervoltage=False), 8),
        ("portal", Portal(target="p", verdict="quota"), Portal(target="p", verdict="open"), 4),
        ("degraded", Reach(up=True, hint="degraded"), _UP, 12),
    ],
)
def test_each_record_that_says_so_fires_and_ends_its_rule(
    post: Post, rule: str, bad: Any, good: Any, times: int
) -> None:
    assert post.minutes(good, times=2) == []
    assert (rule, "firing") in said(post.minutes(bad, times=times))
    assert said(post.minutes(good, times=12)) == [(rule, "resolved")]


def test_a_clock_that_nobody_knows_to_be_good_is_told(post: Post) -> None:
    clock = post.record(_UP).record.clock
    for _ in range(35):
        post.now_ms += MINUTE_MS
        bad = type(clock)(wall_ms=clock.wall_ms, mono_ms=clock.mono_ms, boot=clock.boot, age_s=None)
        post.write(post.record(Host(uptime_s=1), clock=bad))
        post.watchman.tick()
    assert [a.rule for a in post.watchman.engine.alarms.told()] == ["clock_bad"]


def test_silence_goes_on_over_a_new_start_but_not_while_nobody_listened(post: Post) -> None:
    everyone = [(_UP, school) for school in _SCHOOLS]
    for _ in range(5):
        post.now_ms += MINUTE_MS
        post.write(*(post.record(fields, school) for fields, school in everyone))
        post.watchman.tick()
    others = everyone[1:]

    def others_speak(times: int) -> list[AlertEvent]:
        told = []
        for _ in range(times):
            post.now_ms += MINUTE_MS
            post.write(*(post.record(fields, school) for fields, school in others))
            told += post.watchman.tick()
        return told

    assert others_speak(10) == []
    post.watchman.outbox.close()
    post.now_ms += 60 * MINUTE_MS
    post.watchman = post.made()
    assert others_speak(3) == []
    assert said(others_speak(5)) == [("silent", "firing")]


def test_a_school_that_is_no_more_is_over(post: Post) -> None:
    post.minutes(_UP, times=3)
    post.minutes(_DOWN, times=10)
    post.registry.become(registry(_SCHOOLS[1:]))
    (over,) = post.watchman.tick()
    assert (over.rule, over.state) == ("outage", "resolved")
    assert over.labels == {"school": "kz-1", "region": "r", "operator": "op", "contract": "c40"}
    assert post.minutes(times=30) == []


def test_a_rule_that_is_switched_off_is_over(post: Post) -> None:
    post.minutes(_UP, times=3)
    (fired,) = post.minutes(_DOWN, times=10)
    post.options["rules"] = {"outage": {"enabled": False}}
    post.killed()
    (over,) = post.watchman.tick()
    assert (over.alert, over.state) == (fired.alert, "resolved")
    assert post.minutes(_DOWN, times=10) == []


def hooked(post: Post, tmp_path: Path, **tables: dict[str, Any]) -> None:
    secret = tmp_path / "secret"
    secret.write_text(new_secret())
    more = {"url": "https://noc.example.org", "secret_file": str(secret)}
    post.hooks = {name: {**more, **table} for name, table in tables.items()}
    post.killed()


def states(post: Post, hook: str) -> list[str]:
    """What waits for a hook, in order."""
    asked = """SELECT e.state FROM delivery d JOIN event e ON e.number = d.event
               WHERE d.hook = ? ORDER BY e.number"""
    with post.watchman.outbox.transaction() as base:
        return [state for (state,) in base.execute(asked, (hook,))]


def test_who_comes_later_is_told_of_what_nobody_took_care_of(post: Post, tmp_path: Path) -> None:
    hooked(post, tmp_path, noc={}, chief={"after_s": 1800}, ministry={"after_s": 86_400})
    post.minutes(_UP, times=3)
    (fired,) = post.minutes(_DOWN, times=10)
    post.minutes(_DOWN, times=15)
    assert (states(post, "noc"), states(post, "chief")) == (["firing"], [])
    until_ms = post.now_ms + 60 * MINUTE_MS
    post.watchman.words.acknowledge(
        Acknowledgement(alert=fired.alert, owner="Aigerim", until_ms=until_ms), post.now_ms
    )
    post.minutes(_DOWN, times=59)
    assert (states(post, "noc"), states(post, "chief")) == (["firing", "acknowledged"], [])
    post.killed()
    post.minutes(_DOWN, times=2)
    assert states(post, "chief") == ["firing"]
    post.killed()
    post.minutes(_DOWN, times=2)
    post.minutes(_UP, times=10)
    assert states(post, "chief") == ["firing", "resolved"]
    assert states(post, "ministry") == []


def test_what_is_muted_is_not_escalated(post: Post, tmp_path: Path) -> None:
    hooked(post, tmp_path, noc={}, chief={"after_s": 1800})
    post.minutes(_UP, times=3)
    post.minutes(_DOWN, times=10)
    mute = Mute(
        scope="operator",
        name="op",
        from_ms=post.now_ms,
        to_ms=post.now_ms + 120 * MINUTE_MS,
        said_ms=post.now_ms,
        owner="Aigerim",
        reason="new dish",
    )
    post.watchman.words.mute(mute)
    post.minutes(_DOWN, times=60)
    assert states(post, "chief") == []
    post.minutes(_DOWN, times=70)
    assert states(post, "chief") == ["firing"]


def test_a_hook_for_some_labels_is_told_of_many_that_may_be_its_own(post: Post, tmp_path: Path) -> None:
    hooked(
        post,
        tmp_path,
        op={"labels": {"operator": "op"}},
        op2={"labels": {"operator": "op2"}},
        far={"labels": {"region": "far"}},
    )
    schools = [School(id=f"s-{n}", operator="op", region=f"r{n}") for n in range(4)]
    post.registry.become(registry(schools))

    def minutes(fields: Any, times: int) -> None:
        for _ in range(times):
            post.now_ms += MINUTE_MS
            post.write(*(post.record(fields, school) for school in schools))
            post.watchman.tick()

    minutes(_UP, 3)
    minutes(_DOWN, 10)
    assert (states(post, "op"), states(post, "op2"), states(post, "far")) == (["firing"], [], ["firing"])


def test_a_school_of_two_devices_that_disagree_is_not_down(post: Post) -> None:
    for _ in range(20):
        post.now_ms += MINUTE_MS
        post.write(
            post.record(_DOWN), post.record(_UP, at_ms=post.now_ms + 20_000, received_ms=post.now_ms + 20_000)
        )
        assert post.watchman.tick() == []


def test_what_is_said_twice_of_a_minute_counts_once(post: Post) -> None:
    post.minutes(_UP, times=3)
    for _ in range(2):
        post.now_ms += MINUTE_MS
        for second in range(4):
            post.write(post.record(_DOWN, at_ms=post.now_ms + 1000 * second, received_ms=post.now_ms + 5000))
    post.now_ms += 3 * MINUTE_MS
    assert post.watchman.tick() == []


def test_what_fires_can_be_looked_at(post: Post) -> None:
    post.minutes(_UP, times=3)
    post.minutes(_DOWN, Host(disk_free_bytes=10**8), times=10)
    outage, card = post.watchman.firing
    assert (outage.rule, outage.school, outage.about, outage.schools) == ("outage", "kz-1", "", 1)
    assert (card.rule, card.about, card.says) == ("spool_low", "kz-1-pi", "little space on the card: 100 MB")
    post.killed()
    assert post.watchman.firing == (outage, card)


def test_what_was_decided_before_something_failed_is_told(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    post.minutes(_UP, times=3)
    say, calls = post.watchman.engine._teller.say, []

    def fails_at_first(alarm: Any, *more: Any) -> AlertEvent:
        calls.append(alarm)
        if len(calls) == 2:
            raise ZeroDivisionError("our bug")
        return say(alarm, *more)

    monkeypatch.setattr(post.watchman.engine._teller, "say", fails_at_first)
    for _ in range(3):
        post.now_ms += MINUTE_MS
        post.write(post.record(Host(disk_free_bytes=10**8, spool_writable=False)))
        post.watchman.look()
    post.watchman.look()
    with post.watchman.outbox.transaction() as base:
        rows = base.execute("SELECT state FROM event").fetchall()
    assert rows == [("firing",), ("firing",)]


def test_the_collectors_own_diary_says_nothing_of_a_school(post: Post) -> None:
    own = measurement(
        fields=_DOWN, school=_SCHOOL, device=diary.DEVICE, at_ms=post.now_ms, received_ms=post.now_ms
    )
    post.write(own)
    assert list(post.watchman.engine.alarms) == []
    assert OURSELVES == diary.DEVICE
