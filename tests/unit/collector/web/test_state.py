# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.kinds import Latency, Reach
from collector.web.state import (
    CONFIRMATIONS,
    USUAL_INTERVAL_MS,
    Run,
    Sample,
    State,
    classify,
    current,
    interval_ms,
    sample,
    settle,
)
from tests.unit.collector.web.fakes import MINUTE_MS, Stored

LETTERS = {"u": State.UP, "g": State.DEGRADED, "d": State.DOWN, "?": State.UNKNOWN}


def samples(text: str) -> list[Sample]:
    """One letter a minute; a dot is a minute of silence."""
    letters = enumerate(text.replace(" ", ""))
    return [
        Sample(i * MINUTE_MS, LETTERS[c], "down_provider" if c == "d" else None)
        for i, c in letters
        if c != "."
    ]


def runs(text: str, before: Run | None = None) -> list[tuple[str, float, float]]:
    found = settle(samples(text), every_ms=MINUTE_MS, before=before)
    return [(r.state.value, r.start_ms / MINUTE_MS, r.end_ms / MINUTE_MS) for r in found]


@pytest.mark.parametrize(
    ("reach", "state", "cause"),
    [
        (Reach(up=True, hint="up"), State.UP, None),
        (Reach(up=True), State.UP, None),
        (Reach(up=True, hint="degraded"), State.DEGRADED, None),
        (Reach(up=True, hint="down_provider"), State.UP, None),
        (Reach(up=True, hint="word of tomorrow"), State.UP, None),
        (Reach(up=False, hint="down_provider"), State.DOWN, "down_provider"),
        (Reach(up=False, hint="down_other", gateway_answered=3), State.DOWN, "down_other"),
        (Reach(up=False, gateway_asked=3, gateway_answered=1), State.DOWN, "down_provider"),
        (Reach(up=False, gateway_asked=3, gateway_answered=0), State.DOWN, "down_other"),
        (Reach(up=False, hint="unknown", gateway_asked=5, gateway_answered=0), State.DOWN, None),
        (Reach(up=False, hint="unknown", gateway_asked=5, gateway_answered=5), State.DOWN, None),
        (Reach(up=False), State.DOWN, None),
        (Reach(up=None, hint="down_other", carrier=False), State.DOWN, "down_other"),
        (Reach(up=None, hint="up"), State.UNKNOWN, None),
        (Reach(), State.UNKNOWN, None),
    ],
)
def test_classify_tells_state_and_cause(reach: Reach, state: State, cause: str | None) -> None:
    assert classify(reach) == (state, cause)


def test_sample_is_unknown_when_nothing_was_measured() -> None:
    assert sample(Stored(at_ms=5, fields=None, reason="overran")) == Sample(5, State.UNKNOWN)
    assert sample(Stored(at_ms=5, fields=Latency(target="x"))).state is State.UNKNOWN


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("u", [("up", 0, 1)]),
        ("uuuu", [("up", 0, 4)]),
        ("uuddu", [("up", 0, 5)]),
        ("uuddd", [("up", 0, 2), ("down", 2, 5)]),
        ("uuddd uu", [("up", 0, 2), ("down", 2, 7)]),
        ("uuddd uuu", [("up", 0, 2), ("down", 2, 5), ("up", 5, 8)]),
        ("uddd gug", [("up", 0, 1), ("down", 1, 4), ("up", 4, 7)]),
        ("uu gdg", [("up", 0, 2), ("degraded", 2, 5)]),
        ("uu d?d", [("up", 0, 2), ("unknown", 2, 5)]),
        ("uu ggg", [("up", 0, 2), ("degraded", 2, 5)]),
        ("???u", [("unknown", 0, 3), ("up", 3, 4)]),
        ("d", [("unknown", 0, 1)]),
        ("dd", [("unknown", 0, 2)]),
        ("ddd", [("down", 0, 3)]),
        ("uu..uu", [("up", 0, 6)]),
        ("uu...uu", [("up", 0, 2), ("unknown", 2, 5), ("up", 5, 7)]),
        ("uu...du", [("up", 0, 2), ("unknown", 2, 6), ("up", 6, 7)]),
        ("uu...ddd", [("up", 0, 2), ("unknown", 2, 5), ("down", 5, 8)]),
        ("ddd....ddd", [("down", 0, 3), ("unknown", 3, 7), ("down", 7, 10)]),
        ("ddd....d", [("down", 0, 3), ("unknown", 3, 8)]),
        ("u????....?u", [("up", 0, 1), ("unknown", 1, 10), ("up", 10, 11)]),
    ],
)
def test_settle_believes_three_in_a_row_and_keeps_silence_unknown(
    text: str, expected: list[tuple[str, float, float]]
) -> None:
    assert runs(text) == expected


def test_settle_carries_on_when_an_earlier_run_is_known() -> None:
    before = Run(State.DOWN, -9 * MINUTE_MS, 0, "down_other")
    assert runs("uu", before) == [("down", -9, 2)]


def test_settle_keeps_the_latest_cause_of_an_outage() -> None:
    told = [Sample(i * MINUTE_MS, State.DOWN, c) for i, c in enumerate(["a", "a", "a", "b"])]
    assert settle(told, every_ms=MINUTE_MS)[-1].cause == "b"


@given(st.text(alphabet="ugd?.", max_size=60))
def test_runs_join_without_holes_whatever_came(text: str) -> None:
    found = settle(samples(text), every_ms=MINUTE_MS)
    assert all(a.end_ms == b.start_ms for a, b in itertools.pairwise(found))
    assert all(a.state is not b.state for a, b in itertools.pairwise(found))
    assert all(r.start_ms < r.end_ms for r in found)


@given(st.text(alphabet="ugd?.", max_size=60))
def test_down_is_never_said_without_three_records_that_say_so(text: str) -> None:
    is_down = any(r.state is State.DOWN for r in settle(samples(text), every_ms=MINUTE_MS))
    assert not is_down or text.count("d") >= CONFIRMATIONS


@given(st.lists(st.integers(0, 10**7), max_size=40))
def test_settle_takes_any_times_in_order(times: list[int]) -> None:
    found = settle([Sample(t, State.UP) for t in sorted(times)], every_ms=MINUTE_MS)
    assert {r.state for r in found} <= {State.UP, State.UNKNOWN}


def test_interval_is_what_the_samples_show() -> None:
    assert interval_ms([]) == interval_ms(samples("u")) == USUAL_INTERVAL_MS
    assert interval_ms([Sample(i * 300_000, State.UP) for i in range(9)]) == 300_000


def test_current_is_unknown_when_the_newest_record_is_stale() -> None:
    up = (Run(State.UP, 0, 60_000),)
    assert current(up, now_ms=900_000, received_ms=900_000, stale_ms=900_000) == up[0]
    assert current(up, now_ms=1_000_000, received_ms=1_000_000, stale_ms=900_000) == Run(
        State.UNKNOWN, 60_000, 1_000_000
    )


def test_current_keeps_the_beginning_when_it_was_unknown_already() -> None:
    unknown = (Run(State.UNKNOWN, 0, 60_000),)
    assert current(unknown, now_ms=1_000_000, received_ms=0, stale_ms=1) == Run(State.UNKNOWN, 0, 1_000_000)
    assert current((), now_ms=7, received_ms=7, stale_ms=1).state is State.UNKNOWN
