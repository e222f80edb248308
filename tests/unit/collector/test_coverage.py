# SPDX-License-Identifier: Apache-2.0
"""Is exactly that open which no signature holds for, whatever was lost, doubled, late or put in between?"""

from __future__ import annotations

import json
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from agent.contract.codec import encode
from agent.contract.decoder import decode
from agent.contract.envelope import MOST_CHAINED, Chained, Envelope, Tagged, chain_of, digest, seal
from agent.contract.ranges import RangeSet
from agent.contract.record import Batch
from collector.coverage import Coverage
from collector.entry import Header, NewEntry
from collector.seen import Seen
from tests.unit.collector.samples import DEVICE, SESSION, batch


def tagged(made: Batch) -> bytes:
    return seal(Tagged(bytes(6), encode(made)))


def signed(made: Batch, over: Sequence[Batch] = ()) -> bytes:
    if not over:
        return seal(Envelope(bytes(4), bytes(64), encode(made)))
    chain = chain_of(digest(encode(b)) for b in over)
    return seal(Chained(len(over), chain, bytes(64), encode(made)))


class Taken:
    """A journal's idea of what is stored and what of it is open."""

    def __init__(self) -> None:
        self.seen, self.coverage = Seen(), Coverage()

    def take(self, payload: bytes, made: Batch) -> None:
        """As intake does."""
        new = self.seen.new_ranges(DEVICE, SESSION, made.first_seq, made.last_seq)
        self.seen.add(DEVICE, SESSION, new, at_ms=0)
        self.coverage.take(NewEntry(received_ms=0, device=DEVICE, session=SESSION, new=new, payload=payload))

    def opened(self) -> list[int]:
        """Numbers that are open."""
        ranges = RangeSet(r for o in self.coverage.of(DEVICE, SESSION) for r in o.ranges)
        return [n for low, high in ranges for n in range(low, high + 1)]


BATCHES = [batch([2 * n + 1, 2 * n + 2], want_ack=False) for n in range(5)]
LAST = batch([11])


def test_a_chain_proves_what_came_before_it_in_any_order() -> None:
    taken = Taken()
    for made in (BATCHES[3], BATCHES[0], BATCHES[0], BATCHES[4], BATCHES[1], BATCHES[2]):
        taken.take(tagged(made), made)
    assert taken.opened() == list(range(1, 11))
    taken.take(signed(LAST, BATCHES), LAST)
    assert taken.opened() == []


def test_where_one_is_lost_all_of_the_chain_stay_open_until_they_come_again_signed() -> None:
    taken = Taken()
    for made in BATCHES[:4]:
        taken.take(tagged(made), made)
    taken.take(signed(LAST, BATCHES), LAST)
    assert taken.opened() == list(range(1, 9))
    again = batch(range(1, 11), backlog=True)
    taken.take(signed(again), again)
    assert taken.opened() == []


def test_one_that_was_put_in_between_is_told_from_those_that_were_signed() -> None:
    taken, strange = Taken(), batch([50])
    for made in (*BATCHES[:2], strange, *BATCHES[2:]):
        taken.take(tagged(made), made)
    taken.take(signed(LAST, BATCHES), LAST)
    assert taken.opened() == [50]


def test_one_that_was_changed_leaves_all_of_its_chain_open() -> None:
    taken, changed = Taken(), batch([3, 4], want_ack=False, backlog=True)
    for made in (BATCHES[0], changed, *BATCHES[2:]):
        taken.take(tagged(made), made)
    taken.take(signed(LAST, BATCHES), LAST)
    assert taken.opened() == list(range(1, 11))


def test_what_is_late_is_open_and_does_not_spoil_the_next_chain() -> None:
    taken = Taken()
    for made in BATCHES[:2]:
        taken.take(tagged(made), made)
    taken.take(signed(LAST, BATCHES[:3]), LAST)
    taken.take(tagged(BATCHES[2]), BATCHES[2])
    later = [batch([n], want_ack=False) for n in (12, 13, 14)]
    for made in later:
        taken.take(tagged(made), made)
    last = batch([15])
    taken.take(signed(last, later), last)
    assert taken.opened() == [1, 2, 3, 4, 5, 6]


def test_a_chain_of_another_session_proves_nothing() -> None:
    taken = Taken()
    taken.take(tagged(BATCHES[0]), BATCHES[0])
    other = NewEntry(
        received_ms=0,
        device=DEVICE,
        session="00000000000000bb",
        new=(),
        payload=signed(LAST, BATCHES[:1]),
    )
    taken.coverage.take(other)
    assert taken.opened() == [1, 2]


def test_a_device_that_never_signs_costs_bounded_memory() -> None:
    taken = Taken()
    for seq in range(1, 500):
        made = batch([seq], want_ack=False)
        taken.take(tagged(made), made)
    assert taken.opened() == list(range(1, 500))
    assert len(taken.coverage.of(DEVICE, SESSION)) <= MOST_CHAINED + 1
    again = batch(range(1, 500))
    taken.take(signed(again), again)
    assert taken.opened() == []


steps = st.lists(
    st.one_of(
        st.tuples(st.just("tagged"), st.integers(1, 12), st.integers(0, 3)),
        st.tuples(st.just("signed"), st.integers(1, 12), st.integers(0, 3)),
        st.tuples(st.just("chain"), st.integers(0, 7), st.integers(0, 7)),
    ),
    max_size=25,
)


@given(steps)
def test_nothing_is_proven_but_by_a_signature_and_the_journal_alone_tells_it(
    made: list[tuple[str, int, int]],
) -> None:
    taken, proven, sent = Taken(), set[int](), list[Batch]()
    for what, a, b in made:
        if what == "chain":
            over, closing = sent[min(a, b) : max(a, b)], batch([], first_seq=100)
            taken.take(signed(closing, over), closing)
            proven |= {r.seq for each in over for r in each.records}
            continue
        each = batch(range(a, a + b + 1), want_ack=False)
        sent.append(each)
        taken.take(tagged(each) if what == "tagged" else signed(each), each)
        proven |= set(range(a, a + b + 1)) if what == "signed" else set()
    stored = {n for low, high in taken.seen.ranges(DEVICE, SESSION) for n in range(low, high + 1)}
    assert set(taken.opened()) <= stored
    assert stored - set(taken.opened()) <= proven
    plain = {"next_number": 1, "began_ms": 0, "seen": {}, "opened": taken.coverage.to_plain()}
    back = decode(Header, json.loads(json.dumps(plain)))
    assert Coverage(back.opened).to_plain() == taken.coverage.to_plain()
