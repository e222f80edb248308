# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from agent.outage.asked import Asked
from agent.outage.held import LongAnswers


@pytest.mark.parametrize(
    ("sent_s", "came_s", "held"),
    [
        ([0.0, 0.5, 1.0], [2.0, 2.0, 2.01], [True, True, True]),
        ([0.0, 0.5, 1.0], [2.0, 2.5, 3.0], [False, False, False]),
        ([0.0, 0.1, 0.2], [2.0, 2.09, 2.18], [False, False, False]),
        ([0.0, 0.0, 0.0], [2.0, 2.0, 2.0], [False, False, False]),
        ([0.0], [2.0], [False]),
        ([0.0, 1.0, 1.6], [2.0, 2.05, 3.6], [True, True, False]),
    ],
    ids=["let go together", "slow way", "slow way in haste", "sent together", "alone", "then slow"],
)
def test_what_was_sent_far_apart_and_comes_together_was_held_back(
    sent_s: list[float], came_s: list[float], held: list[bool]
) -> None:
    answers = LongAnswers()
    told: dict[int, bool] = {}
    events = sorted(
        [(at_s, number) for number, at_s in enumerate(came_s)] + [(at_s + 0.101, -1) for at_s in came_s]
    )
    for now_s, number in events:
        told |= {a.number: is_held for a, _, is_held in answers.judged(now_s)}
        if number >= 0:
            answers.take(Asked(number, "1.1.1.1", sent_s[number], "connection"), now_s)
    assert [told[number] for number in range(len(sent_s))] == held
    assert answers.due_s() is None


def test_a_long_answer_is_judged_a_tenth_of_a_second_after_it_came() -> None:
    answers = LongAnswers()
    answers.take(Asked(1, "1.1.1.1", 0.0), 2.0)
    assert answers.due_s() == pytest.approx(2.1)
    assert list(answers.judged(2.05)) == []
    ((_, came_s, _),) = answers.judged(2.11)
    assert came_s == 2.0
