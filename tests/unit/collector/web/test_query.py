# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.web.fleet import SchoolNow
from collector.web.query import LONGEST, Query
from collector.web.state import State

SCHOOL = SchoolNow(
    id="kz-1", name="№1 Әйтеке би", country="KZ", region="Алматы", operator="Operator B", technology="LTE",
    contract="", state=State.DOWN, cause=None, since_ms=10, since_is_earliest=False, last_at_ms=20,
    data_age_s=1.0,    rtt_median_ms=50.0, rtt_p95_ms=60.0, loss_ratio=0.1,
)  # fmt: skip


def school(**changes: object) -> SchoolNow:
    return dataclasses.replace(SCHOOL, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("plain", "matches"),
    [
        ({}, True),
        ({"state": "down"}, True),
        ({"state": "up"}, False),
        ({"state": "DOWN'--"}, True),
        ({"region": "Алматы", "operator": "Operator B"}, True),
        ({"technology": "fibre"}, False),
        ({"q": "әЙТЕКЕ"}, True),
        ({"q": "KZ-1"}, True),
        ({"q": "zzz"}, False),
    ],
)
def test_query_lists_what_was_asked_for(plain: dict[str, str], matches: bool) -> None:
    assert Query.of(plain).matches(SCHOOL) is matches


@pytest.mark.parametrize(
    ("sent", "page"), [("3", 3), ("0", 1), ("-1", 1), ("x", 1), ("²", 1), ("9" * 99, 1), ("", 1)]
)
def test_page_is_the_first_when_the_number_is_odd(sent: str, page: int) -> None:
    assert Query.of({"page": sent}).page == page


@given(
    st.dictionaries(st.sampled_from(["state", "region", "q", "sort", "page", "tz", "operator"]), st.text())
)
def test_query_takes_any_text(plain: dict[str, str]) -> None:
    query = Query.of(plain)
    assert len(query.q) <= LONGEST
    query.matches(SCHOOL)
    query.order([SCHOOL])


def test_link_comes_back_as_the_same_query() -> None:
    query = Query.of({"region": "Шығыс & Қ", "q": "<b>", "tz": "utc", "state": "up"})
    assert query.link() == "/?state=up&region=%D0%A8%D1%8B%D2%93%D1%8B%D1%81+%26+%D2%9A&q=%3Cb%3E&tz=utc"
    assert query.link(state="", page=2).endswith("&page=2&tz=utc")


def test_order_is_most_urgent_then_longest_first() -> None:
    schools = [
        school(id=i, state=s, since_ms=ms)
        for i, s, ms in (
            ("a", State.UP, 1),
            ("b", State.DOWN, 9),
            ("c", State.DOWN, 3),
            ("d", State.UNKNOWN, 0),
        )
    ]
    assert [s.id for s in Query().order(schools)] == ["c", "b", "d", "a"]


@pytest.mark.parametrize(
    ("sort", "first"), [("latency", "slow"), ("loss", "lossy"), ("age", "old"), ("name", "named")]
)
def test_order_puts_what_is_not_known_last(sort: str, first: str) -> None:
    nothing = school(id="x", name="№15", rtt_median_ms=None, loss_ratio=None, data_age_s=None)
    schools = [
        nothing,
        school(id="slow", rtt_median_ms=900.0),
        school(id="lossy", loss_ratio=0.9),
        school(id="old", data_age_s=9e9),
        school(id="named", name="№0"),
    ]
    found = Query.of({"sort": sort}).order(schools)
    assert found[0].id == first
    assert found[-1].id == "x"
