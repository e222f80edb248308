# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools

import pytest

from agent.echo.way import Way
from agent.outage.asked import Asked
from agent.outage.ways import BESIDE, Ways

_NUMBERS = itertools.count(1)
_STORY: dict[str, tuple[Way, bool | None]] = {
    "E": ("echo", True),
    "e": ("echo", False),
    "C": ("connection", True),
    "c": ("connection", False),
    "v": ("connection", None),
}
"""Echo or connection, answered, lost or accepted for everybody."""


def tell(ways: Ways, story: str, *, from_s: float = 0.0) -> Ways:
    for step, letter in enumerate(story):
        way, answered = _STORY[letter]
        at_s = from_s + step / 10
        ways.settle(
            Asked(
                next(_NUMBERS),
                "1.1.1.1",
                at_s,
                way,
                counts=way == ways.calm,
                answered_s=at_s + 0.05 if answered else None,
                is_void=answered is None,
                is_lost=answered is False,
            ),
            at_s + 3,
        )
    return ways


@pytest.mark.parametrize(
    ("story", "calm"),
    [
        ("EEEeeeeeeeeecccccccccEEE", "echo"),
        ("EEEeeeeeeeeeCCC", "echo"),
        ("EEEeeeeeeeeeCCCEEE", "echo"),
        ("EEEeeeCCCeeeCCCeee", "echo"),
        ("EEEeeeCCCeeeCCCeeeCCCe", "connection"),
        ("eeeCCCeCcceCe", "connection"),
        ("eCeCEeCeCEeCeC", "echo"),
        ("eeevvveeevvveeevvveee", "echo"),
    ],
    ids=[
        "an outage",
        "its end",
        "its end and after",
        "contradicted twice",
        "filtered",
        "from the start",
        "rationed a little",
        "accepted near the school",
    ],
)
def test_connections_take_over_when_echoes_are_lost_again_and_again_between_them(
    story: str, calm: Way
) -> None:
    assert tell(Ways(), story).calm == calm


def test_silence_says_nothing_where_no_echo_was_ever_answered_and_somebody_accepts_all() -> None:
    ways = tell(Ways(), "eee" + BESIDE * "v")
    assert (ways.is_blind, ways.can_tell) == (True, False)
    assert tell(ways, "E").can_tell
    assert not tell(ways, "C").is_blind


def test_echoes_come_back_when_four_of_five_on_trial_are_answered_a_minute_later() -> None:
    ways = tell(Ways(), "eeeCeCeCe")
    assert ways.calm == "connection"
    due_s = ways.trial_due_s()
    assert due_s == pytest.approx(60 + 3.8, abs=0.3)
    for _ in range(5):
        ways.tried(due_s, 0.9)
    assert tell(ways, "EEeEE", from_s=due_s).calm == "echo"


def test_the_longer_echoes_are_filtered_the_seldomer_they_are_tried() -> None:
    ways = tell(Ways(), "eeeCeCeCe")
    waits_s = []
    for _ in range(8):
        due_s = ways.trial_due_s()
        for _ in range(5):
            ways.tried(due_s, 0.9)
        tell(ways, "eeeEe", from_s=due_s)
        waits_s.append(round(ways.trial_due_s() - due_s - 3.4))
    assert waits_s == [120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_where_connections_are_lost_and_an_echo_is_answered_echoes_are_tried_at_once() -> None:
    ways = tell(Ways(), "eeeCeCeCe")
    tell(ways, "ccE", from_s=20.0)
    assert ways.trial_due_s() == pytest.approx(20.2 + 3)


def test_where_echo_is_not_permitted_nothing_is_asked_beside() -> None:
    ways = Ways(echo_is_permitted=False)
    assert (ways.calm, ways.other) == ("connection", None)
    assert ways.beside_due_s(100.0, overdue=9, open_since_s=90.0) > 1e9
