# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sla.book import Placed
from collector.sla.ledger import Ledger
from collector.sla.memory import MemoryBook
from collector.sla.outage import Span, counted, spans
from collector.sla.parameters import STANDARD, Parameters, Term
from collector.sla.sighting import Basis, Sighting, Told
from collector.sla.slot import SLOT_MS, SlotClass
from tests.unit.collector.sla.story import FIRST, SCHOOL, classes, records


def found(text: str, by: Parameters = STANDARD) -> list[tuple[int, int, bool]]:
    return [(s.start, s.end, s.is_open) for s in spans(classes(text), lambda _: by)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("uuuuu", []),
        ("uppuu", []),
        ("pppuuu", [(0, 3, False)]),  # opens at slot 0, the first of 3; closes at slot 3, the first of 3
        ("pppuu", [(0, 5, True)]),  # two good ones do not close it
        ("poo uuu", [(0, 3, False)]),  # a bad slot is one, whoever is at fault
        ("ppp?uuu", [(0, 4, False)]),
        ("pp?p uuu", []),
        ("ppp uu?u uuu", [(0, 6, False)]),  # the unknown one at 5 breaks the first good row
        ("ppp ddd", [(0, 3, False)]),  # degraded is good
        ("ppp uuu ppp", [(0, 3, False), (6, 9, True)]),
        ("", []),
        ("????", []),
    ],
)
def test_an_outage_opens_after_three_bad_and_closes_after_three_good(
    text: str, expected: list[tuple[int, int, bool]]
) -> None:
    assert found(text) == expected


def test_a_contract_may_ask_for_more_or_less() -> None:
    assert found("p uuu", Parameters(open_after=1, close_after=1)) == [(0, 1, False)]
    assert found("pppp uuu", Parameters(open_after=5)) == []
    assert found("ppp uuu pp uuuuu", Parameters(close_after=5)) == [(0, 8, False)]


def test_a_row_is_judged_by_the_figures_at_its_first_slot() -> None:
    strict, lax = Parameters(open_after=2), Parameters(open_after=4)
    text = classes("u ppp u ppp uuu")
    assert spans(text, lambda i: strict if i < 2 else lax) == [Span(1, 8, is_open=False)]
    assert spans(text, lambda i: lax if i < 2 else strict) == [Span(5, 8, is_open=False)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("u pp u o u", "u dd u d u"),  # 2 and 1 of 3: no outage, reported, available
        ("u ppp uuu o", "u ppp uuu d"),  # the outage keeps its slots
        ("u ppp uu p uu p uuu", "u ppp uu p uu p uuu"),  # bad again before it closed: of the same outage
        ("u p?p u", "u ??? u"),  # 3 if the unknown one was bad: nobody can say
        ("u ??p u", "u ??? u"),
        ("u ?p u", "u ?d u"),  # 2 at the most: no outage, whatever it was
        ("u ppp ??? p", "u ppp ??? p"),  # an outage lasts across what is not known
    ],
)
def test_short_rows_of_bad_slots_are_not_counted_as_bad(text: str, expected: str) -> None:
    row = classes(text)
    assert counted(row, spans(row, lambda _: STANDARD), lambda _: STANDARD) == classes(expected)


def test_an_outage_that_began_before_the_month_keeps_its_first_slots() -> None:
    assert counted(classes("pp uuu"), [Span(0, 2, is_open=False)], lambda _: STANDARD) == classes("pp uuu")


@given(st.text("?udpo", max_size=60))
def test_what_is_counted_is_bad_in_outages_alone(text: str) -> None:
    row = classes(text)
    found = spans(row, lambda _: STANDARD)
    result = counted(row, found, lambda _: STANDARD)
    inside = {i for span in found for i in range(span.start, span.end)}
    assert len(result) == len(row)
    for i, (was, now) in enumerate(zip(row, result, strict=True)):
        assert now == was if i in inside or was < SlotClass.DOWN_PROVIDER else now < SlotClass.DOWN_PROVIDER


@given(st.text("?udpo", max_size=60))
def test_outages_lie_apart_and_begin_and_end_bad(text: str) -> None:
    row = classes(text)
    last = -1
    for span in spans(row, lambda _: STANDARD):
        assert last < span.start < span.end
        assert all(c in b"\3\4" for c in row[span.start : span.start + 3])
        assert span.is_open or all(c in b"\1\2" for c in row[span.end : span.end + 3])
        last = span.end
        assert not span.is_open or span.end == len(row)


def test_an_outage_is_dated_as_the_agent_dated_it() -> None:
    at_ms, until_ms = (FIRST + 2) * SLOT_MS - 9500, (FIRST + 6) * SLOT_MS + 4250
    told = Told("link", "o", 1, "line", is_closed=True, opened_resolution_s=0.45, closed_resolution_s=0.14)
    one = Sighting(FIRST + 1, at_ms, until_ms, "pi-1", "f" * 16, 7, "1" * 8, 1000, Basis.CLOCK, told)
    ledger = Ledger(MemoryBook())
    ledger.apply([*records({"saw": "UU DDDD UUU"}), Placed(SCHOOL, one)])

    (outage,) = ledger.book.outages(SCHOOL, FIRST, FIRST + 8)
    assert (outage.begin_ms, outage.begin_resolution_s) == (at_ms, 0.45)
    assert (outage.end_ms, outage.end_resolution_s) == (until_ms, 0.14)
    assert (outage.first_slot, outage.last_slot) == (FIRST + 2, FIRST + 5)


def test_without_the_agents_word_an_outage_is_known_to_a_slot() -> None:
    ledger = Ledger(MemoryBook())
    ledger.apply(records({"saw": "UU DDDD UUU"}))

    (outage,) = ledger.book.outages(SCHOOL, FIRST, FIRST + 8)
    assert (outage.begin_ms, outage.begin_resolution_s) == ((FIRST + 2) * SLOT_MS, 60.0)
    assert (outage.end_ms, outage.end_resolution_s) == ((FIRST + 6) * SLOT_MS, 60.0)


def test_an_outage_keeps_its_id_while_it_lasts_and_when_it_ends() -> None:
    said = records({"saw": "UU DDDDDD UUU"})
    ledger = Ledger(MemoryBook())
    ids = set()
    for one in said:
        ids |= {outage.id for outage in ledger.apply([one]).come}
    assert ids == {f"{SCHOOL}/{FIRST + 2}"}


def test_a_contract_that_changes_in_the_middle_is_judged_by_the_version_in_force() -> None:
    strict, lax = dataclasses.replace(STANDARD, open_after=2), dataclasses.replace(STANDARD, open_after=9)

    class Changing:
        def terms(self, _school: str, first_slot: int, last_slot: int) -> list[Term]:
            change = FIRST + 6
            before = Term(first_slot, min(last_slot, change - 1), lax)
            parts = [before, Term(max(first_slot, change), last_slot, strict)]
            return [part for part in parts if part.first_slot <= part.last_slot]

    ledger = Ledger(MemoryBook(), Changing())
    ledger.apply(records({"saw": "UDDDUU UDDUUU"}))

    assert [o.first_slot - FIRST for o in ledger.book.outages(SCHOOL, FIRST, FIRST + 12)] == [7]
