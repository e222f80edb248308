# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from collector.judge.file import FileBook
from collector.judge.plain import fact_from_text, fact_to_text, outage_from_plain, outage_to_plain
from collector.judge.schema import TABLES
from collector.sla.ledger import Ledger
from tests.unit.collector.sla.world import FACTS, SCHOOLS, contents, deliveries, final, ledger_of, records


@contextlib.contextmanager
def file_ledger() -> Iterator[Ledger]:
    with contextlib.closing(sqlite3.connect(":memory:")) as db:
        for table in TABLES:
            db.execute(table)
        yield Ledger(FileBook(db))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_file_and_plain_memory_come_to_the_same(data: st.DataObject) -> None:
    said = data.draw(records())
    with file_ledger() as ledger:
        for part in data.draw(deliveries(said)):
            ledger.apply(part)

        assert contents(ledger) == contents(ledger_of(final(said)))


@settings(max_examples=40, deadline=None)
@given(said=records())
def test_outages_come_back_as_they_were(said: list) -> None:  # type: ignore[type-arg]
    for _, _, outages in contents(ledger_of(final(said))).values():
        for outage in outages:
            assert outage_from_plain(outage_to_plain(outage)) == outage


def test_facts_come_back_as_they_were() -> None:
    assert len(FACTS) >= 20
    for fact in FACTS:
        back = fact_from_text(fact_to_text(fact))
        assert (type(back), back) == (type(fact), fact)


def test_a_school_nobody_saw_has_nothing() -> None:
    with file_ledger() as ledger:
        assert contents(ledger)[SCHOOLS[0]] == contents(ledger_of())[SCHOOLS[0]]
        assert ledger.book.find(("d1", "s1", 1)) is None
