# SPDX-License-Identifier: Apache-2.0
"""What does a capacity test cost on a link of a given rate? Its own search is run on a computed one.

The link is a queue that nobody else uses. On a real one, with jitter, loss or others in it, a test costs
more, up to its `max_bytes`.
"""

from __future__ import annotations

from dataclasses import dataclass

from agent.contract.capacity.legs import sizes
from agent.throughput.estimate import Packet
from agent.throughput.question import Limits
from agent.throughput.rounds import Round, made_of
from agent.throughput.search import Search

_PACKET_BYTES = 1400


@dataclass(frozen=True, slots=True)
class Cost:
    """Of all rounds of one direction.

    Attributes:
        bytes: at the IP layer, without what little the dialogue takes.
        is_enough: whether they give a figure without a doubt.
    """

    bytes: int
    is_enough: bool


def of_direction(mbps: float, *, max_bytes: int, max_mbps: float) -> Cost:
    """What one direction takes, `max_bytes` at most."""
    search = Search(Limits(max_bytes, max_mbps, _PACKET_BYTES))
    spent, now_us = 0, 0.0
    while (this := search.next()) is not None:
        packets = _passed(this, mbps, now_us)
        spent += this.bytes
        ended_us = packets[-1].at_us
        search.take(made_of(this, packets, now_us, ended_us))
        now_us = ended_us
    return Cost(spent, not search.found().doubts)


def _passed(this: Round, mbps: float, began_us: float) -> list[Packet]:
    """What came of a round: each packet waits for those before it."""
    packets = []
    free_us = sent_us = began_us
    lengths = iter(enumerate(sizes(this.legs)))
    for leg in this.legs:
        for place in range(leg.count):
            seq, length = next(lengths)
            free_us = max(free_us, sent_us) + length * 8 / mbps
            packets.append(Packet(seq, sent_us, free_us, length))
            is_with_next = place % leg.together < leg.together - 1
            sent_us += 0.0 if is_with_next else leg.interval_ns / 1000 * leg.together
    return packets
