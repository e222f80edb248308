# SPDX-License-Identifier: Apache-2.0
"""Is a record kept whatever a driver counted, and is only what cannot be left out of it?"""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.kinds import Fields, Interface, Latency, Throughput
from agent.contract.record import ClockState
from agent.spool import block
from agent.spool.session import Session
from tests.contract.strategies import any_fields

CLOCK = ClockState(wall_ms=1_790_000_000_000, mono_ms=60_000, boot="0badcafe", age_s=1)
COUNTED = Interface(interface="eth0", source="host", rx_bytes=2**64 - 1, tx_bytes=5)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        (COUNTED, "rx_bytes"),
        (Throughput(direction="up", server="s", method="ndt7", mbps=1e300, bytes=7), "mbps"),
        (Throughput(direction="up", server="s", method="ndt7", mbps=1.0, loss_ratio=math.nan), "loss_ratio"),
        (Latency(target="a", sent=3, rtt_min_ms=-0.5), "rtt_min_ms"),
        (Latency(target="a", sent=3, rtt_histogram=((5, 0),)), "rtt_histogram"),
    ],
)
def test_figure_that_cannot_be_is_left_out_and_named(fields: Any, name: str) -> None:
    made = Session(lambda: CLOCK).make(kind=fields.kind, clock=CLOCK, duration_ms=5, fields=fields)

    assert made.fields == dataclasses.replace(fields, **{name: None})
    assert made.detail == f"cannot be, left out: {name}"
    assert block.unpack(block.pack("0" * 16, [made]))[1] == (made,)


def test_what_was_said_before_is_said_still() -> None:
    made = Session(lambda: CLOCK).make(
        kind="interface", clock=CLOCK, duration_ms=5, fields=COUNTED, detail="a cable was pulled"
    )
    assert made.detail == "a cable was pulled; cannot be, left out: rx_bytes"


@given(any_fields, st.sampled_from([math.nan, math.inf, -math.inf, -1.5, 1e300]))
def test_record_comes_back_from_the_spool_whatever_its_figures(fields: Any, odd: float) -> None:
    numbers = [f.name for f in dataclasses.fields(fields) if type(getattr(fields, f.name)) is float]
    spoilt = dataclasses.replace(fields, **dict.fromkeys(numbers, odd))

    made = Session(lambda: CLOCK).make(kind=fields.kind, clock=CLOCK, duration_ms=5, fields=spoilt)

    assert block.unpack(block.pack("0" * 16, [made]))[1] == (made,)


@given(any_fields)
def test_figures_that_can_be_are_all_kept(fields: Fields) -> None:
    made = Session(lambda: CLOCK).make(kind=fields.kind, clock=CLOCK, duration_ms=5, fields=fields)

    assert (made.fields, made.detail) == (fields, None)
