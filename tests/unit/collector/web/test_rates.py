# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.kinds import Interface, Reach
from collector.web.rates import by_interface
from tests.unit.collector.web.fakes import MINUTE_MS, Stored


def read(*counters: int | None, every_ms: int = MINUTE_MS) -> list[Stored]:
    fields = (Interface(interface="eth0", source="host", rx_bytes=c, rx_errors=c) for c in counters)
    return [Stored(at_ms=i * every_ms, fields=f) for i, f in enumerate(fields)]


def test_rate_is_growth_over_time() -> None:
    (day,) = by_interface(read(0, 6_000_000, 18_000_000))
    assert day.rx_bytes_per_s == pytest.approx(200_000)
    assert (day.rx_bytes, day.tx_bytes, day.tx_bytes_per_s) == (18_000_000, None, None)
    assert [rate for _, rate in day.rx_rates] == [100_000, 200_000]


def test_rate_is_not_known_when_the_counter_went_back() -> None:
    (day,) = by_interface(read(0, 600, 100))
    assert day.rx_bytes_per_s is None
    assert day.rx_bytes == 600


def test_rate_is_not_known_when_there_is_one_reading_or_none() -> None:
    assert by_interface([Stored(at_ms=1, fields=Reach())]) == ()
    (one,) = by_interface(read(7))
    (none,) = by_interface(read(None, None))
    assert one.rx_bytes_per_s is one.rx_bytes is none.rx_bytes is None
    (still,) = by_interface(read(1, 5, every_ms=0))
    assert still.rx_rates == ()


@given(st.lists(st.none() | st.integers(0, 2**64), min_size=1, max_size=20))
def test_totals_are_never_negative(counters: list[int | None]) -> None:
    (day,) = by_interface(read(*counters))
    assert day.rx_bytes is None or day.rx_bytes >= 0
    assert all(rate >= 0 for _, rate in day.rx_rates)


def test_interfaces_of_two_devices_are_kept_apart() -> None:
    fields = Interface(interface="eth0", source="host", rx_bytes=1)
    found = by_interface([Stored(at_ms=1, fields=fields, device=d) for d in ("pi-1", "pi-2")])
    assert [d.device for d in found] == ["pi-1", "pi-2"]
