# SPDX-License-Identifier: Apache-2.0
"""Does the running watcher find what is cut on the emulated link, when, and whose part it was?

A handful of the scenarios; all of them, on four kinds of link, by `make bench ONLY=outage`.
"""

from __future__ import annotations

import pytest

from tests.linkbed.change import Link
from tests.linkbed.outages import FEW, play

pytestmark = [pytest.mark.root, pytest.mark.parts("ip", "cc"), pytest.mark.timeout(150)]

_BUSY_S = 0.6
"""A busy machine may send and read so much later."""


def test_outages_on_the_bed_are_found_dated_and_blamed() -> None:
    found, imagined = play(FEW, Link(rtt_ms=50, rate_bps=5e6))
    for each in found:
        last = each.last
        print(
            f"{each.scenario.name}: {last and last.cause}, begin {each.begin_error_s}, end {each.end_error_s}"
        )
        assert each.is_right, each
        if last is not None:
            assert last.opened_resolution_s is not None
            assert last.closed_resolution_s is not None
            assert abs(each.begin_error_s or 0) <= last.opened_resolution_s + _BUSY_S
            assert abs(each.end_error_s or 0) <= last.closed_resolution_s + _BUSY_S
    assert imagined == []
    assert len(found) == 4
