# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.trace import search
from agent.trace.answer import Answer
from agent.trace.line import Sent
from agent.trace.told import Hop

PATH = ("192.168.77.1", "192.168.100.1", "100.64.0.1", "203.0.113.9")


def sent(ttl: int, host: str | None, kind: str = "expired", rtt_ms: float | None = 1.0) -> Sent:
    made = Sent(number=ttl, ttl=ttl, size=30, at_ns=0)
    if host is not None:
        made.answer, made.rtt_ms = Answer(number=ttl, host=host, kind=kind), rtt_ms
    return made


def hop(ttl: int, host: str | None) -> Hop:
    return Hop(ttl=ttl, asked=1, answered=int(host is not None), address=host)


def test_path_ends_where_the_target_answers_first() -> None:
    asked = [sent(n, host) for n, host in enumerate(PATH[:3], 1)]
    asked += [sent(n, PATH[3], "arrived") for n in (4, 5, 6)] + [sent(7, None)]
    assert [h.address for h in search.hops_of(asked)] == list(PATH)


def test_silent_hop_stays_in_its_place_and_silent_ends_are_left_out() -> None:
    asked = [sent(1, PATH[0]), sent(2, None), sent(3, PATH[2]), sent(4, None), sent(5, None)]
    assert [h.address for h in search.hops_of(asked)] == [PATH[0], None, PATH[2]]
    assert search.hops_of([sent(1, None)]) == ()


def test_hop_is_who_answered_most_and_its_median() -> None:
    asked = [sent(1, "10.0.0.1", rtt_ms=ms) for ms in (5, 1, 9)] + [sent(1, "10.0.0.2"), sent(1, None)]
    (only,) = search.hops_of(asked)
    assert (only.address, only.answered, only.asked) == ("10.0.0.1", 4, 5)
    assert only.rtt_ms == 5


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1)])
def test_hop_with_equally_good_ways_is_named_the_same_whoever_answers_first(order: tuple[int, ...]) -> None:
    answers = [sent(1, "10.0.0.1", rtt_ms=2), sent(1, "10.0.0.1", rtt_ms=4)]
    answers += [sent(1, "10.0.0.2", rtt_ms=70), sent(1, "10.0.0.2", rtt_ms=90)]
    (only,) = search.hops_of([answers[i] for i in order])
    assert (only.address, only.answered, only.rtt_ms) == ("10.0.0.1", 4, 2)


def test_path_that_goes_in_circles_is_told_as_it_is() -> None:
    circle = [PATH[0], *PATH[2:] * 14][:28]
    hops = search.hops_of([sent(n, host) for n, host in enumerate(circle, 1)])
    assert [h.address for h in hops] == circle
    first = search.operator_hop(hops, "9.9.9.9")
    assert first is not None
    assert (first.address, first.ttl) == (PATH[2], 2)


@pytest.mark.parametrize(
    ("hosts", "found"),
    [
        (PATH, 3),
        (("192.168.1.1", "10.0.0.1", "203.0.113.1"), 3),
        (("192.168.1.1", None, "10.9.9.9"), None),
        (("203.0.113.1",), 1),
        (("192.168.1.1", "9.9.9.9"), None),
        ((), None),
    ],
)
def test_operator_begins_where_private_ends(hosts: tuple[str | None, ...], found: int | None) -> None:
    first = search.operator_hop([hop(n, host) for n, host in enumerate(hosts, 1)], "9.9.9.9")
    assert (first.ttl if first else None) == found


@given(st.integers(68, 9000), st.integers(2, 9000), st.lists(st.integers(1, 9999), max_size=5))
def test_sizes_to_try_lie_between_and_come_to_an_end(good: int, span: int, told: list[int]) -> None:
    sizes = search._sizes(good, good + span, told)
    assert 1 <= len(sizes) <= 4
    assert all(good < size < good + span for size in sizes)


@given(st.integers(100, 1500), st.booleans())
def test_mtu_is_found_within_a_few_rounds(mtu: int, tells: bool) -> None:
    good, bad, trial, rounds = 100, 1501, [1500], 0
    while bad - good > 1:
        rounds += 1
        good = max([good, *(s for s in trial if s <= mtu)])
        bad = min([bad, *(s for s in trial if s > mtu)])
        trial = search._sizes(good, bad, [mtu] if tells else []) if bad - good > 1 else []
    assert good == mtu
    assert rounds <= (2 if tells else 7)
