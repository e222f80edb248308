# SPDX-License-Identifier: Apache-2.0
"""What really happened on the link, and when, on CLOCK_MONOTONIC?"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from tests.linkbed.change import Change

WayName = Literal["up", "down"]
Fate = Literal["delivered", "lost", "overflowed", "cut_off"]


@dataclass(frozen=True, slots=True)
class Event:
    """One change that was made.

    Attributes:
        at_ns: when it was to be made.
        done_ns: when it had been made.
    """

    change: Change
    at_ns: int
    done_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """Packets of one direction since the link began.

    `in_packets + duplicated` is the sum of `out_packets`, `lost`, `overflowed`, `cut_off`, `unwritten` (the
    kernel refused them) and `held` (still under way). `late_ns` and `late_max_ns` are the bed's own lateness.
    """

    in_packets: int
    in_bytes: int
    out_packets: int
    out_bytes: int
    lost: int
    overflowed: int
    cut_off: int
    unwritten: int
    held: int
    duplicated: int
    reordered: int
    late_ns: int
    late_max_ns: int

    @property
    def is_balanced(self) -> bool:
        """Whether no packet is unaccounted for."""
        gone = self.lost + self.overflowed + self.cut_off + self.unwritten
        return self.in_packets + self.duplicated == self.out_packets + gone + self.held


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet on one direction; a duplicate is a packet of its own.

    Attributes:
        left_ns: None for one that never left.
        tag: identifier and sequence number of an ICMP echo as one number, else 0.
    """

    way: WayName
    in_ns: int
    left_ns: int | None
    length_bytes: int
    fate: Fate
    tag: int

    @property
    def seq(self) -> int:
        """Sequence number of an ICMP echo."""
        return self.tag & 0xFFFF


@dataclass(frozen=True, slots=True)
class Truth:
    """All of it; `packets` is empty unless the bed keeps them."""

    up: Counters
    down: Counters
    events: tuple[Event, ...]
    packets: tuple[Packet, ...]

    def round_trip_ms(self, begin_ns: int, end_ns: int) -> float:
        """How long packets that came in then were on the link on the average, up and down together."""
        return sum(self._mean_ms(way, begin_ns, end_ns) for way in ("up", "down"))

    def _mean_ms(self, way: str, begin_ns: int, end_ns: int) -> float:
        of_way = (p for p in self.packets if p.way == way and begin_ns <= p.in_ns <= end_ns)
        return statistics.fmean((p.left_ns - p.in_ns) / 1e6 for p in of_way if p.left_ns is not None)


def read_log(path: Path, changes: Sequence[Change]) -> tuple[tuple[Event, ...], tuple[Packet, ...]]:
    """The events and packets in the link program's log, without a last line that is still being written."""
    events, packets = [], []
    for line in path.read_text().rpartition("\n")[0].splitlines():
        first, *rest = line.split()
        if first == "change":
            number, at_ns, done_ns = map(int, rest)
            events.append(Event(changes[number], at_ns, done_ns))
        else:
            packets.append(_packet(cast("WayName", first), rest))
    return tuple(events), tuple(packets)


def _packet(way: WayName, words: Sequence[str]) -> Packet:
    in_ns, left_ns, length_bytes, fate, tag = words
    return Packet(way, int(in_ns), int(left_ns) or None, int(length_bytes), cast("Fate", fate), int(tag))
