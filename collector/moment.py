# SPDX-License-Identifier: Apache-2.0
"""When did a measurement really begin, given a device that has no clock of its own?

Durations come from the monotonic clock, which restarts with each boot; what relates it to true time is any
moment of the same boot at which the wall clock was known good, and failing that, the arrival of the batch.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from agent.contract.record import Batch, ClockState


class TimeBasis(enum.StrEnum):
    """What a record's time rests on, best first."""

    DEVICE = "device"
    """The device's clock had been known good before the measurement, in the same boot."""
    CORRECTED = "corrected"
    """It became known good later in the same boot; the monotonic clock leads back."""
    ARRIVAL = "arrival"
    """It never was; the batch was made in the same boot and sent at once, the monotonic clock leads back."""
    UNKNOWN = "unknown"
    """It never was in a boot that is over: all that is known is that it began before the batch arrived."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Unix time, and what it rests on."""

    at_ms: int
    basis: TimeBasis


def place_in_time(clock: ClockState, batch: Batch, received_ms: int) -> Moment:
    """The best known Unix time of what the device's clocks showed as `clock`, in a batch received then."""
    if clock.age_s is not None:
        return Moment(clock.wall_ms, TimeBasis.DEVICE)
    witness = _nearest_good(clock, (batch.clock, *(record.clock for record in batch.records)))
    if witness is not None:
        return Moment(witness.wall_ms - (witness.mono_ms - clock.mono_ms), TimeBasis.CORRECTED)
    if clock.boot == batch.clock.boot:
        return Moment(received_ms - (batch.clock.mono_ms - clock.mono_ms), TimeBasis.ARRIVAL)
    return Moment(received_ms, TimeBasis.UNKNOWN)


def _nearest_good(clock: ClockState, others: Iterable[ClockState]) -> ClockState | None:
    good = (other for other in others if other.boot == clock.boot and other.age_s is not None)
    return min(good, key=lambda other: abs(other.mono_ms - clock.mono_ms), default=None)
