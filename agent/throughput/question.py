# SPDX-License-Identifier: Apache-2.0
"""What is a round asked beside the rate, and within which limits?"""

from __future__ import annotations

import math
from dataclasses import dataclass

from agent.contract.capacity.legs import MIN_PACKET_BYTES, Leg
from agent.contract.capacity.message import MAX_PACKETS
from agent.throughput.slope import MIN_PACKETS

_FASTER, _FASTER_US = 4.0, 40_000
_LARGER, _LARGER_DROPPED = 2.0, 3.0
_MOST_PACKETS_IN_S = 20_000
_MAX_INTERVAL_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one direction may use.

    Attributes:
        bytes: in all its rounds.
        max_mbps: fastest pace.
        packet_bytes: largest packet at the IP layer that gets through whole.
        stretch: rounds take so many times as long, where delays vary.
    """

    bytes: int
    max_mbps: float
    packet_bytes: int
    stretch: float = 1.0


def faster(mbps: float, size: int, limits: Limits) -> Leg:
    """Does a faster pace get more? In packets of this size, or as many in a second as can be sent."""
    fast_mbps = min(_FASTER * mbps, limits.max_mbps)
    size = max(size, round(fast_mbps * 1e6 / 8 / _MOST_PACKETS_IN_S))
    wanted = rate_bytes(fast_mbps, _FASTER_US * limits.stretch)
    return leg_of(wanted, min(size, limits.packet_bytes), fast_mbps)


def larger(mbps: float, limits: Limits, *, drops: bool) -> Leg:
    """Do full packets get more?

    So fast that a policer's bucket, were it full again, does not hold them all.
    """
    size = limits.packet_bytes
    fast_mbps = (_LARGER_DROPPED if drops else _LARGER) * mbps
    return Leg(MIN_PACKETS + drops, size, min(_MAX_INTERVAL_NS, round(size * 8000 / fast_mbps)))


def leg_of(wanted_bytes: float, size: int, mbps: float) -> Leg:
    """So many bytes in packets of this size, at this pace."""
    size = max(MIN_PACKET_BYTES, size)
    count = min(MAX_PACKETS // 2, max(8, math.ceil(wanted_bytes / size)))
    return Leg(count, size, min(_MAX_INTERVAL_NS, round(size * 8000 / mbps)))


def rate_bytes(mbps: float, us: float) -> float:
    """What passes in so many microseconds."""
    return mbps * us / 8
