# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.outage.evidence import Sight
from agent.outage.outage import Outage
from agent.outage.plan import PLANS, Plan
from agent.outage.watch import Watch
from tests.unit.agent.outage.simulated import ANCHORS, HOSTS, Cut, Road, live

# What may happen next: time passes, an answer to any request ever sent comes (again), one that fails or
# was given by somebody near comes, a look shows something.
happenings = st.lists(
    st.one_of(
        st.floats(0, 20).map(lambda s: ("wait", s)),
        st.floats(0, 1).map(lambda share: ("answer", share)),
        st.floats(0, 1).map(lambda share: ("fail", share)),
        st.booleans().map(lambda yes: ("carrier", yes)),
        st.sampled_from(["gateway", "hop", "dns"]).map(lambda part: ("lose", part)),
    ),
    max_size=120,
)


def told(happened: Sequence[tuple[str, object]], plan: Plan) -> list[Outage]:
    """Whatever happens in whatever order, as the watch tells it."""
    watch, now_s, changes = Watch(plan, ANCHORS), 100.0, []
    watch.meet(HOSTS, now_s)
    sent: list[tuple[int, float]] = []
    for what, how in happened:
        if what == "wait":
            until_s = now_s + float(how)  # type: ignore[arg-type]
            while now_s < until_s:
                changes += watch.tick(now_s)
                sent += [(ask.number, now_s) for ask in watch.asks(now_s)]
                now_s = min(until_s, max(now_s + 0.001, watch.next_s(now_s)))
        elif what in {"answer", "fail"} and sent:
            number, _ = sent[int(float(how) * (len(sent) - 1))]  # type: ignore[arg-type]
            changes += watch.answered(number, now_s, fails=what == "fail")
        elif what == "carrier":
            watch.saw(Sight(carrier=bool(how), route=True), now_s)
        elif what == "lose":
            watch.meet({str(how): ()}, now_s)  # type: ignore[dict-item]
    return changes


@given(happenings, st.sampled_from(list(PLANS.values())))
def test_whatever_happens_outages_are_in_order_and_never_two(
    happened: list[tuple[str, object]], plan: Plan
) -> None:
    open_: Outage | None = None
    number = 0
    for change in told(happened, plan):
        if open_ is None:
            assert change.number == number + 1
            number = change.number
        else:
            assert change.number == open_.number
        assert change.opened.resolution_s is None or change.opened.resolution_s >= 0
        if change.closed is not None:
            assert change.closed.at_s >= change.opened.at_s
            assert change.closed.latest_s >= change.opened.latest_s - 20
            assert change.lasted_s is not None
            assert change.lasted_s > 0
        open_ = change if change.closed is None else None


@settings(max_examples=25)
@given(st.lists(st.tuples(st.floats(0.5, 30), st.floats(0.1, 30)), max_size=4), st.integers(0, 10**6))
def test_whatever_is_cut_the_outages_told_follow_one_another(
    spans: list[tuple[float, float]], seed: int
) -> None:
    at_s, cuts, rng = 20.0, [], random.Random(seed)
    for pause_s, lasts_s in spans:
        where = rng.choice(("gateway", "line", "operator", "dns"))
        cuts.append(Cut(where, at_s + pause_s, at_s + pause_s + lasts_s))
        at_s = cuts[-1].until_s
    day = live(PLANS["standard"], Road(rtt_s=rng.choice((0.01, 0.6)), cuts=cuts, rng=rng), seconds=at_s + 30)
    ends = [0.0]
    for change in day.closed:
        assert change.closed is not None
        assert change.opened.at_s >= ends[-1] - 1.0
        ends.append(change.closed.at_s)
    assert len(day.closed) <= len(cuts) + 1
    long = [c for c in cuts if c.until_s - c.from_s >= 5 and c.place != "dns"]
    for cut in long:
        assert any(abs(c.opened.at_s - cut.from_s) <= 1.5 or c.opened.at_s <= cut.from_s for c in day.closed)


def test_already_dead_at_the_start_is_told_without_a_begin() -> None:
    day = live(PLANS["standard"], Road(cuts=[Cut("line", -1, 40)]), seconds=60)
    (found,) = day.closed
    assert found.opened.resolution_s is None
    assert found.closed is not None
    assert abs(found.closed.at_s - 40) <= 1


def test_packets_seen_on_the_link_narrow_the_begin_and_speak_against_a_dead_line() -> None:
    watch = Watch(PLANS["metered"], ANCHORS)
    watch.meet(HOSTS, 0.0)
    count, now_s, changes = 0, 0.0, []
    while now_s < 40:
        for ask in watch.asks(now_s):
            if now_s < 20.5:
                changes += watch.answered(ask.number, now_s + 0.01)
        if now_s < 22 and int(now_s * 10) % 2 == 0:
            count += 1
        watch.saw(Sight(carrier=True, route=True, received=count), now_s)
        changes += watch.tick(now_s)
        now_s += 0.05
    (opened, *_) = changes
    assert opened.opened.earliest_s is not None
    assert opened.opened.resolution_s is not None
    assert opened.opened.resolution_s < 0.84


def test_an_answer_after_the_time_out_makes_it_slow_not_dead() -> None:
    watch = Watch(PLANS["standard"], ANCHORS)
    now_s, changes, late = 0.0, [], []
    while now_s < 30:
        for ask in watch.asks(now_s):
            if now_s < 10:
                changes += watch.answered(ask.number, now_s + 0.05)
            else:
                late.append(ask.number)
        changes += watch.tick(now_s)
        if now_s > 15 and late:
            for number in late[:1]:
                changes += watch.answered(number, now_s)
            late = []
            break
        now_s += 0.05
    assert [c.cause for c in changes if c.closed is not None] == ["slow"]


def test_a_new_gateway_is_asked_and_the_old_one_forgotten() -> None:
    watch = Watch(PLANS["standard"], ANCHORS)
    watch.meet({"gateway": ["192.168.1.1"]}, 0.0)
    assert [a.host for a in watch.asks(0.0) if a.part == "gateway"] == ["192.168.1.1"]
    watch.meet({"gateway": ["192.168.2.1"]}, 0.1)
    assert [a.host for a in watch.asks(0.1) if a.part == "gateway"] == ["192.168.2.1"]
    watch.meet({"gateway": []}, 0.2)
    assert [a.host for a in watch.asks(5.0) if a.part == "gateway"] == []


def test_what_a_modem_says_a_minute_later_puts_the_cause_right() -> None:
    watch, now_s = Watch(PLANS["standard"], ANCHORS), 0.0
    watch.meet({"gateway": ("192.168.1.1",)}, now_s)
    changes: list[Outage] = []
    while now_s < 120:
        for ask in watch.asks(now_s):
            if ask.part == "gateway" or now_s < 30:
                changes += watch.answered(ask.number, now_s)
        watch.saw(Sight(carrier=True, route=True, modem="sim" if now_s > 75 else None), now_s)
        changes += watch.tick(now_s)
        now_s += 0.05
    assert [c.cause for c in changes] == ["unknown", "sim"]
    assert changes[-1].evidence.endswith("modem sim")
