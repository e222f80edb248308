# SPDX-License-Identifier: Apache-2.0
"""When is each packet of a round to leave?

Sans-io: whoever has the socket asks a `Pacer` what is due. Packets go singly, or in pairs that show how fast
the link serves when nothing comes between them; at fast paces as many go at once as fit into a quarter of a
millisecond, and no more: the bucket of a policer may hold no more. What a slow processor has missed is sent
later, not at once: a burst would be lost in a short queue, and is no longer a pace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MIN_PACKET_BYTES, MAX_PACKET_BYTES = 100, 1500
QUANTUM_NS = 250_000
MAX_LAG_NS = 2 * QUANTUM_NS
_MAX_INTERVAL_NS = 1_000_000_000
_MAX_COUNT = 65_535


@dataclass(frozen=True, slots=True)
class Leg:
    """So many packets of one length, at one pace.

    Attributes:
        packet_bytes: at the IP layer.
        interval_ns: from one to the next; 0 is as fast as possible.
        together: 2 sends them in pairs, at the same mean pace.
    """

    count: int
    packet_bytes: int
    interval_ns: int
    together: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.count <= _MAX_COUNT:
            raise ValueError(f"a leg of {self.count} packets")
        if not MIN_PACKET_BYTES <= self.packet_bytes <= MAX_PACKET_BYTES:
            raise ValueError(f"packets of {self.packet_bytes} bytes")
        if not 0 <= self.interval_ns <= _MAX_INTERVAL_NS:
            raise ValueError(f"an interval of {self.interval_ns} ns")
        if self.together not in {1, 2}:
            raise ValueError(f"{self.together} packets together")

    @property
    def bytes(self) -> int:
        """All of it."""
        return self.count * self.packet_bytes

    @property
    def lasts_ns(self) -> int:
        """From its first packet to the next leg's."""
        return self.count * self.interval_ns


@dataclass(frozen=True, slots=True)
class Due:
    """What is to leave now: `count` packets from `seq` on."""

    seq: int
    count: int
    packet_bytes: int


class Pacer:
    """Goes through a round."""

    def __init__(self, legs: Sequence[Leg], begin_ns: int, *, most: int = 32) -> None:
        self._legs = legs
        self._most = most
        self._leg, self._in_leg, self._seq = 0, 0, 0
        self._next_ns = begin_ns
        self.slipped_ns = 0
        """By how much the plan was moved because its time had passed."""

    @property
    def has_ended(self) -> bool:
        """Whether all has been due."""
        return self._leg >= len(self._legs)

    @property
    def wake_ns(self) -> int:
        """When to ask again."""
        if self.has_ended or self._in_leg + 1 == self._legs[self._leg].count:
            return self._next_ns
        leg = self._legs[self._leg]
        waits_ns = max(leg.interval_ns * (leg.together - 1), QUANTUM_NS - leg.interval_ns)
        return self._next_ns + waits_ns if leg.interval_ns else self._next_ns

    def due(self, now_ns: int) -> Due | None:
        """What is to leave now, None when nothing is; ask until then."""
        if self.has_ended or now_ns < self._next_ns:
            return None
        leg = self._legs[self._leg]
        late_ns = now_ns - self._next_ns
        if late_ns > MAX_LAG_NS + leg.interval_ns:
            moved_ns = late_ns - MAX_LAG_NS
            self._next_ns += moved_ns
            self.slipped_ns += moved_ns
            late_ns = MAX_LAG_NS
        fits = self._most if leg.interval_ns == 0 else late_ns // leg.interval_ns + 1
        count = min(fits, self._most, leg.count - self._in_leg)
        due = Due(self._seq, count, leg.packet_bytes)
        self._next_ns += count * leg.interval_ns
        self._seq += count
        self._in_leg += count
        if self._in_leg == leg.count:
            self._leg, self._in_leg = self._leg + 1, 0
        return due


def sizes(legs: Sequence[Leg]) -> list[int]:
    """Length at the IP layer of each packet of a round."""
    return [leg.packet_bytes for leg in legs for _ in range(leg.count)]
