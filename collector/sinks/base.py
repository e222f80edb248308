# SPDX-License-Identifier: Apache-2.0
"""What does a sink receive, and how does it say that it could not take it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from agent.contract.record import Record
from collector.moment import TimeBasis
from collector.registry import School
from collector.sla.parameters import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One record with everything a view needs to place it.

    Attributes:
        at_ms: best known Unix time of the record's start, corrected where the device's clock was not good.
        received_ms: Unix time at the collector when its batch entered the journal.
        backlog: the device sent it as a record of the past.
        time_basis: what `at_ms` rests on; `unknown` where nothing relates the record to true time.
    """

    school: School
    device: str
    session: str
    record: Record
    at_ms: int
    received_ms: int
    backlog: bool
    time_basis: TimeBasis = TimeBasis.DEVICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Records a device says no longer exist, of which none ever entered the journal.

    Attributes:
        received_ms: Unix time at the collector when the device said so.
    """

    device: str
    session: str
    first_seq: int
    last_seq: int
    received_ms: int


class SinkUnavailable(Exception):
    """Nothing of the batch is certain to be stored: the whole batch again later.

    Attributes:
        retry_after_s: how long the other side asked us to wait, None when it did not say.
    """

    def __init__(self, problem: str, retry_after_s: float | None = None) -> None:
        super().__init__(problem)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Rejection:
    """One measurement a sink will never take: its place in the batch and why."""

    index: int
    reason: str


class SinkRejected(Exception):
    """Everything of the batch is stored but these, which go to the dead letters."""

    def __init__(self, rejections: Sequence[Rejection]) -> None:
        super().__init__(f"{len(rejections)} refused, first: {rejections[0].reason}")
        self.rejections = tuple(rejections)


@runtime_checkable
class IsBound(Protocol):
    """A sink that needs to know what is promised."""

    def be_bound_by(self, terms: Terms) -> None:
        """Judge by these from the next write on."""
        ...


class Sink(Protocol):
    """One file, one class. `write` is idempotent: the same batch again changes nothing.

    A sink with `moves = True` gets every record at once, and again when its time is corrected: it then moves
    it. Any other one gets a record when its time will not change any more, or it has waited long enough.
    """

    name: str

    async def write(self, batch: Sequence[Measurement]) -> None:
        """Store durably, then return.

        Raises:
            SinkUnavailable: try the whole batch again later.
            SinkRejected: all but the named ones are stored.
        """
        ...

    async def close(self) -> None:
        """Release files and connections; called once."""
        ...
