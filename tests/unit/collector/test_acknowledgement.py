# SPDX-License-Identifier: Apache-2.0
"""Does an agent hear what it may forget, once, and only when it asks?"""

from __future__ import annotations

from agent.contract.codec import decode_ack
from agent.contract.record import MAX_SEQ
from collector.acknowledgement import MAX_RANGES, answers
from collector.seen import Seen
from tests.unit.collector.samples import DEVICE, SESSION, batch


def test_several_batches_of_one_session_get_one_answer() -> None:
    seen = Seen()
    seen.add(DEVICE, SESSION, [(1, 5), (8, 9)], at_ms=0)

    (answer,) = answers([batch([1, 2]), batch([3])], seen, now_ms=77)

    assert answer.topic == "sp/1/13/kz-1/ack"
    ack = decode_ack(answer.payload)
    assert (ack.session, ack.up_to_seq, ack.ranges, ack.wall_ms) == (SESSION, 5, ((8, 9),), 77)


def test_each_session_gets_its_own() -> None:
    made = [batch([1]), batch([1], session="00000000000000bb")]

    assert len(answers(made, Seen(), now_ms=0)) == 2


def test_who_does_not_ask_gets_none() -> None:
    assert answers([batch([1], want_ack=False)], Seen(), now_ms=0) == []


def test_the_largest_answer_is_small() -> None:
    seen = Seen()
    seen.add(DEVICE, SESSION, [(MAX_SEQ - 4 * n, MAX_SEQ - 4 * n) for n in range(100)], at_ms=0)

    (answer,) = answers([batch([1])], seen, now_ms=2**53)

    assert len(decode_ack(answer.payload).ranges) == MAX_RANGES
    assert len(answer.payload) < 1500
