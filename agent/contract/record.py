# SPDX-License-Identifier: Apache-2.0
"""What is one record, what is one batch of them, and what is the acknowledgement?

A record's identity is (device, session, seq). A session is random and new with every start of an agent, so a
restored card image or a lost counter can never give two records the same identity. A batch states that from
its `first_seq` to its `last_seq` nothing else exists any more on the device: what is missing there was
dropped.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

from agent.contract.decoder import DecodeError, decode, nearest
from agent.contract.kinds import KINDS, Fields

MAX_SPAN = 1_000_000
"""Most numbers one batch may speak of, so that a mistaken claim cannot silence a session for ever."""

MAX_SEQ = 2**53 - 1
"""Largest number that every JSON reader keeps exactly (RFC 8259 §6)."""

DEVICE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,46}[a-z0-9])?")
"""A device id: 1 to 48 lower-case letters, digits and inner hyphens; safe in topics, files and
certificates."""

SESSION = re.compile(r"[0-9a-f]{16}")
BOOT = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockState:
    """The device's clocks at one instant.

    Attributes:
        wall_ms: Unix time the device believes in.
        mono_ms: milliseconds of its monotonic clock, which restarts with each boot.
        boot: first eight hexadecimal digits of the kernel's boot id.
        age_s: seconds since the wall clock was last known good; None when it never was in this boot.
    """

    wall_ms: int
    mono_ms: int
    boot: str
    age_s: int | None = None

    def __post_init__(self) -> None:
        _require(-MAX_SEQ <= self.wall_ms <= MAX_SEQ, "wall_ms", "is out of range")
        _require(0 <= self.mono_ms <= MAX_SEQ, "mono_ms", "is out of range")
        _require(BOOT.fullmatch(self.boot), "boot", "must be 8 hexadecimal digits")
        _require(self.age_s is None or 0 <= self.age_s <= MAX_SEQ, "age_s", "is out of range")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One measurement, or one failure to measure.

    Attributes:
        seq: place in its session, from 1.
        clock: the device's clocks when the measurement began.
        duration_ms: how long it took, by the monotonic clock.
        reason: why there is no figure (`agent.contract.reason`), None when it succeeded.
        detail: one line for people; never used to decide anything.
        fields: what was measured; a failure may carry its keys and what little is known.
    """

    seq: int
    kind: str
    clock: ClockState
    duration_ms: int
    reason: str | None = None
    detail: str | None = None
    fields: Fields | None = None

    def __post_init__(self) -> None:
        _require(1 <= self.seq <= MAX_SEQ, "seq", "is out of range")
        _require(0 <= self.duration_ms <= MAX_SEQ, "duration_ms", "is out of range")
        _require(self.fields is not None or self.reason is not None, "fields", "is required without a reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one `up` message carries.

    Attributes:
        first_seq: from here to `last_seq`, what is not in the batch no longer exists on the device.
        last_seq: the last record's, unless more was dropped behind it; `first_seq - 1` for an empty batch.
        clock: the device's clocks when the batch was made; relates every record of its boot to true time.
        records: ascending by seq, all of one session; may be empty (a question for an acknowledgement).
        want_ack: the device asks for an acknowledgement.
        backlog: the records are from the past; nobody need be alarmed now.
    """

    device: str
    session: str
    first_seq: int
    clock: ClockState
    records: tuple[Record, ...] = ()
    want_ack: bool = True
    backlog: bool = False
    last_seq: int = -1

    def __post_init__(self) -> None:
        if self.last_seq < 0:
            last_seq = self.records[-1].seq if self.records else self.first_seq - 1
            object.__setattr__(self, "last_seq", last_seq)
        _require(DEVICE.fullmatch(self.device), "device", "must be 1 to 48 of a-z, 0-9 and inner hyphens")
        _require(SESSION.fullmatch(self.session), "session", "must be 16 hexadecimal digits")
        _require(1 <= self.first_seq <= MAX_SEQ, "first_seq", "is out of range")
        previous = self.first_seq - 1
        for record in self.records:
            _require(record.seq > previous, "records", f"seq {record.seq} does not follow {previous}")
            previous = record.seq
        _require(previous <= self.last_seq <= MAX_SEQ, "last_seq", f"must be {previous} or more")
        _require(
            self.last_seq - self.first_seq < MAX_SPAN, "last_seq", f"is {MAX_SPAN} or more beyond first_seq"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """The collector's own acknowledgement: these are in the journal, fsynced, and may be forgotten.

    Attributes:
        up_to_seq: every seq from 1 to here is accounted for; 0 for none.
        ranges: further ranges beyond that, inclusive, ascending.
        wall_ms: the collector's Unix time when it answered.
        pause_s: for so long the agent should hold back what can wait; None when it need not.
    """

    session: str
    up_to_seq: int
    wall_ms: int
    ranges: tuple[tuple[int, int], ...] = ()
    pause_s: int | None = None

    def __post_init__(self) -> None:
        _require(SESSION.fullmatch(self.session), "session", "must be 16 hexadecimal digits")
        _require(self.pause_s is None or 0 <= self.pause_s <= MAX_SEQ, "pause_s", "is out of range")
        _require(0 <= self.up_to_seq <= MAX_SEQ, "up_to_seq", "is out of range")
        for low, high in self.ranges:
            _require(1 <= low <= high <= MAX_SEQ, "ranges", f"[{low}, {high}] is not a range")

    @property
    def newest(self) -> int:
        """The greatest number it speaks of, 0 for none."""
        return max([self.up_to_seq, *(high for _, high in self.ranges)])


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One record of an otherwise good batch that could not be understood."""

    seq: int
    problem: str
    plain: Any


def to_plain(value: Any) -> Any:
    """Plain data (dict, list, numbers, text) of a record, batch or acknowledgement.

    What is None, or empty by default, is left out.
    """
    if dataclasses.is_dataclass(value):
        items = ((f, getattr(value, f.name)) for f in dataclasses.fields(value))
        return {f.name: to_plain(i) for f, i in items if i is not None and not (i == () == f.default)}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    return value


def record_from_plain(plain: object) -> Record:
    """Build one record.

    Raises:
        DecodeError: wrong type, unknown kind, value out of its range.
    """
    if not isinstance(plain, dict):
        raise DecodeError("", f"a record must be a table, got {type(plain).__name__}")
    kind = plain.get("kind")
    fields = plain.get("fields")
    if not isinstance(kind, str) or kind not in KINDS:
        raise DecodeError("kind", f"{kind!r} is not a known kind" + nearest(str(kind), KINDS))
    made = None if fields is None else decode(KINDS[kind], fields, path="fields")
    envelope = decode(_Envelope, plain)
    return Record(**{name: getattr(envelope, name) for name in _ENVELOPE_NAMES}, fields=made)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Envelope:
    """A record without its fields, whose type depends on the kind."""

    seq: int
    kind: str
    clock: ClockState
    duration_ms: int
    reason: str | None = None
    detail: str | None = None


_ENVELOPE_NAMES = tuple(f.name for f in dataclasses.fields(_Envelope))


def _require(condition: object, path: str, problem: str) -> None:
    if not condition:
        raise DecodeError(path, problem)
