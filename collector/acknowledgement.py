# SPDX-License-Identifier: Apache-2.0
"""What does the collector tell an agent it may forget?

The only receipt there is: it is made from what is committed to the journal, never from what is about to be.
Several batches of one device in one group get one answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.contract import topics
from agent.contract.codec import Form, encode_ack
from agent.contract.envelope import CHAINED
from agent.contract.ranges import Range, RangeSet
from agent.contract.record import Ack
from collector.admission import Admitted
from collector.coverage import Coverage
from collector.seen import Seen

MAX_RANGES = 32
"""Enough for any agent that sends live data before its backlog; keeps the answer below 1.5 kB."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One message to publish; `is_kept`: the broker gives it to whoever subscribes later."""

    topic: str
    payload: bytes
    is_kept: bool = False


def answers(
    taken: Iterable[Admitted], seen: Seen, coverage: Coverage, now_ms: int, *, pause_s: int | None = None
) -> list[Answer]:
    """One acknowledgement for each device and session of which a batch asks for it."""
    asking = {(a.batch.device, a.batch.session): _form(a) for a in taken if a.batch.want_ack}
    made = []
    for (device, session), form in asking.items():
        opened = RangeSet(r for o in coverage.of(device, session) for r in o.ranges)
        up_to_seq, ranges = proven(seen.ranges(device, session), opened)
        ack = Ack(session=session, up_to_seq=up_to_seq, wall_ms=now_ms, ranges=ranges, pause_s=pause_s)
        made.append(Answer(topics.ack(device), encode_ack(ack, form)))
    return made


def _form(admitted: Admitted) -> Form:
    """Whoever makes chains is new enough to read the packed form."""
    return "packed" if admitted.message.payload[:1] == bytes([CHAINED]) else "json"


def proven(stored: Iterable[Range], opened: RangeSet) -> tuple[int, tuple[Range, ...]]:
    """Up to which seq everything is stored and none of it open, and the highest such ranges beyond that."""
    ranges = [part for low, high in stored for part in opened.missing(low, high)]
    up_to_seq = ranges.pop(0)[1] if ranges and ranges[0][0] <= 1 else 0
    return up_to_seq, tuple(ranges[-MAX_RANGES:])
