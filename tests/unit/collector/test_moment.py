# SPDX-License-Identifier: Apache-2.0
"""Is a record placed at the time at which it really began?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.record import ClockState
from collector.moment import MAX_AHEAD_MS, Moment, TimeBasis, place_in_time
from tests.unit.collector.samples import NOW_MS, batch, clock, record

RECEIVED_MS = NOW_MS + 500_000


def test_a_good_clock_is_believed() -> None:
    bad_batch = batch(clock=clock(90_000, wall_ms=0, age_s=None))

    assert place_in_time(clock(30_000), bad_batch, RECEIVED_MS) == Moment(NOW_MS + 30_000, TimeBasis.DEVICE)


def test_a_clock_that_a_wrong_time_service_set_is_not_believed() -> None:
    rolled_over = clock(30_000, wall_ms=1_174_000_000_000)

    assert place_in_time(rolled_over, batch(clock=clock(90_000)), RECEIVED_MS) == Moment(
        NOW_MS + 30_000, TimeBasis.CORRECTED
    )


def test_a_clock_set_after_the_measurement_corrects_it() -> None:
    early = clock(30_000, wall_ms=12_345, age_s=None)

    assert place_in_time(early, batch(clock=clock(90_000)), RECEIVED_MS) == Moment(
        NOW_MS + 30_000, TimeBasis.CORRECTED
    )


def test_a_later_record_of_the_same_boot_corrects_an_earlier_boot() -> None:
    witness = record(2, clock=clock(50_000, boot="00000001"))
    early = clock(30_000, boot="00000001", wall_ms=12_345, age_s=None)
    made = batch(records=(record(1, clock=early), witness), first_seq=1)

    assert place_in_time(early, made, RECEIVED_MS) == Moment(NOW_MS + 30_000, TimeBasis.CORRECTED)


def test_arrival_places_a_record_of_a_device_that_never_knew_the_time() -> None:
    lost = clock(90_000, wall_ms=0, age_s=None)
    early = clock(30_000, wall_ms=-60_000, age_s=None)

    assert place_in_time(early, batch([], clock=lost), RECEIVED_MS) == Moment(
        RECEIVED_MS - 60_000, TimeBasis.ARRIVAL
    )


def test_a_boot_that_is_over_and_never_knew_the_time_stays_unknown() -> None:
    early = clock(30_000, boot="00000001", wall_ms=0, age_s=None)

    assert place_in_time(early, batch(), RECEIVED_MS) == Moment(RECEIVED_MS, TimeBasis.UNKNOWN)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(-(10**12), 10**12))
def test_two_records_of_one_boot_keep_their_distance_whatever_the_clock_said(
    a: int, b: int, wall: int
) -> None:
    made, received_ms = batch(clock=clock(10**9)), RECEIVED_MS + 10**9
    first, second = (
        place_in_time(clock(mono, wall_ms=wall, age_s=None), made, received_ms).at_ms for mono in (a, b)
    )

    assert second - first == b - a


@pytest.mark.parametrize("batch_clock", [clock(), clock(wall_ms=0, age_s=None)])
@given(ahead_ms=st.integers(MAX_AHEAD_MS + 500_000, 2**53 - 60_001))
def test_a_monotonic_clock_far_ahead_of_its_batch_places_nothing_in_the_future(
    batch_clock: ClockState, ahead_ms: int
) -> None:
    strange = clock(60_000 + ahead_ms, wall_ms=-1, age_s=None)

    found = place_in_time(strange, batch(clock=batch_clock), RECEIVED_MS)
    assert found == Moment(RECEIVED_MS, TimeBasis.UNKNOWN)


def test_a_clock_a_little_ahead_of_its_batch_is_still_followed() -> None:
    early = clock(90_000, wall_ms=0, age_s=None)

    assert place_in_time(early, batch(), RECEIVED_MS) == Moment(NOW_MS + 90_000, TimeBasis.CORRECTED)
