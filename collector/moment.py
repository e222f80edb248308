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

MAX_AHEAD_MS = 600_000
"""A clock further ahead of the collector's is not good, whatever its device says."""

NEVER_BEFORE_MS = 1_735_689_600_000
"""2025: a clock that shows less has not been set since it was made."""


class TimeBasis(enum.StrEnum):
    """What a record's time rests on, best first."""

    DEVICE = "device"
    """The device's clock had been known good before the measurement, in the same boot."""
    CORRECTED = "corrected"
    """It became known good at another time of the same boot; the monotonic clock leads there."""
    ARRIVAL = "arrival"
    """It was not yet; the batch was made in the same boot and sent at once."""
    UNKNOWN = "unknown"
    """It was not, and that boot is over, or its monotonic clock shows what is still to come: it began before
    it arrived, and perhaps when the device says."""


SETTLED = frozenset((TimeBasis.DEVICE, TimeBasis.CORRECTED))
"""Such a time stays; any other one is corrected when the clock of that boot becomes known."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Unix time, and what it rests on."""

    at_ms: int
    basis: TimeBasis


@dataclass(frozen=True, slots=True)
class Witness:
    """One instant of a boot at which true time was known."""

    mono_ms: int
    wall_ms: int


def is_good(clock: ClockState, received_ms: int) -> bool:
    """Whether the device knew the time then; nothing can have arrived before it was made.

    A time service may be wrong, too: a receiver whose week counter has rolled over is off by twenty years.
    """
    return clock.age_s is not None and NEVER_BEFORE_MS <= clock.wall_ms <= received_ms + MAX_AHEAD_MS


def witnesses(batch: Batch, received_ms: int) -> dict[str, Witness]:
    """The earliest instant at which true time was known, of each boot that the batch speaks of."""
    found: dict[str, Witness] = {}
    for clock in _clocks(batch):
        known = found.get(clock.boot)
        if is_good(clock, received_ms) and (known is None or clock.mono_ms < known.mono_ms):
            found[clock.boot] = Witness(clock.mono_ms, clock.wall_ms)
    return found


def place_in_time(
    clock: ClockState, batch: Batch, received_ms: int, witness: Witness | None = None
) -> Moment:
    """The best known Unix time of what the device's clocks showed as `clock`, in a batch received then.

    `witness` is of the clock's boot, from any batch; without it, this batch is looked through.
    """
    if is_good(clock, received_ms):
        return Moment(clock.wall_ms, TimeBasis.DEVICE)
    witness = witness or witnesses(batch, received_ms).get(clock.boot)
    latest_ms = received_ms + MAX_AHEAD_MS
    if witness is not None and (at_ms := witness.wall_ms - (witness.mono_ms - clock.mono_ms)) <= latest_ms:
        return Moment(at_ms, TimeBasis.CORRECTED)
    if clock.boot == batch.clock.boot and clock.mono_ms - batch.clock.mono_ms <= MAX_AHEAD_MS:
        return Moment(received_ms - (batch.clock.mono_ms - clock.mono_ms), TimeBasis.ARRIVAL)
    is_possible = NEVER_BEFORE_MS <= clock.wall_ms <= received_ms
    return Moment(clock.wall_ms if is_possible else received_ms, TimeBasis.UNKNOWN)


def _clocks(batch: Batch) -> Iterable[ClockState]:
    return (batch.clock, *(record.clock for record in batch.records))
