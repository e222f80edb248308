# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

from agent.contract.kinds import Event, Outage, Reach
from collector.registry import School
from collector.web.outages import outages
from tests.unit.collector.web.fakes import MINUTE_MS, NOW_MS, Stored, view
from tests.unit.collector.web.site import EVIL, client, one_school

OPENED = Outage(
    scope="link", outage="0123abcd-5000", revision=0, ongoing=True, cause="modem", opened_resolution_s=0.46
)
CLOSED = dataclasses.replace(OPENED, revision=1, ongoing=False, lasted_s=65.0, closed_resolution_s=0.14)
START_MS = NOW_MS - 3 * MINUTE_MS


def stored(fields: Outage | Reach | Event, at_ms: int = START_MS, seq: int = 1) -> Stored:
    return Stored(at_ms=at_ms, kind=fields.kind, fields=fields, seq=seq)


def test_of_what_was_told_of_an_outage_the_last_holds_whatever_the_order() -> None:
    for found in ([stored(OPENED), stored(CLOSED)], [stored(CLOSED), stored(OPENED)]):
        (told,) = outages(found)
        assert (told.start_ms, told.end_ms, told.is_ongoing) == (START_MS, START_MS + 65_000, False)


def test_an_open_outage_lasts_until_something_speaks_against_it() -> None:
    found = [stored(OPENED)]
    later_ms = START_MS + MINUTE_MS
    assert outages(found)[0].is_ongoing
    assert outages(found, [stored(Reach(up=False), later_ms)])[0].is_ongoing
    assert not outages(found, [stored(Reach(up=True), later_ms)])[0].is_ongoing
    assert not outages(found, (), [stored(Event(event="agent_started"), later_ms)])[0].is_ongoing
    assert outages(found, [], [stored(Event(event="clock_set"), later_ms)])[0].is_ongoing


def test_anchors_that_answer_do_not_end_an_outage_of_names() -> None:
    found = [stored(dataclasses.replace(OPENED, scope="dns", cause="dns"))]
    assert outages(found, [stored(Reach(up=True), NOW_MS)])[0].is_ongoing


def test_only_the_newest_of_several_can_last() -> None:
    newer = dataclasses.replace(OPENED, outage="0123abcd-9000")
    told = outages([stored(OPENED), stored(newer, START_MS + MINUTE_MS, 2)])
    assert [o.is_ongoing for o in told] == [True, False]


def test_an_outage_without_its_end_says_so() -> None:
    (told,) = outages([stored(dataclasses.replace(OPENED, ongoing=None, revision=1))])
    assert (told.end_ms, told.is_ongoing) == (None, False)


async def test_the_page_of_a_school_shows_an_open_outage_with_its_cause() -> None:
    school = School(id="kz-1", name="№1")
    reader = one_school(school)
    reader.stored["kz-1"] += [stored(OPENED, NOW_MS - MINUTE_MS + 1)]
    reader.stored["kz-1"] += [stored(dataclasses.replace(CLOSED, outage="b", cause=EVIL), START_MS, 2)]
    async with client(view(reader, school)) as site:
        page = await (await site.get("/school/kz-1")).text()
    assert "An outage lasts" in page
    assert "still going on" in page
    assert "460 ms" in page
    assert EVIL not in page
