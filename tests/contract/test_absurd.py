# SPDX-License-Identifier: Apache-2.0
"""Is a figure that cannot be refused at the door, with its record kept apart, rather than stored as truth?"""

from __future__ import annotations

import json
import math
import typing
from dataclasses import fields as fields_of
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.codec import Decoded, decode_batch
from agent.contract.histogram import quantile_ms
from agent.contract.kinds import KINDS, Latency, key_names

CLOCK = {"wall_ms": 1_790_000_000_000, "mono_ms": 60_000, "boot": "0badcafe"}
HEADER = {"v": 1, "device": "kz-1", "session": "0" * 16, "first_seq": 1, "last_seq": 2, "clock": CLOCK}
INT64 = 2**63


def _numbers() -> list[tuple[str, str]]:
    found = []
    for name, kind in KINDS.items():
        hints = typing.get_type_hints(kind)
        found += [(name, f.name) for f in fields_of(kind) if {int, float} & {*typing.get_args(hints[f.name])}]
    return found


def received(kind: str, figures: dict[str, Any]) -> Decoded:
    """A batch of an ordinary record and this one."""
    keys = dict.fromkeys(key_names(KINDS[kind]), "x")
    good = {"seq": 1, "kind": "reach", "clock": CLOCK, "duration_ms": 5, "fields": {"up": True}}
    odd = {"seq": 2, "kind": kind, "clock": CLOCK, "duration_ms": 5, "fields": {**keys, **figures}}
    return decode_batch(json.dumps({**HEADER, "records": [good, odd]}).encode())


def is_refused(kind: str, name: str, value: Any) -> bool:
    """Whether this record alone was refused, naming the figure."""
    decoded = received(kind, {name: value})
    assert next(r.seq for r in decoded.batch.records) == 1
    return [(r.seq, r.problem.startswith(f"fields.{name}")) for r in decoded.refused] == [(2, True)]


@pytest.mark.parametrize(("kind", "name"), _numbers())
def test_what_no_database_holds_is_refused(kind: str, name: str) -> None:
    for absurd in (math.nan, math.inf, -math.inf, 1e300, -1e300, 10**400, INT64, -INT64 - 1, "5", True):
        assert is_refused(kind, name, absurd), absurd


@pytest.mark.parametrize(
    ("kind", "name", "absurd", "most"),
    [
        ("throughput", "mbps", 1_000_001, 1_000_000),
        ("throughput", "mbps", -0.1, 0.0),
        ("throughput", "loss_ratio", 1.01, 1.0),
        ("throughput", "rtt_loaded_ms", 86_400_001, 86_400_000),
        ("latency", "loss_ratio", 1.01, 1.0),
        ("latency", "rtt_min_ms", -0.01, 0.0),
        ("latency", "rtt_max_ms", 86_400_001, 86_400_000),
        ("dns", "lookup_ms", 86_400_001, 86_400_000),
        ("http", "first_byte_ms", 86_400_001, 86_400_000),
    ],
)
def test_what_no_link_gives_is_refused(kind: str, name: str, absurd: float, most: float) -> None:
    assert is_refused(kind, name, absurd)
    assert received(kind, {name: most}).refused == ()


@pytest.mark.parametrize(
    "histogram",
    [
        [[10**9, 1]],
        [[-(10**9), 1]],
        [[5, 0]],
        [[5, -3]],
        [[5, INT64]],
        [[7, 1], [5, 1]],
        [[5, 1], [5, 1]],
    ],
)
def test_a_histogram_of_what_cannot_be_is_refused(histogram: list[list[int]]) -> None:
    assert is_refused("latency", "rtt_histogram", histogram)


@given(st.lists(st.tuples(st.integers(), st.integers()), max_size=4))
def test_whatever_histogram_passes_has_percentiles(histogram: list[tuple[int, int]]) -> None:
    decoded = received("latency", {"rtt_histogram": histogram})

    for record in decoded.batch.records[1:]:
        assert isinstance(record.fields, Latency)
        p95_ms = quantile_ms(record.fields.rtt_histogram or (), 0.95)
        assert p95_ms is None or 0 < p95_ms < math.inf
