# SPDX-License-Identifier: Apache-2.0
"""What is a round of a search, and do the rounds of one search tell of one and the same link?

The rate of a link that nobody else uses, behind its bucket, is the same in each round. Where one round says
something else than the figure, somebody came or went meanwhile, or the link itself has changed; which of
them it was cannot be told.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

from agent.contract.capacity.legs import Leg
from agent.throughput.estimate import Estimate, Packet, estimate

SHARED = 0.93
"""A slower pace that gets so much less has to share the link with others."""
_PACES, _MOST_ALONE = 2, 2.0
"""So many show whether what is got depends on the pace."""
_MORE, _GOT_MORE = 1.03, 1.025
_LARGER, _DROPPED, _SCATTER = 1.05, 0.3, 3.0
_SHORT, _ALIKE, _EXPECTED = 0.6, 1.25, 5
"""Packets of such a part of the length that get hardly more than that part of the rate are counted."""
_UNSEEN_PACKETS_BYTES = 3000
_KNOWN_PACKETS, _KNOWN_US, _KNOWN, _SAME, _SIZE = 15, 40_000.0, 0.04, 0.05, 0.75
_HELD_BACK = 0.9
_PEAK, _SAME_PEAK, _SURE_PACKETS = 1.12, 0.85, 20
_QUEUE_US, _PAIR_FASTER = 2000.0, 1.04


@dataclass(frozen=True, slots=True)
class Round:
    """One to be made.

    Attributes:
        has_faster: its last leg only asks whether a faster pace gets more.
        has_larger: the last leg, but for that, only asks whether larger packets get more.
    """

    legs: tuple[Leg, ...]
    mbps: float
    is_final: bool
    has_faster: bool = False
    has_larger: bool = False

    @property
    def bytes(self) -> int:
        """All of it."""
        return sum(leg.bytes for leg in self.legs)

    @property
    def packet_bytes(self) -> int:
        """Of what is measured."""
        return self.legs[len(self.legs) - self.has_faster - self.has_larger - 1].packet_bytes

    @property
    def faster_from(self) -> int:
        """First packet of the last leg where that is a faster one; else behind all."""
        return sum(leg.count for leg in self.legs[: len(self.legs) - self.has_faster])

    @property
    def larger_from(self) -> int:
        """First packet of the leg of larger ones; where there is none as `faster_from`."""
        return sum(leg.count for leg in self.legs[: len(self.legs) - self.has_faster - self.has_larger])


@dataclass(frozen=True, slots=True)
class Made:
    """One that was made, and what it says.

    Attributes:
        estimate: without the legs that only ask.
        began_us, ended_us: when, on a clock that all rounds share.
        faster: what the faster last leg says.
        fast_packets: so many of that leg came.
        larger: what the leg of larger packets says.
    """

    round: Round
    estimate: Estimate | None
    arrived: int
    began_us: float = 0.0
    ended_us: float = 0.0
    faster: Estimate | None = None
    fast_packets: int = 0
    larger: Estimate | None = None


def made_of(this: Round, packets: Sequence[Packet], began_us: float, ended_us: float) -> Made:
    """What these packets say of a round."""
    ends = this.larger_from, this.faster_from
    told, larger, faster = (
        estimate([p for p in packets if bisect.bisect(ends, p.seq) == n]) for n in range(3)
    )
    fast_packets = sum(p.seq >= this.faster_from for p in packets)
    return Made(this, told, len(packets), began_us, ended_us, faster, fast_packets, larger)


def alone_mbps(made: Sequence[Made]) -> float | None:
    """The link's rate when others use it too; None when no pace tells of them.

    In one queue each gets its share: a pace p beside x of others gets p / (p + x) of the rate, so that
    1/got = 1/rate + x/rate · 1/p: a line whose end at infinite pace is the rate.
    """
    told = [m.estimate for m in made if m.round.is_final and m.estimate and m.estimate.is_saturated]
    if len(told) < _PACES:
        return None
    slowest, fastest = min(told, key=lambda e: e.mbps), max(told, key=lambda e: e.mbps)
    differ = 1 / slowest.sent_mbps - 1 / fastest.sent_mbps
    if slowest.mbps > SHARED * fastest.mbps or differ <= 0:
        return None
    slope = (1 / slowest.mbps - 1 / fastest.mbps) / differ
    rest = 1 / fastest.mbps - slope / fastest.sent_mbps
    return min(1 / rest, _MOST_ALONE * fastest.mbps) if rest > 0 else None


def faster_mbps(made: Sequence[Made]) -> float | None:
    """What a faster pace got where that is more: others made room. Alone, more only waits or is dropped.

    None where it got no more.
    """
    finals = [m for m in made if m.round.is_final]
    fast = next((m.faster for m in reversed(finals) if m.faster), None)
    slow = next((m.estimate for m in reversed(finals) if m.estimate and m.estimate.is_saturated), None)
    if fast is None or slow is None:
        return None
    is_more = fast.low_mbps > slow.mbps and fast.mbps > _GOT_MORE * slow.mbps
    return fast.mbps if is_more else None


def larger_get_more(made: Made) -> bool:
    """Whether larger packets carried more bytes, right behind smaller ones that had filled the link."""
    small, large = made.estimate, made.larger
    if small is None or large is None or not small.is_saturated:
        return False
    by_chance = _DROPPED if small.loss_ratio > 0 else _SCATTER * small.noise_us / large.span_us
    return large.mbps > (_LARGER + by_chance) * small.mbps


def counts_packets(made: Sequence[Made], small: Made | None, mbps: float) -> bool:
    """Whether what passes hangs on the number of packets alone, whatever their length.

    Args:
        made: the rounds.
        small: one in smaller packets, which got less.
        mbps: the figure.
    """
    shares = [_tiny_share(m) for m in made if m.round.has_faster and m.estimate and m.estimate.is_saturated]
    if small is not None and small.estimate is not None:
        large = max(leg.packet_bytes for m in made for leg in m.round.legs)
        shares.append((small.round.legs[0].packet_bytes / large, small.estimate.mbps / mbps))
    return any(length < _SHORT and got < _ALIKE * length for length, got in shares)


def _tiny_share(made: Made) -> tuple[float, float]:
    """How long packets at the faster pace were beside the others, and which share of the rate they got."""
    leg = made.round.legs[-1]
    expected = (made.estimate.mbps if made.estimate else 0.0) * leg.lasts_ns / 8000 / leg.packet_bytes
    if expected < _EXPECTED:
        return 1.0, 1.0
    return leg.packet_bytes / made.round.packet_bytes, made.fast_packets / expected


def between_mbps(made: Sequence[Made], mbps: float) -> float | None:
    """The rate at which pairs were served where it is above the figure: others came in between, in the queue.

    None where no pair says so.
    """
    told = [m.estimate for m in made if m.round.is_final and m.estimate]
    pairs = [e.pair_mbps for e in told if e.pair_mbps and e.queue_us > _QUEUE_US and e.is_saturated]
    most = max(pairs, default=0.0)
    return most if most > _PAIR_FASTER * mbps else None


def carried_more(made: Sequence[Made], mbps: float, bucket_bytes: float) -> bool:
    """Whether any round carried more than this rate and this bucket explain."""
    for e in (m.estimate for m in made if m.estimate):
        excess_bytes = (e.low_mbps - _MORE * mbps) * e.span_us / 8
        if excess_bytes > bucket_bytes + _UNSEEN_PACKETS_BYTES:
            return True
    return False


def varied(made: Sequence[Made], mbps: float) -> bool:
    """Whether a round that was full for long enough to know tells another rate than the figure.

    What a packet costs beside its bytes makes rounds in smaller packets slower; they are no others.
    """
    full_bytes = max(m.round.packet_bytes for m in made)
    alike = [m.estimate for m in made if m.round.packet_bytes > _SIZE * full_bytes]
    told = [e for e in alike if e and e.is_saturated]
    sure = [e for e in told if e.packets >= _KNOWN_PACKETS and e.span_us >= _KNOWN_US and e.width < _KNOWN]
    return any(abs(e.mbps / mbps - 1) > _SAME + e.width for e in sure)


def no_bucket(made: Sequence[Made], bucket_bytes: float) -> bool:
    """Whether a round before the burst was seen was held back, though a bucket so deep would let it pass."""
    first = next((i for i, m in enumerate(made) if m.estimate and m.estimate.head_bytes), 0)
    fits = [m.estimate for m in made[:first] if m.round.bytes < 2 * bucket_bytes]
    before = [e for e in fits if e and e.is_saturated and e.packets >= _KNOWN_PACKETS]
    head_mbps = max((m.estimate.head_mbps or 0.0 for m in made[first:] if m.estimate), default=0.0)
    return any(e.mbps < _HELD_BACK * head_mbps for e in before)


def peak_went(made: Sequence[Made], mbps: float) -> bool:
    """Whether the link was full at a higher rate once, and that rate did not come again.

    A bucket with a peak rate shows it in each round that begins with a fast leg.
    """
    told = [m.estimate for m in made if m.estimate]
    full = [e for e in told if e.is_saturated and e.packets >= _SURE_PACKETS]
    highest = max((e.mbps for e in full if not e.head_mbps and e.low_mbps > _PEAK * mbps), default=0.0)
    again = told[-1].head_mbps or 0.0
    return again < _SAME_PEAK * highest or (not again and any(e.is_head_full for e in full))
