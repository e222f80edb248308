# SPDX-License-Identifier: Apache-2.0
"""Is what is to be told kept, in order, once, and together with the change it tells of?"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.alerts.outbox import Counts, Outbox
from tests.unit.collector.alerts.told import event


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with contextlib.closing(Outbox(tmp_path / "alerts" / "alerts.sqlite")) as made:
        yield made


def ids(outbox: Outbox, hook: str) -> list[str]:
    """Deliver all that waits; ids in that order."""
    found = []
    while (delivery := outbox.first(hook)) is not None:
        outbox.deliver(delivery)
        found.append(delivery.event.id)
    return found


def test_each_hook_gets_each_event_once_and_in_order(outbox: Outbox) -> None:
    made = [event(alert=f"a{n % 3}", at_ms=n) for n in range(12)]
    for each in made:
        outbox.put(each, ["noc", "mail"])
        outbox.put(each, ["noc", "mail"])
    assert ids(outbox, "noc") == ids(outbox, "mail") == [each.id for each in made]
    assert outbox.counts("noc") == Counts(0, 12, 0, None)


def test_what_fails_together_with_its_state_never_was(outbox: Outbox) -> None:
    def fail() -> None:
        with outbox.transaction() as base:
            outbox.put(event(), ["noc"])
            base.execute("INSERT INTO no_such_table VALUES (1)")

    with pytest.raises(sqlite3.OperationalError):
        fail()
    assert outbox.first("noc") is None


def test_all_is_there_after_a_new_start(tmp_path: Path) -> None:
    file = tmp_path / "alerts.sqlite"
    with contextlib.closing(Outbox(file)) as before:
        before.put(event(summary="Мектеп №1 қосылмаған"), ["noc"])
        first = before.first("noc")
        assert first is not None
        before.postpone(first, 99_000, "no answer")
    with contextlib.closing(Outbox(file)) as after:
        found = after.first("noc")
    assert found is not None
    assert (found.event, found.tried, found.next_ms) == (first.event, 1, 99_000)


def test_one_lane_waits_for_its_first_and_others_do_not(outbox: Outbox) -> None:
    stuck, behind, free = (
        event(alert="a1"),
        event("resolved", alert="a1", at_ms=2000),
        event(alert="a2", at_ms=3000),
    )
    for each in (stuck, behind, free):
        outbox.put(each, ["noc"])
    first = outbox.first("noc")
    assert first is not None
    outbox.postpone(first, 10_000, "busy")
    found = outbox.first("noc")
    assert found is not None
    assert found.event == free
    outbox.deliver(found)
    again = outbox.first("noc")
    assert again is not None
    assert (again.event, again.next_ms) == (stuck, 10_000)


def test_the_dead_come_back_when_somebody_says_so(outbox: Outbox) -> None:
    for n in range(3):
        outbox.put(event(alert=f"a{n}", at_ms=1000 * n), ["noc"])
        delivery = outbox.first("noc")
        assert delivery is not None
        outbox.bury(delivery, "answered 400")
    assert [problem for _, problem in outbox.dead("noc")] == ["answered 400"] * 3
    assert outbox.replay("noc", since_ms=1000, now_ms=5000) == 2
    assert outbox.counts("noc") == Counts(2, 0, 1, 1000)


def test_what_fires_is_known_until_it_was_told_that_it_is_over(outbox: Outbox) -> None:
    for each in (
        event(alert="a1"),
        event(alert="a2"),
        event("updated", alert="a1"),
        event("resolved", alert="a2"),
    ):
        outbox.put(each, ["noc"])
    ids(outbox, "noc")
    outbox.put(event("resolved", alert="a1"), ["noc"])
    assert [(e.alert, e.state) for e in outbox.firing("noc")] == [("a1", "updated")]
    assert outbox.is_told("noc", "a1")
    assert not outbox.is_told("mail", "a1")
    assert not outbox.is_told("noc", "a3")


def test_only_what_is_old_told_and_over_is_forgotten(outbox: Outbox) -> None:
    over = [event(alert="over", at_ms=1), event("resolved", alert="over", at_ms=2)]
    fires = [event(alert="fires", at_ms=1)]
    waits = [event(alert="waits", at_ms=1), event("resolved", alert="waits", at_ms=2)]
    for each in (*over, *fires):
        outbox.put(each, ["noc"])
    ids(outbox, "noc")
    for each in waits:
        outbox.put(each, ["noc"])
    assert outbox.forget(1000) == 2
    assert outbox.forget(1000) == 0
    assert outbox.is_told("noc", "fires")
    assert outbox.counts("noc").waiting == 2


def test_a_disabled_hook_says_why(outbox: Outbox) -> None:
    assert outbox.disabled("noc") is None
    outbox.disable("noc", "answered 410")
    assert outbox.disabled("noc") == "answered 410"
    outbox.disable("noc", None)
    assert outbox.disabled("noc") is None
