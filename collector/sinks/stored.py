# SPDX-License-Identifier: Apache-2.0
"""What is one record as the embedded store keeps it, and how is it written as one row?"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agent.contract.kinds import KINDS, Fields
from agent.contract.record import ClockState, Record
from collector.moment import TimeBasis
from collector.sinks.base import Measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """One record, equal to the one that was sent.

    Attributes:
        at_ms: best known Unix time of its start when it was stored.
        received_ms: Unix time at the collector when it entered the journal.
        backlog: the device sent it as a record of the past.
        time_basis: what `at_ms` rests on.
    """

    device: str
    session: str
    seq: int
    kind: str
    at_ms: int
    duration_ms: int
    reason: str | None
    detail: str | None
    fields: Fields | None
    clock: ClockState
    received_ms: int
    backlog: bool
    time_basis: TimeBasis = TimeBasis.DEVICE

    @property
    def record(self) -> Record:
        """The record as it was sent."""
        return Record(
            seq=self.seq,
            kind=self.kind,
            clock=self.clock,
            duration_ms=self.duration_ms,
            reason=self.reason,
            detail=self.detail,
            fields=self.fields,
        )

    @property
    def order(self) -> tuple[int, str, str, int]:
        """Ascending time; records of one millisecond always in the same order."""
        return self.at_ms, self.device, self.session, self.seq


class Damaged(ValueError):
    """A row or chunk is not what was written."""


def from_measurement(measurement: Measurement) -> Stored:
    """What is stored of a measurement; its school is the row's key."""
    record = measurement.record
    return Stored(
        device=measurement.device,
        session=measurement.session,
        seq=record.seq,
        kind=record.kind,
        at_ms=measurement.at_ms,
        duration_ms=record.duration_ms,
        reason=None if record.reason is None else str(record.reason),
        detail=record.detail,
        fields=record.fields,
        clock=record.clock,
        received_ms=measurement.received_ms,
        backlog=measurement.backlog,
        time_basis=measurement.time_basis,
    )


def to_body(stored: Stored) -> str:
    """All but the key of a row, as JSON: a list by place, as fields are only ever added at the end."""
    clock, fields = stored.clock, stored.fields
    values = None if fields is None else [getattr(fields, name) for name in field_names(stored.kind)]
    return json.dumps(
        [
            *(clock.wall_ms, clock.mono_ms, clock.boot, clock.age_s),
            *(stored.duration_ms, stored.reason, stored.detail, stored.received_ms, stored.backlog, values),
            str(stored.time_basis),
        ],
        separators=(",", ":"),
    )


def from_row(row: Sequence[Any]) -> Stored:
    """One record from device, session, seq, kind, at_ms, body.

    Raises:
        Damaged: the body is not what `to_body` made.
    """
    try:
        return _from_row(row)
    except (ValueError, LookupError, TypeError) as e:
        raise Damaged(f"row of {row[0]}, session {row[1]}, seq {row[2]}: {e}") from e


def _from_row(row: Sequence[Any]) -> Stored:
    device, session, seq, kind, at_ms, body = row
    wall_ms, mono_ms, boot, age_s, duration_ms, reason, detail, received_ms, backlog, values, *rest = (
        json.loads(body)
    )
    return Stored(
        device=device,
        session=session,
        seq=seq,
        kind=kind,
        at_ms=at_ms,
        duration_ms=duration_ms,
        reason=reason,
        detail=detail,
        fields=None
        if values is None
        else make_fields(kind, dict(zip(field_names(kind), values, strict=False))),
        clock=ClockState(wall_ms=wall_ms, mono_ms=mono_ms, boot=boot, age_s=age_s),
        received_ms=received_ms,
        backlog=backlog,
        time_basis=TimeBasis(rest[0]) if rest else TimeBasis.DEVICE,
    )


def make_fields(kind: str, values: dict[str, Any]) -> Fields:
    """Fields of a kind from JSON values by name.

    What is missing was not known when they were stored; what is not known here a newer version stored.
    """
    values = {name: values[name] for name in field_names(kind) if name in values}
    for name in histogram_names(kind):
        if values.get(name) is not None:
            values[name] = tuple((bucket, count) for bucket, count in values[name])
    made: Fields = KINDS[kind](**values)
    return made


@functools.cache
def field_names(kind: str) -> tuple[str, ...]:
    """Names of a kind's fields, in order."""
    return tuple(f.name for f in dataclasses.fields(KINDS[kind]))


@functools.cache
def histogram_names(kind: str) -> tuple[str, ...]:
    """Those of a kind's fields that are histograms."""
    return tuple(f.name for f in dataclasses.fields(KINDS[kind]) if f.metadata.get("histogram"))
