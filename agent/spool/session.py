# SPDX-License-Identifier: Apache-2.0
"""Which number does the next record of this start get, and which were seen by others already?"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Any

from agent.contract.kinds import Event
from agent.contract.possible import possible
from agent.contract.record import ClockState, Record
from agent.spool.drop import Drop


class Session:
    """The session that began with this start of the agent.

    Attributes:
        shown_seq: records up to here may have been sent; later ones certainly were not.
        dropped: records dropped since.
        next_seq: number of the next record.
    """

    def __init__(self, now: Callable[[], ClockState]) -> None:
        self.name = secrets.token_hex(8)
        self.now = now
        self.shown_seq = 0
        self.dropped = 0
        self.next_seq = 1

    def make(self, **record: Any) -> Record:
        """A record, given as `Record`'s arguments without `seq`; without figures that cannot be."""
        made = Record(seq=self.next_seq, **_sound(record))
        self.next_seq += 1
        return made

    def drop(self, why: str) -> Drop:
        """The beginning of a drop."""
        return Drop(why, self.name, self.shown_seq)

    def records_of(self, drop: Drop) -> list[Record]:
        """The records of a drop; their numbers are taken only when it is done."""
        now = self.now()
        return [
            Record(
                seq=self.next_seq + i, kind=Event.kind, clock=now, duration_ms=0, detail=drop.why, fields=e
            )
            for i, e in enumerate(drop.events())
        ]

    def done(self, drop: Drop, records: Sequence[Record]) -> None:
        """A drop is done."""
        self.next_seq += len(records)
        self.dropped += drop.count


def _sound(record: dict[str, Any]) -> dict[str, Any]:
    fields = record.get("fields")
    kept, absurd = (None, ()) if fields is None else possible(fields)
    if not absurd:
        return record
    said = (record.get("detail"), f"cannot be, left out: {', '.join(absurd)}")
    return {**record, "fields": kept, "detail": "; ".join(filter(None, said))}
