# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract import histogram
from agent.contract.kinds import Latency
from agent.contract.reason import Reason
from agent.echo.address import parse
from agent.echo.ledger import Outcome
from agent.echo.roundtrip import latency_of, longest_run, percentile, reason_of_silence

HOST = parse("192.0.2.1")
LOST = Outcome(address=HOST, reason=Reason.TIMEOUT)
LATE = Outcome(address=HOST, late=True, reason=Reason.TIMEOUT)
UNSENT = Outcome(address=HOST, sent=False, reason=Reason.NETWORK_DOWN)
outcomes = st.lists(
    st.one_of(
        st.sampled_from([LOST, LATE, UNSENT]),
        st.builds(Outcome, address=st.just(HOST), rtt_ms=st.integers(1, 10**6).map(lambda n: n / 100)),
    ),
    max_size=30,
)


def answered(*rtts_ms: float) -> list[Outcome]:
    return [Outcome(address=HOST, rtt_ms=rtt_ms) for rtt_ms in rtts_ms]


def test_latency_of_a_burst_with_loss() -> None:
    burst = [*answered(30, 10, 20.25), LOST, LOST, LATE, UNSENT, LOST]
    figures = latency_of("x", burst, method="icmp")
    assert figures == Latency(
        target="x",
        method="icmp",
        sent=7,
        received=3,
        duplicate=0,
        late=1,
        loss_ratio=0.4286,
        loss_run_max=2,
        rtt_min_ms=10,
        rtt_median_ms=20.25,
        rtt_p95_ms=30,
        rtt_max_ms=30,
        pdv_p95_ms=20,
        rtt_histogram=histogram.count([10, 20.25, 30]),
    )


def test_latency_without_answers_has_no_times() -> None:
    figures = latency_of("x", [LOST, LATE], method="icmp")
    assert (figures.rtt_min_ms, figures.rtt_median_ms, figures.pdv_p95_ms, figures.rtt_histogram) == (
        None,
    ) * 4
    assert (figures.sent, figures.loss_ratio) == (2, 0.5)


def test_latency_of_nothing_sent_has_no_loss() -> None:
    figures = latency_of("x", [UNSENT], method="icmp")
    assert (figures.sent, figures.received, figures.loss_ratio, figures.loss_run_max) == (0, 0, None, None)


def test_the_median_of_two_is_the_lower_and_of_many_the_middle_one() -> None:
    assert latency_of("x", answered(9, 1), method="icmp").rtt_median_ms == 1
    assert latency_of("x", answered(*range(1, 101)), method="icmp").rtt_median_ms == 50


@given(outcomes)
def test_every_sent_request_is_received_late_or_lost(burst: list[Outcome]) -> None:
    figures = latency_of("x", burst, method="icmp")
    lost = round((figures.loss_ratio or 0) * (figures.sent or 0))
    assert figures.sent == (figures.received or 0) + (figures.late or 0) + lost
    assert (reason_of_silence(burst) is None) == bool(figures.received)
    if figures.rtt_histogram:
        assert sum(n for _, n in figures.rtt_histogram) == figures.received


@pytest.mark.parametrize(("q", "expected"), [(0, 1), (0.25, 1), (0.5, 2), (0.51, 3), (0.95, 4), (1, 4)])
def test_percentile_is_the_nearest_rank(q: float, expected: float) -> None:
    assert percentile([1, 2, 3, 4], q) == expected


def test_longest_run_counts_what_is_in_a_row() -> None:
    assert longest_run([True, False, True, True, False]) == 2
    assert longest_run([]) == 0


def test_reason_of_silence_is_the_one_given_most_often() -> None:
    unreachable = Outcome(address=HOST, reason=Reason.UNREACHABLE)
    assert reason_of_silence([LOST, unreachable, unreachable]) == Reason.UNREACHABLE
    assert reason_of_silence([LOST, *answered(5)]) is None
    assert reason_of_silence([]) == Reason.TIMEOUT
