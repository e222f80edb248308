# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.web.cache import is_cached

SQUID = {"age": "1", "x-cache": "HIT from squid.test", "via": "1.1 squid.test (squid/5.7)"}


@pytest.mark.parametrize(
    ("headers", "cached"),
    [
        (SQUID, True),
        ({"x-cache": "MISS from squid.test", "via": "1.1 squid.test (squid/5.7)"}, False),
        ({"x-cache": "TCP_HIT from a23"}, True),
        ({"x-cache": "white"}, False),
        ({"x-cache": "Hit from cloudfront"}, True),
        ({"age": "0"}, True),
        ({"cache-status": "ExampleCache; hit; ttl=376"}, True),
        ({"cache-status": "ExampleCache; fwd=uri-miss; stored"}, False),
        ({}, False),
    ],
)
def test_a_cache_shows_by_what_it_adds(headers: dict[str, str], cached: bool) -> None:
    assert is_cached(headers) is cached


@given(st.dictionaries(st.sampled_from(["age", "x-cache", "cache-status"]), st.text(max_size=50)))
def test_any_headers_are_read(headers: dict[str, str]) -> None:
    assert is_cached(headers) in {True, False}
