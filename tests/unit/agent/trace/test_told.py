# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.trace.told import Hop, Method, Order, Told, read_order, read_told, write

methods = st.sampled_from(get_args(Method))
hosts = st.ip_addresses(v=4).map(str)
times_ms = st.floats(0, 1e6)
hops = st.builds(
    Hop,
    ttl=st.integers(1, 64),
    asked=st.just(9),
    answered=st.integers(0, 9),
    address=st.none() | hosts,
    rtt_ms=st.none() | times_ms,
)
told = st.builds(
    Told,
    method=st.none() | methods,
    hops=st.lists(hops, max_size=30).map(tuple),
    operator_hop=st.none() | hosts,
    refused_by=st.none() | hosts,
    operator_rtts_ms=st.lists(times_ms, max_size=9).map(tuple),
)


@given(told)
def test_what_the_child_says_is_read_as_it_was_written(said: Told) -> None:
    assert read_told(write(said)) == said


def test_order_is_read_as_it_was_written() -> None:
    order = Order(
        target="1.1.1.1",
        methods=("icmp", "tcp"),
        hops_max=9,
        tries=2,
        timeout_s=1.5,
        budget_s=20,
        port=443,
        pings=0,
        mtu_max_bytes=1500,
    )
    assert read_order(write(order)) == order


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"Traceback (most recent call last):",
        b"[]",
        b'{"reached": 1}',
        b'{"more": true}',
        b'{"hops": [{"ttl": 1, "asked": 1, "answered": 2}]}',
        b'{"hops": [{"ttl": 1, "asked": 1, "answered": 1, "address": "router"}]}',
        b'{"operator_hop": "<script>"}',
        b"[" * 50_000,
        json.dumps({"detail": "x" * 70_000}).encode(),
    ],
)
def test_what_is_not_understood_is_refused(said: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_told(said)
