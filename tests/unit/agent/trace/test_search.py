# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.trace import search
from agent.trace.answer import Answer
from agent.trace.line import Sent
from agent.trace.told import Hop, Order

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


def test_a_refusal_of_one_try_does_not_hide_the_way_of_the_others() -> None:
    asked = [sent(1, PATH[0]), sent(2, PATH[1], "unreachable")]
    asked += [sent(n, host) for n, host in enumerate(PATH[:3], 1)] + [sent(4, PATH[3], "arrived")]
    assert [h.address for h in search.hops_of(asked)] == list(PATH)


Said = int | bool | None


class Way:
    """A line whose network is a function of size, number and second: it arrives, or is too big for an MTU."""

    def __init__(self, network: Callable[[int, int, float], Said]) -> None:
        self.sent: dict[int, Sent] = {}
        self.is_over = False
        self._network = network
        self._now_s = 0.0

    def send(self, *, ttl: int, size: int = 0) -> Sent:
        number = len(self.sent) + 1
        made = self.sent[number] = Sent(number, ttl, size, 0)
        said = self._network(size, number, self._now_s)
        if said is True:
            made.answer, made.rtt_ms = Answer(number=number, host=PATH[3], kind="arrived"), 1.0
        elif said is not None and said is not False:
            made.answer = Answer(number=number, host=PATH[1], kind="too_big", mtu_bytes=said or None)
        return made

    def listen(self, for_s: float, until: Callable[[], bool] = lambda: False) -> None:
        self._now_s += 0.0 if until() else for_s


ORDER = Order(
    target=PATH[3],
    methods=("icmp",),
    hops_max=9,
    tries=1,
    timeout_s=0.1,
    budget_s=9,
    port=443,
    pings=0,
    mtu_max_bytes=1500,
)


def mtu(network: Callable[[int, int, float], Said]) -> tuple[int | None, bool]:
    return search._mtu(Way(network), ORDER)  # type: ignore[arg-type]


def test_a_narrow_link_is_told_or_is_a_black_hole() -> None:
    assert mtu(lambda *_: True) == (1500, True)
    assert mtu(lambda size, *_: True if size <= 1400 else 1400) == (1400, True)
    assert mtu(lambda size, *_: True if size <= 1400 else 0) == (1400, True)
    assert mtu(lambda size, *_: size <= 1400) == (1400, False)


def test_a_black_hole_behind_a_link_that_tells_is_one() -> None:
    assert mtu(lambda size, *_: 1400 if size > 1400 else size <= 576) == (576, False)


def test_packets_lost_by_chance_make_no_narrow_link() -> None:
    """The first of 1500 bytes and its repetition were under way while the link was away."""
    assert mtu(lambda _size, number, _now_s: number not in (2, 3)) == (None, False)


@pytest.mark.parametrize("every_s", [0.35, 0.5, 1.0])
def test_a_target_that_answers_only_so_often_shows_no_mtu(every_s: float) -> None:
    free_s = -1.0

    def network(_size: int, _number: int, now_s: float) -> bool:
        nonlocal free_s
        is_free = now_s >= free_s
        free_s = now_s + every_s if is_free else free_s
        return is_free

    assert mtu(network)[0] in (None, 1500)
