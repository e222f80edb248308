# SPDX-License-Identifier: Apache-2.0
"""Is what a collector has forgotten told again, and counted where it can no longer be told?"""

from __future__ import annotations

from agent.contract.codec import encode
from agent.contract.kinds import Reach
from agent.contract.record import Ack, Batch, ClockState, Record
from agent.publisher.past import Past

HERE, BEFORE = "00000000000000aa", "00000000000000bb"
CLOCK = ClockState(wall_ms=0, mono_ms=0, boot="00000000")


def batch(low: int, high: int, session: str = HERE) -> Batch:
    records = tuple(
        Record(seq=seq, kind="reach", clock=CLOCK, duration_ms=1, fields=Reach(up=True))
        for seq in range(low, high + 1)
    )
    return Batch(device="kz-1", session=session, first_seq=low, clock=CLOCK, records=records)


def ack(up_to_seq: int, at_ms: int, session: str = HERE) -> Ack:
    return Ack(session=session, up_to_seq=up_to_seq, wall_ms=at_ms)


def told_again(past: Past) -> list[tuple[str, int, int, int]]:
    """Session, first number stated, last, and how many records, of each batch."""
    found = []
    while made := past.next("kz-1", CLOCK):
        assert made.want_ack
        assert made.backlog
        found.append((made.session, made.first_seq, made.last_seq, len(made.records)))
        past.told()
    return found


def sent(past: Past, *spans: tuple[int, int]) -> None:
    for low, high in spans:
        past.keep(batch(low, high), encode(batch(low, high)))


def test_nothing_is_told_again_to_a_collector_that_knows_more_and_more() -> None:
    past = Past(HERE)
    sent(past, (1, 5), (6, 9))
    for at_ms, up_to_seq in enumerate((0, 5, 5, 9)):
        past.answered(ack(up_to_seq, at_ms))
    assert told_again(past) == []


def test_what_a_collector_has_forgotten_is_told_again_then_that_the_rest_is_gone() -> None:
    past = Past(HERE)
    sent(past, (4, 5), (6, 7), (8, 9), (10, 12))
    past.answered(ack(9, at_ms=1))
    past.answered(ack(6, at_ms=2))
    assert told_again(past) == [(HERE, 6, 7, 2), (HERE, 8, 9, 2), (HERE, 1, 9, 0)]


def test_an_answer_that_comes_late_is_no_sign_of_forgetting() -> None:
    past = Past(HERE)
    sent(past, (1, 9))
    past.answered(ack(9, at_ms=2))
    past.answered(ack(0, at_ms=1))
    assert told_again(past) == []


def test_nothing_that_was_sent_is_said_to_be_gone_while_it_can_be_told_again() -> None:
    past = Past(HERE)
    assert past.first_seq(HERE, 1, 6) == 1
    sent(past, (1, 5))
    assert past.first_seq(HERE, 1, 6) == 6
    assert past.first_seq(HERE, 1, 9) == 6
    assert past.first_seq(BEFORE, 1, 6) == 1


def test_of_a_session_of_an_earlier_start_it_is_said_how_far_it_went() -> None:
    past = Past(HERE, {BEFORE: 40})
    assert past.unsettled() == [BEFORE]
    past.answered(ack(30, 1, BEFORE))
    assert past.unsettled() == []
    assert told_again(past) == [(BEFORE, 1, 40, 0)]


def test_nothing_is_said_of_a_session_that_the_collector_has_whole() -> None:
    past = Past(HERE, {BEFORE: 40})
    past.answered(ack(40, 1, BEFORE))
    assert (past.unsettled(), told_again(past)) == ([], [])


def test_nothing_is_said_of_a_session_of_which_something_waits() -> None:
    pending = {BEFORE}
    past = Past(HERE, {BEFORE: 40}, pending.__contains__)
    past.answered(ack(30, 1, BEFORE))
    assert (past.unsettled(), told_again(past)) == ([], [])
    pending.clear()
    assert past.unsettled() == [BEFORE]


def test_a_collector_that_forgot_is_asked_of_earlier_sessions_again() -> None:
    past = Past(HERE, {BEFORE: 40})
    past.answered(ack(40, 1, BEFORE))
    past.answered(ack(9, 2))
    assert past.answered(ack(0, 3))
    assert past.unsettled() == [BEFORE]


def test_memory_is_bounded_and_what_fell_out_of_it_is_said_to_be_gone() -> None:
    past = Past(HERE)
    for n in range(1000):
        made = batch(n + 1, n + 1)
        past.keep(made, encode(made) + bytes(1000))
    past.answered(ack(1000, at_ms=1))
    past.answered(ack(0, at_ms=2))
    kept = past._again
    assert 200 < len(kept) < 300
    assert (kept[-1].low, kept[-1].high, kept[-1].payload) == (1, 1000, b"")
