# SPDX-License-Identifier: Apache-2.0
"""Is a figure that cannot be refused, and is what is doubtful marked, whatever the method said of itself?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.kinds import Host, Throughput
from agent.contract.reason import Reason
from agent.probes.base import Finding
from agent.throughput.validity import Around, moved_bytes, settle
from agent.throughput.verdict import Doubt
from tests.contract.strategies import any_fields


def _finding(**fields: Any) -> Finding:
    known = {"mbps": 10.0, "bytes": 1_000_000, "validity": "valid", **fields}
    return Finding(Throughput(direction="down", server="x", method="capacity", **known))


def _settled(around: Around | None = None, **fields: Any) -> tuple[Throughput, str | None]:
    (finding,) = settle((_finding(**fields),), around or Around(line_bytes=1_050_000))
    assert isinstance(finding.fields, Throughput)
    return finding.fields, finding.reason


def test_an_ordinary_figure_stays_as_it_is() -> None:
    finding = _finding(mbps_low=9.9, mbps_high=10.1, nic_mbps=100)

    assert settle((finding,), Around(line_bytes=1_020_000)) == (finding,)


@pytest.mark.parametrize(
    ("around", "fields"),
    [
        (Around(), {"mbps": 101, "nic_mbps": 100}),
        (Around(), {"mbps": -1}),
        (Around(), {"mbps": 0}),
        (Around(), {"mbps": float("inf")}),
        (Around(), {"mbps": float("nan")}),
        (Around(), {"mbps_low": 10.1}),
        (Around(), {"mbps_high": 9.9}),
        (Around(), {"mbps": 1e12, "mbps_high": 1e12}),
        (Around(), {"mbps": 1e7, "bytes": None}),
        (Around(), {"mbps_low": float("nan")}),
        (Around(), {"mbps_high": float("inf")}),
        (Around(line_bytes=800_000), {}),
        (Around(line_bytes=0), {"bytes": 5_000_000}),
    ],
)
def test_what_cannot_be_is_no_figure(around: Around, fields: dict[str, Any]) -> None:
    found, reason = _settled(around, **{"burst_mbps": 20, **fields})

    assert reason == Reason.UNTRUE
    assert (found.validity, found.reasons) == ("invalid", "implausible")
    assert {found.mbps, found.mbps_low, found.mbps_high, found.burst_mbps} == {None}
    assert found.bytes == fields.get("bytes", 1_000_000)


def test_both_directions_together_may_not_exceed_the_interface() -> None:
    both = (_finding(), _finding())

    assert {f.reason for f in settle(both, Around(line_bytes=1_200_000))} == {Reason.UNTRUE}
    assert {f.reason for f in settle(both, Around(line_bytes=2_000_000))} == {None}


def test_doubts_join_those_of_the_method() -> None:
    around = Around(line_bytes=2_000_000, was_busy=True, was_throttled=True)
    found, reason = _settled(around, validity="suspect", reasons="jitter,wide")

    assert reason is None
    assert (found.validity, found.reasons) == ("suspect", "cross_traffic,jitter,throttled,wide")
    assert found.mbps == 10


@given(
    st.lists(any_fields, max_size=4),
    st.builds(Around, line_bytes=st.none() | st.integers(0), was_busy=st.booleans()),
)
def test_no_figure_survives_that_its_interface_could_not_carry(fields: list[Any], around: Around) -> None:
    settled = settle(tuple(Finding(f) for f in fields), around)

    assert [type(f.fields) for f in settled] == [type(f) for f in fields]
    for finding in settled:
        found = finding.fields
        if isinstance(found, Throughput) and found.mbps is not None:
            assert found.mbps > 0
            assert found.nic_mbps is None or found.mbps <= found.nic_mbps
            assert not around.was_busy or str(Doubt.CROSS_TRAFFIC) in (found.reasons or "")


def test_what_was_moved_is_known_only_when_every_direction_says() -> None:
    assert moved_bytes((_finding(bytes=5), _finding(bytes=7))) == 12
    assert moved_bytes((_finding(bytes=5), _finding(bytes=None))) is None
    assert moved_bytes((Finding(Host()),)) is None
    assert moved_bytes(()) is None
    assert moved_bytes((_finding(bytes=7), _finding(bytes=-5))) is None
