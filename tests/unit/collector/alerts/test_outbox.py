# SPDX-License-Identifier: Apache-2.0
"""Is what is to be told kept, in order, once, and together with the change it tells of?"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from collector.alerts.dispatch import sound_outbox
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


def test_a_commit_that_fails_is_taken_back_and_the_next_one_holds(tmp_path: Path) -> None:
    file = tmp_path / "alerts.sqlite"
    with contextlib.closing(Outbox(file)) as outbox:
        with contextlib.closing(sqlite3.connect(file, timeout=0)) as other:
            base = FailingCommit(outbox._base)
            outbox._base = base  # type: ignore[assignment]
            with pytest.raises(sqlite3.OperationalError, match="disk is full"):
                outbox.put(event(alert="a1"), ["noc"])
            outbox.put(event(alert="a2"), ["noc"])
            assert other.execute("SELECT alert FROM event").fetchall() == [("a2",)]
        outbox._base = base.inner


class FailingCommit:
    """A base whose first COMMIT fails, as on a full disk."""

    def __init__(self, inner: sqlite3.Connection) -> None:
        self.inner = inner
        self._fails = True

    @property
    def in_transaction(self) -> bool:
        return self.inner.in_transaction

    def execute(self, sql: str, *more: object) -> sqlite3.Cursor:
        if sql == "COMMIT" and self._fails:
            self._fails = False
            raise sqlite3.OperationalError("database or disk is full")
        return self.inner.execute(sql, *more)  # type: ignore[arg-type]

    def executemany(self, sql: str, rows: object) -> sqlite3.Cursor:
        return self.inner.executemany(sql, rows)  # type: ignore[arg-type]


def test_an_event_that_cannot_be_read_holds_up_no_other(outbox: Outbox) -> None:
    spoiled, sound = event(alert="a1"), event(alert="a2")
    for each in (spoiled, sound):
        outbox.put(each, ["noc"])
    with outbox.transaction() as base:
        base.execute("UPDATE event SET body = '{\"id\": 1}' WHERE id = ?", (spoiled.id,))
    assert ids(outbox, "noc") == [sound.id]
    assert outbox.counts("noc").dead == 1
    assert outbox.dead("noc") == []


def test_what_a_later_version_wrote_is_read_without_what_is_new(outbox: Outbox) -> None:
    outbox.put(event(), ["noc"])
    with outbox.transaction() as base:
        base.execute("UPDATE event SET body = json_set(body, '$.colour', 'red')")
    assert len(ids(outbox, "noc")) == 1


def test_what_waits_for_nobody_is_given_up_once_it_is_too_old(outbox: Outbox) -> None:
    outbox.put(event(alert="a1", at_ms=1), ["gone"])
    outbox.put(event("resolved", alert="a1", at_ms=2), ["gone"])
    outbox.put(event(alert="a2", at_ms=1), ["noc"])
    assert outbox.forget(1000, hooks=["noc"]) == 2
    assert outbox.counts("gone") == Counts(0, 0, 0, None)
    outbox.put(event("resolved", alert="a2", at_ms=2), ["noc"])
    outbox.disable("noc", "answered 410")
    assert outbox.forget(1000, hooks=["noc"]) == 2


@pytest.mark.parametrize("damage", [b"no database at all" * 100, b""])
def test_a_damaged_file_is_put_aside(tmp_path: Path, damage: bytes) -> None:
    with contextlib.closing(sound_outbox(tmp_path)) as outbox:
        outbox.put(event(), ["noc"])
    (tmp_path / "alerts.sqlite").write_bytes(damage)
    with contextlib.closing(sound_outbox(tmp_path)) as outbox:
        assert outbox.first("noc") is None
        outbox.put(event(), ["noc"])
    assert len(list(tmp_path.glob("*.damaged-*"))) == bool(damage)


def test_a_file_with_a_spoiled_page_is_put_aside(tmp_path: Path) -> None:
    with contextlib.closing(sound_outbox(tmp_path)) as outbox:
        for n in range(500):
            outbox.put(event(alert=f"a{n}"), ["noc"])
    file = tmp_path / "alerts.sqlite"
    whole = bytearray(file.read_bytes())
    middle = len(whole) // 2
    whole[middle : middle + 8192] = b"\xff" * 8192
    file.write_bytes(whole)
    with contextlib.closing(sound_outbox(tmp_path)) as outbox:
        assert outbox.counts("noc").waiting == 0
