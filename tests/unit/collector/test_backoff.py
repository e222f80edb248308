# SPDX-License-Identifier: Apache-2.0
"""Do waits grow, stay below their limit and differ?"""

from __future__ import annotations

import pytest

from collector.backoff import Backoff


def test_waits_double_up_to_the_limit() -> None:
    backoff = Backoff(first_s=1, most_s=8)
    limits = [1, 2, 4, 8, 8, 8]

    assert all(limit / 2 <= backoff.next_s() <= limit for limit in limits)


def test_success_begins_anew() -> None:
    backoff = Backoff(first_s=1, most_s=8)
    for _ in range(5):
        backoff.next_s()
    backoff.reset()

    assert backoff.next_s() <= 1


def test_chance_keeps_clients_apart() -> None:
    assert len({Backoff(first_s=1, most_s=8).next_s() for _ in range(20)}) > 1


def test_the_other_side_may_ask_for_more() -> None:
    assert Backoff(first_s=1, most_s=8).next_s(at_least_s=30) == pytest.approx(30)


def test_the_other_side_may_not_ask_for_ever() -> None:
    assert Backoff(first_s=1, most_s=8).next_s(at_least_s=1e12) == pytest.approx(3600)
