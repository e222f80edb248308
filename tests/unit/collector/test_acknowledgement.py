# SPDX-License-Identifier: Apache-2.0
"""Does an agent hear what it may forget, once, and only when it asks?"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agent.contract.codec import decode_ack
from agent.contract.envelope import Chained, seal
from agent.contract.ranges import RangeSet
from agent.contract.record import MAX_SEQ, Batch
from collector.acknowledgement import MAX_RANGES, answers, proven
from collector.admission import Admitted
from collector.coverage import Coverage
from collector.seen import Seen
from tests.unit.collector.samples import DEVICE, SESSION, batch, message


def admitted(*batches: Batch) -> list[Admitted]:
    return [Admitted(message=message(b), batch=b) for b in batches]


def test_who_makes_chains_gets_it_packed() -> None:
    payload = seal(Chained(1, bytes(16), bytes(64), b"{"))
    asking = Admitted(message=message(payload), batch=batch([3]))
    seen = Seen()
    seen.add(DEVICE, SESSION, [(1, 3)], at_ms=0)

    (answer,) = answers([asking], seen, Coverage(), now_ms=1_790_000_000_000)

    assert len(answer.payload) == 18
    assert decode_ack(answer.payload).up_to_seq == 3


def test_several_batches_of_one_session_get_one_answer() -> None:
    seen = Seen()
    seen.add(DEVICE, SESSION, [(1, 5), (8, 9)], at_ms=0)

    (answer,) = answers(admitted(batch([1, 2]), batch([3])), seen, Coverage(), now_ms=77)

    assert answer.topic == "sp/1/13/kz-1/ack"
    ack = decode_ack(answer.payload)
    assert (ack.session, ack.up_to_seq, ack.ranges, ack.wall_ms) == (SESSION, 5, ((8, 9),), 77)


def test_each_session_gets_its_own() -> None:
    made = [batch([1]), batch([1], session="00000000000000bb")]

    assert len(answers(admitted(*made), Seen(), Coverage(), now_ms=0)) == 2


def test_who_does_not_ask_gets_none() -> None:
    assert answers(admitted(batch([1], want_ack=False)), Seen(), Coverage(), now_ms=0) == []


def test_the_largest_answer_is_small() -> None:
    seen = Seen()
    seen.add(DEVICE, SESSION, [(MAX_SEQ - 4 * n, MAX_SEQ - 4 * n) for n in range(100)], at_ms=0)

    (answer,) = answers(admitted(batch([1])), seen, Coverage(), now_ms=2**53)

    assert len(decode_ack(answer.payload).ranges) == MAX_RANGES
    assert len(answer.payload) < 1500


ranges = st.builds(RangeSet, st.lists(st.tuples(st.integers(1, 30), st.integers(1, 30)), max_size=6))


@given(ranges, ranges)
def test_what_is_told_is_what_is_stored_without_what_is_open(stored: RangeSet, opened: RangeSet) -> None:
    up_to_seq, beyond = proven(stored, opened)

    told = RangeSet([(1, up_to_seq), *beyond])
    assert [n in told for n in range(40)] == [n in stored and n not in opened for n in range(40)]


def test_nothing_is_told_up_to_a_gap_at_the_beginning() -> None:
    assert proven([(2, 5)], RangeSet()) == (0, ((2, 5),))
