# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.sla import stretch
from collector.sla.book import Placed
from collector.sla.ledger import STANDARD_TERMS
from collector.sla.sighting import Round, Told
from collector.sla.slot import SLOT_MS, SlotClass
from collector.sla.window import Window
from tests.unit.collector.sla.world import (
    FIRST,
    LAST,
    SCHOOLS,
    contents,
    deliveries,
    final,
    ledger_of,
    records,
)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_order_any_repetition_and_any_split_into_batches_give_the_same_ledger(
    data: st.DataObject,
) -> None:
    said = data.draw(records())
    batches = data.draw(deliveries(said))

    assert contents(ledger_of(*batches)) == contents(ledger_of(final(said)))


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_records_one_by_one_give_the_same_as_all_at_once(data: st.DataObject) -> None:
    said = data.draw(records())
    order = data.draw(st.permutations(said))

    assert contents(ledger_of(*([one] for one in order))) == contents(ledger_of(final(said)))


@settings(max_examples=40, deadline=None)
@given(said=records())
def test_a_slot_is_judged_the_same_alone_as_among_others(said: list[Placed]) -> None:
    book = ledger_of(final(said)).book
    for school in SCHOOLS:
        whole = stretch.judge(book, school, FIRST - 50, LAST + 80, STANDARD_TERMS)
        alone = [
            Window(school, slot, slot, book).judge(STANDARD_TERMS) for slot in range(FIRST - 50, LAST + 81)
        ]
        assert whole.rules == b"".join(a.rules for a in alone)
        assert whole == book.verdicts(school, FIRST - 50, LAST + 80)


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_late_record_changes_only_slots_that_it_says_it_judged(data: st.DataObject) -> None:
    said = final(data.draw(records()))
    late = data.draw(st.integers(0, len(said) - 1))
    ledger = ledger_of(said[:late] + said[late + 1 :])
    before = contents(ledger)

    change = ledger.apply([said[late]])

    after = contents(ledger)
    for school in SCHOOLS:
        judged = {s for span in change.judged.get(school, ()) for s in range(span.first, span.last + 1)}
        pairs = itertools.count(FIRST - 50), *before[school][1], *after[school][1]
        differing = {slot for slot, c, r, d, q in zip(*pairs, strict=False) if (c, r) != (d, q)}
        assert differing <= judged
    gone_or_come = {o.id for o in change.come} | set(change.gone)
    told = {o.id: o for s in SCHOOLS for o in before[s][2]}, {o.id: o for s in SCHOOLS for o in after[s][2]}
    assert gone_or_come == {i for i in told[0] | told[1] if told[0].get(i) != told[1].get(i)}


@settings(max_examples=60, deadline=None)
@given(said=records())
def test_nothing_is_invented(said: list[Placed]) -> None:
    """A slot is good only near an anchor that answered, and the operator's only near one that did not."""
    known = final(said)
    book = ledger_of(known).book
    for school in SCHOOLS:
        here = [p.sighting for p in known if p.school == school]
        verdicts = book.verdicts(school, FIRST - 50, LAST + 80)
        for slot, slot_class in enumerate(verdicts.classes, FIRST - 50):
            near = [s for s in here if s.at_ms // SLOT_MS - 1 <= slot <= s.last_slot + 1]
            rounds = {s.fact.up for s in near if isinstance(s.fact, Round)}
            told = {s.fact.scope for s in near if isinstance(s.fact, Told)}
            if slot_class == SlotClass.UP:
                assert True in rounds
            elif slot_class == SlotClass.DEGRADED:
                assert True in rounds or "dns" in told
            elif slot_class == SlotClass.DOWN_PROVIDER:
                assert False in rounds or "link" in told
            elif slot_class == SlotClass.DOWN_OTHER:
                assert here
