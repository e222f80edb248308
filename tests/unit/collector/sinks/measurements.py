# SPDX-License-Identifier: Apache-2.0
"""Which measurements do the tests of the sinks write?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from agent.contract.histogram import count
from agent.contract.kinds import KINDS, Event, Fields, Latency, Reach
from agent.contract.record import ClockState, Record
from collector.registry import School
from collector.sinks.base import Measurement
from collector.sinks.reader import StoreReader
from collector.sinks.rollups import RollUp, Span
from collector.sinks.stored import Stored
from tests.contract.strategies import records

AT_MS = 1_790_000_123_456
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
SCHOOLS = tuple(School(id=name) for name in ("17", "№ 5 Әбай", "42"))


def measurement(seq: int = 1, fields: Fields | None = None, **changes: Any) -> Measurement:
    """A measurement of one school; `changes` go to the record or to its envelope, by name."""
    envelope: dict[str, Any] = {
        "school": SCHOOLS[0],
        "device": "rpi-1",
        "session": "0123456789abcdef",
        "at_ms": AT_MS,
    }
    envelope |= {
        name: changes.pop(name) for name in ("school", "device", "session", "at_ms") if name in changes
    }
    at_ms = envelope["at_ms"]
    received_ms = changes.pop("received_ms", at_ms + 1500)
    backlog = changes.pop("backlog", False)
    fields = reach() if fields is None and "reason" not in changes else fields
    clock = ClockState(wall_ms=at_ms, mono_ms=5_000_000, boot="deadbeef", age_s=3)
    plain: dict[str, Any] = {"seq": seq, "clock": clock, "duration_ms": 812, "fields": fields}
    plain["kind"] = "latency" if fields is None else fields.kind
    record = Record(**(plain | changes))
    return Measurement(**envelope, record=record, received_ms=received_ms, backlog=backlog)


def reach() -> Reach:
    return Reach(up=True, anchors=3, anchors_up=3, hint="up", method="icmp")


def latency(target: str = "1.1.1.1", rtts_ms: Sequence[float] = (20.5, 21.0), **more: Any) -> Latency:
    return Latency(
        target=target,
        sent=len(rtts_ms) + 1,
        received=len(rtts_ms),
        late=0,
        rtt_min_ms=min(rtts_ms),
        loss_ratio=1 / (len(rtts_ms) + 1),
        rtt_histogram=count(rtts_ms),
        **more,
    )


def minutes(
    n: int, *, start_ms: int = AT_MS, school: School = SCHOOLS[0], **changes: Any
) -> list[Measurement]:
    """A latency record a minute."""
    return [
        measurement(
            i + 1,
            latency(rtts_ms=(20 + i % 7, 25.25)),
            at_ms=start_ms + 60_000 * i,
            school=school,
            **changes,
        )
        for i in range(n)
    ]


def event(name: str, seq: int, **changes: Any) -> Measurement:
    return measurement(seq, Event(event=name), **changes)


_latencies = st.builds(
    latency,
    target=st.sampled_from(["gateway", "1.1.1.1"]),
    rtts_ms=st.lists(st.floats(0.1, 2000), min_size=1, max_size=4),
    loaded=st.sampled_from([None, False, True]),
)


@st.composite
def _measurement(draw: st.DrawFn, seq: int) -> Measurement:
    at_ms = draw(st.sampled_from([0, AT_MS, 5 * DAY_MS])) + draw(st.integers(-2 * DAY_MS, 2 * DAY_MS))
    device = draw(st.sampled_from(["rpi-1", "rpi-2"]))
    if draw(st.booleans()):
        return measurement(seq, draw(_latencies), device=device, at_ms=at_ms)
    return Measurement(
        school=draw(st.sampled_from(SCHOOLS)),
        device=device,
        session=draw(st.sampled_from(["0123456789abcdef", "00000000000000ff"])),
        record=draw(records(seq)),
        at_ms=at_ms,
        received_ms=at_ms + draw(st.integers(-10, 10**9)),
        backlog=draw(st.booleans()),
    )


@st.composite
def measurements(draw: st.DrawFn) -> list[Measurement]:
    """Up to a dozen measurements with different identities."""
    seqs = draw(st.lists(st.integers(1, 3000), unique=True, max_size=12))
    return [draw(_measurement(seq)) for seq in seqs]


def found(path: Path, kind: str, school_id: str = "17") -> list[Stored]:
    """Every record of a kind, whenever it was."""
    return StoreReader(path).records(school_id, kind, start_ms=-(2**60), end_ms=2**60)


def rollups(path: Path, school_id: str = "17", span: Span = "hour") -> list[RollUp]:
    """Every roll-up, whenever it was."""
    return StoreReader(path).rtt_rollups(school_id, start_ms=-(2**60), end_ms=2**60, span=span)


def content(path: Path) -> dict[str, Any]:
    """Everything a reader can see of a store."""
    reader = StoreReader(path)
    kinds = tuple(KINDS)
    return {
        "count": reader.count(),
        "last_seen": reader.last_seen(),
        "records": {(s.id, k): found(path, k, s.id) for s in SCHOOLS for k in kinds},
        "hours": {s.id: rollups(path, s.id) for s in SCHOOLS},
        "days": {s.id: rollups(path, s.id, "day") for s in SCHOOLS},
    }
