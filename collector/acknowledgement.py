# SPDX-License-Identifier: Apache-2.0
"""What does the collector tell an agent it may forget?

The only receipt there is: it is made from what is committed to the journal, never from what is about to be.
Several batches of one device in one group get one answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.contract import topics
from agent.contract.codec import encode_ack
from agent.contract.record import Ack, Batch
from collector.seen import Seen

MAX_RANGES = 32
"""Enough for any agent that sends live data before its backlog; keeps the answer below 1.5 kB."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One message to publish."""

    topic: str
    payload: bytes


def answers(batches: Iterable[Batch], seen: Seen, now_ms: int, *, pause_s: int | None = None) -> list[Answer]:
    """One acknowledgement for each device and session of which a batch asks for it."""
    asking = dict.fromkeys((batch.device, batch.session) for batch in batches if batch.want_ack)
    return [_answer(device, session, seen, now_ms, pause_s) for device, session in asking]


def _answer(device: str, session: str, seen: Seen, now_ms: int, pause_s: int | None) -> Answer:
    up_to_seq, ranges = seen.accounted(device, session, at_most=MAX_RANGES)
    ack = Ack(session=session, up_to_seq=up_to_seq, wall_ms=now_ms, ranges=ranges, pause_s=pause_s)
    return Answer(topics.ack(device), encode_ack(ack))
