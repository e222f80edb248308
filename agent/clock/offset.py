# SPDX-License-Identifier: Apache-2.0
"""By how much does the monotonic clock of this boot have to be shifted to give true time, and how surely?

An answer that carries the other side's time was made between question and answer (Cristian's algorithm), so
it says the offset to half a round trip, whatever the link does. With time an error grows as far as two quartz
clocks may drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_ROUND_TRIP_MS = 20_000
"""A slower answer says too little."""

PLAUSIBLE_MS = range(1_735_689_600_000, 7_258_118_400_000)
"""2025 to 2200: before and after, who says so, a time service or a collector, does not know it."""

_DRIFT = 200e-6
"""More than the worst Raspberry Pi does, hot or cold."""


@dataclass(frozen=True, slots=True)
class Offset:
    """True time minus monotonic time.

    Attributes:
        good_ms: monotonic time at which this was last known good.
        error_ms: how far from the truth it was then, at most.
        source: `kernel` or `collector`.
    """

    ms: int
    good_ms: int
    error_ms: int
    source: str

    def error_at(self, mono_ms: int) -> float:
        """How far from the truth it may be now."""
        return self.error_ms + abs(mono_ms - self.good_ms) * _DRIFT


def from_answer(wall_ms: int, asked_ms: int, answered_ms: int) -> Offset | None:
    """What an answer says whose sender's clock showed `wall_ms`; None where it says nothing of use."""
    round_trip_ms = answered_ms - asked_ms
    if not 0 <= round_trip_ms <= MAX_ROUND_TRIP_MS or wall_ms not in PLAUSIBLE_MS:
        return None
    middle_ms = asked_ms + round_trip_ms // 2
    return Offset(wall_ms - middle_ms, answered_ms, round_trip_ms // 2 + 1, "collector")


def better(known: Offset | None, new: Offset) -> Offset:
    """Which of two to go by, the newer one being made now.

    The surer one. Where both can be true and the older is surer, the newer confirms it; where they exclude
    each other, the newer one is believed.
    """
    if known is None:
        return new
    known_error_ms = known.error_at(new.good_ms)
    excludes = abs(known.ms - new.ms) > known_error_ms + new.error_ms
    if excludes or new.error_ms <= known_error_ms:
        return new
    return Offset(known.ms, new.good_ms, round(known_error_ms) + 1, known.source)
