# SPDX-License-Identifier: Apache-2.0
"""Does a hook get what is for it, in order, whatever the other side answers, and nothing it should not?"""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.alerts.courier import Courier
from collector.alerts.event import AlertEvent
from collector.alerts.hooks.base import HookFailed, HookGone
from collector.alerts.outbox import Outbox
from tests.unit.collector.alerts.told import Refreshed, Told, event, failing

_HOUR_S = 3600.0


class Clock:
    """Goes on when it is told to."""

    def __init__(self) -> None:
        self.now_s = 10.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with contextlib.closing(Outbox(tmp_path / "alerts.sqlite")) as made:
        yield made


def drive(courier: Courier, clock: Clock, *, until_s: float) -> None:
    """As its thread would, in no time."""
    while clock.now_s < until_s:
        clock.now_s += courier.step()


def test_a_failure_is_tried_again_for_three_days_and_then_buried(outbox: Outbox) -> None:
    clock, hook = Clock(), Told(failing(HookFailed("no answer")))
    courier = Courier("noc", hook, outbox, now_s=clock)
    outbox.put(event(), ["noc"])
    drive(courier, clock, until_s=120 * _HOUR_S)
    assert len(hook.tried) == 10
    assert len({e.id for e in hook.tried}) == 1
    assert outbox.counts("noc").dead == 1
    assert courier.problem == "no answer"


def test_what_is_refused_for_good_is_buried_at_once_and_the_next_goes_on(outbox: Outbox) -> None:
    clock = Clock()
    hook = Told(lambda e: failing(HookFailed("answered 400", permanent=True))(e) if e.alert == "a1" else None)
    courier = Courier("noc", hook, outbox, now_s=clock)
    outbox.put(event(alert="a1"), ["noc"])
    outbox.put(event(alert="a2"), ["noc"])
    drive(courier, clock, until_s=60)
    assert [e.alert for e in hook.taken] == ["a2"]
    assert [(e.alert, p) for e, p in outbox.dead("noc")] == [("a1", "answered 400")]


def test_nobody_is_told_that_something_is_over_of_which_he_was_never_told(outbox: Outbox) -> None:
    clock = Clock()
    hook = Told(
        lambda e: failing(HookFailed("answered 400", permanent=True))(e) if e.state == "firing" else None
    )
    courier = Courier("noc", hook, outbox, now_s=clock)
    for state in ("firing", "updated", "resolved"):
        outbox.put(event(state), ["noc"])
    drive(courier, clock, until_s=60)
    assert hook.taken == []
    assert outbox.counts("noc").dead == 3
    hook.answer = lambda _: None
    assert outbox.replay("noc", since_ms=0, now_ms=0) == 3
    drive(courier, clock, until_s=clock.now_s + 60)
    assert [e.state for e in hook.taken] == ["firing", "updated", "resolved"]


def test_that_it_is_over_is_never_given_up(outbox: Outbox) -> None:
    clock, hook = Clock(), Told()
    courier = Courier("noc", hook, outbox, now_s=clock)
    outbox.put(event("firing"), ["noc"])
    drive(courier, clock, until_s=60)
    hook.answer = failing(HookFailed("answered 400", permanent=True))
    outbox.put(event("resolved"), ["noc"])
    drive(courier, clock, until_s=30 * 24 * _HOUR_S)
    assert outbox.counts("noc").waiting == 1
    hook.answer = lambda _: None
    drive(courier, clock, until_s=clock.now_s + 48 * _HOUR_S)
    assert [e.state for e in hook.taken] == ["firing", "resolved"]


def test_who_wants_nothing_more_gets_nothing_more(outbox: Outbox) -> None:
    clock, hook = Clock(), Told(failing(HookGone("answered 410")))
    courier = Courier("noc", hook, outbox, now_s=clock)
    for n in range(3):
        outbox.put(event(alert=f"a{n}"), ["noc"])
    drive(courier, clock, until_s=24 * _HOUR_S)
    assert len(hook.tried) == 1
    assert outbox.disabled("noc") == "answered 410"


def test_who_asks_for_a_pause_gets_it_for_everything(outbox: Outbox) -> None:
    clock, hook = Clock(), Told(failing(HookFailed("answered 429", retry_after_s=120, pauses=True)))
    courier = Courier("noc", hook, outbox, now_s=clock)
    for n in range(5):
        outbox.put(event(alert=f"a{n}"), ["noc"])
    drive(courier, clock, until_s=100)
    assert len(hook.tried) == 1
    hook.answer = lambda _: None
    drive(courier, clock, until_s=300)
    assert len(hook.taken) == 5


def test_one_that_was_tried_often_pauses_the_others_no_longer_than_it_is_asked(outbox: Outbox) -> None:
    clock, hook = Clock(), Told(failing(HookFailed("no answer")))
    courier = Courier("noc", hook, outbox, now_s=clock)
    outbox.put(event(alert="old"), ["noc"])
    drive(courier, clock, until_s=20 * _HOUR_S)
    hook.answer = failing(HookFailed("answered 429", pauses=True))
    while hook.tried[-1].alert == "old" and len(hook.tried) < 9:
        drive(courier, clock, until_s=clock.now_s + _HOUR_S)
    hook.answer = lambda _: None
    outbox.put(event(alert="new", at_ms=int(clock.now_s * 1000)), ["noc"])
    drive(courier, clock, until_s=clock.now_s + 120)
    assert "new" in [e.alert for e in hook.taken]


def test_a_fault_of_our_own_puts_off_only_its_own_event(outbox: Outbox) -> None:
    def answer(told: AlertEvent) -> None:
        if told.alert == "a1":
            raise ZeroDivisionError("our bug")

    clock, hook = Clock(), Told(answer)
    courier = Courier("noc", hook, outbox, now_s=clock)
    for alert in ("a1", "a2"):
        outbox.put(event(alert=alert), ["noc"])
    drive(courier, clock, until_s=clock.now_s + 3)
    assert [e.alert for e in hook.taken] == ["a2"]
    assert outbox.counts("noc").waiting == 1


def test_no_sign_of_life_is_given_when_nobody_decides_any_more(outbox: Outbox) -> None:
    clock, hook = Clock(), Told()
    courier = Courier("noc", hook, outbox, heartbeat_s=600, is_well=lambda: clock.now_s < 1000, now_s=clock)
    drive(courier, clock, until_s=5000)
    assert [e.state for e in hook.taken] == ["heartbeat"]


def test_what_fires_is_told_again_to_who_forgets(outbox: Outbox) -> None:
    clock, hook = Clock(), Refreshed()
    courier = Courier("noc", hook, outbox, now_s=clock)
    outbox.put(event(alert="a1"), ["noc"])
    outbox.put(event(alert="a2"), ["noc"])
    outbox.put(event("resolved", alert="a2"), ["noc"])
    drive(courier, clock, until_s=200)
    assert [[e.alert for e in told] for told in hook.refreshed] == [["a1"]] * len(hook.refreshed)
    assert 2 <= len(hook.refreshed) <= 4


def test_a_silent_hook_gets_a_sign_of_life(outbox: Outbox) -> None:
    clock, hook = Clock(), Told()
    courier = Courier("noc", hook, outbox, heartbeat_s=600, now_s=clock)
    drive(courier, clock, until_s=2000)
    assert [e.state for e in hook.taken] == ["heartbeat"] * 3
    assert outbox.counts("noc").delivered == 0


_STATES = ("firing", "updated", "acknowledged", "resolved")


@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**32),
    alerts=st.integers(1, 5),
    failing_share=st.floats(0, 0.9),
    restarts=st.integers(0, 6),
)
def test_whatever_the_other_side_does_order_holds_and_nothing_is_lost(
    seed: int, alerts: int, failing_share: float, restarts: int
) -> None:
    """Failures, refusals and restarts by chance; a model of what may have been taken."""
    dice, clock = random.Random(seed), Clock()

    def answer(_: AlertEvent) -> None:
        if dice.random() < failing_share:
            raise HookFailed("by chance", permanent=dice.random() < 0.2, pauses=dice.random() < 0.1)

    hook, made = Told(answer), _story(dice, alerts)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "alerts.sqlite"
        cuts = sorted(dice.randrange(len(made) + 1) for _ in range(restarts))
        for start, end in zip([0, *cuts], [*cuts, len(made)], strict=True):
            with contextlib.closing(Outbox(file)) as outbox:
                courier = Courier("noc", hook, outbox, now_s=clock)
                for each in made[start:end]:
                    outbox.put(each, ["noc"])
                    drive(courier, clock, until_s=clock.now_s + dice.choice((0.1, 100, 10_000)))
        hook.answer = lambda _: None
        with contextlib.closing(Outbox(file)) as outbox:
            drive(Courier("noc", hook, outbox, now_s=clock), clock, until_s=clock.now_s + 100 * _HOUR_S)
            dead = {e.id for e, _ in outbox.dead("noc")}
            assert outbox.counts("noc").waiting == 0
    _assert_told(made, hook.taken, dead)


def _story(dice: random.Random, alerts: int) -> list[AlertEvent]:
    """Each alert fires, may change and is over; their events are mixed."""
    stories = []
    for n in range(alerts):
        middle = [dice.choice(_STATES[1:3]) for _ in range(dice.randrange(3))]
        stories.append([event(state, alert=f"a{n}") for state in ("firing", *middle, "resolved")])
    made = []
    while stories:
        story = dice.choice(stories)
        made.append(story.pop(0))
        stories = [s for s in stories if s]
    return made


def _assert_told(made: list[AlertEvent], taken: list[AlertEvent], dead: set[str]) -> None:
    assert {e.id for e in taken} | dead == {e.id for e in made}
    assert not {e.id for e in taken} & dead
    for alert in {e.alert for e in made}:
        own = [e for e in taken if e.alert == alert]
        expected = [e.id for e in made if e.alert == alert and e.id not in dead]
        assert [e.id for e in own] == expected
        assert not own or own[0].state == "firing"
        if own:
            assert own[-1].state == "resolved"
