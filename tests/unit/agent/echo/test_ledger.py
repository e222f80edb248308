# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from agent.contract.reason import Reason
from agent.echo.address import parse
from agent.echo.ledger import Ledger, Outcome, in_ms
from agent.echo.plan import Ask
from agent.echo.stamp import Instant

HOST = parse("192.0.2.1")
MS = 1_000_000
START = 10**12


def sent(count: int = 1, timeout_s: float = 1) -> Ledger:
    ledger = Ledger([Ask(0, HOST)] * count, timeout_s)
    for index in range(count):
        ledger.sent(index, Instant(START, 0))
    return ledger


def test_answer_in_time_has_a_round_trip_time() -> None:
    ledger = sent()
    ledger.answered(0, START + 25_126_000)
    assert ledger.outcomes() == [Outcome(address=HOST, rtt_ms=25.13)]


def test_round_trip_begins_when_the_kernel_says_the_request_left() -> None:
    ledger = sent()
    ledger.answered(0, START + 25 * MS)
    ledger.left(0, START + 5 * MS)
    assert ledger.outcomes()[0].rtt_ms == 20


def test_answer_after_the_timeout_is_late_and_neither_lost_nor_timed() -> None:
    ledger = sent()
    ledger.answered(0, START + 1001 * MS)
    assert ledger.outcomes() == [Outcome(address=HOST, late=True, reason=Reason.TIMEOUT)]
    assert ledger.outcomes()[0].answered


def test_second_answer_is_a_duplicate_and_does_not_change_the_first() -> None:
    ledger = sent()
    for ms in (20, 30, 5000):
        ledger.answered(0, START + ms * MS)
    assert ledger.outcomes() == [Outcome(address=HOST, rtt_ms=20, duplicates=2)]


def test_silence_is_a_timeout_without_a_time() -> None:
    ledger = sent()
    assert not ledger.is_settled
    assert ledger.outcomes() == [Outcome(address=HOST, reason=Reason.TIMEOUT)]


def test_request_never_sent_says_why() -> None:
    ledger = Ledger([Ask(0, HOST)], 1)
    ledger.failed(0, Reason.NETWORK_DOWN)
    assert ledger.is_settled
    assert ledger.outcomes() == [Outcome(address=HOST, sent=False, reason=Reason.NETWORK_DOWN)]


def test_unreachable_ends_the_waiting_but_a_later_answer_counts() -> None:
    ledger = sent()
    ledger.failed(0, Reason.UNREACHABLE)
    assert ledger.is_settled
    assert ledger.outcomes()[0].reason == Reason.UNREACHABLE
    ledger.answered(0, START + MS)
    assert ledger.outcomes() == [Outcome(address=HOST, rtt_ms=1)]


def test_an_answer_after_unreachable_settles_no_other_request() -> None:
    ledger = sent(2)
    ledger.failed(0, Reason.UNREACHABLE)
    ledger.failed(0, Reason.UNREACHABLE)
    ledger.answered(0, START + MS)
    assert not ledger.is_settled
    ledger.answered(1, START + MS)
    assert ledger.is_settled


def test_answer_at_the_timeout_itself_is_in_time() -> None:
    ledger = sent()
    ledger.answered(0, START + 1000 * MS)
    assert ledger.outcomes() == [Outcome(address=HOST, rtt_ms=1000)]


def test_only_an_answer_in_time_or_late_is_an_answer() -> None:
    ledger = sent(3)
    ledger.answered(0, START + MS)
    ledger.answered(1, START + 2000 * MS)
    assert [outcome.answered for outcome in ledger.outcomes()] == [True, True, False]


def test_a_request_is_known_by_its_moment_and_its_host() -> None:
    ledger = Ledger([Ask(0, HOST)] * 2, 1)
    ledger.sent(1, Instant(START, 7))
    assert [ledger.sent_at(index) for index in range(3)] == [None, Instant(START, 7), None]
    assert [ledger.is_from(1, host) for host in ("192.0.2.1", "192.0.2.2")] == [True, False]


def test_round_is_settled_when_each_request_is() -> None:
    ledger = sent(2)
    ledger.answered(1, START + MS)
    ledger.answered(1, START + MS)
    assert not ledger.is_settled
    ledger.answered(0, START + MS)
    assert ledger.is_settled


def test_unknown_place_was_never_sent() -> None:
    assert sent().sent_at(7) is None


@pytest.mark.parametrize(
    ("duration_ns", "told"), [(0, 0.01), (4000, 0.01), (14_900, 0.01), (123_456_789, 123.46)]
)
def test_times_are_told_in_steps_of_ten_microseconds_and_never_zero(duration_ns: int, told: float) -> None:
    assert in_ms(duration_ns) == told
