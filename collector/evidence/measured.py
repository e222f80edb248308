# SPDX-License-Identifier: Apache-2.0
"""Which throughput tests and which round-trip times do a school's records hold, as the judge wants them?

Of several targets in one slot the round-trip time is that of the target in the middle (nearest rank, the
lower of two), and the echoes are those of all. An answer that came late was late, not lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from agent.contract.histogram import merge
from agent.contract.kinds import Latency, Throughput
from collector.moment import TimeBasis
from collector.sinks.base import Measurement
from collector.sla.latency import Sample
from collector.sla.rank import MEDIAN, nearest_rank
from collector.sla.slot import slot_of
from collector.sla.throughput import SUSPECT, SpeedTest

GATEWAY = "gateway"
BAD_CLOCK = "bad_clock"
UNTOLD = "untold"
_ByMinute: TypeAlias = dict[tuple[int, bool], list[Latency]]


def speed_tests(measurements: Iterable[Measurement]) -> tuple[SpeedTest, ...]:
    """Every throughput test, in the order of time."""
    found = (_speed_test(m, m.record.fields) for m in measurements if isinstance(m.record.fields, Throughput))
    return tuple(sorted(found, key=lambda t: (t.at_ms, t.direction, t.mbps or 0.0, t.validity, t.reasons)))


def samples(measurements: Iterable[Measurement]) -> tuple[Sample, ...]:
    """One for each slot, and one more for those of its echoes that were sent under load."""
    minutes: _ByMinute = {}
    for m in measurements:
        fields = m.record.fields
        if not isinstance(fields, Latency) or m.time_basis is TimeBasis.UNKNOWN:
            continue
        if fields.target != GATEWAY and fields.sent:
            minutes.setdefault((slot_of(m.at_ms), bool(fields.loaded)), []).append(fields)
    return tuple(_samples(minutes))


def _speed_test(m: Measurement, fields: Throughput) -> SpeedTest:
    """A test that failed is invalid, for the reason it failed; so is one that nobody can date.

    One that does not say whether it is valid is not taken as if it had said so.
    """
    reasons = [reason for reason in (fields.reasons or "").split(",") if reason]
    failed = [] if m.record.reason is None else [str(m.record.reason)]
    if m.time_basis is TimeBasis.UNKNOWN:
        failed.append(BAD_CLOCK)
    if fields.validity is None and fields.mbps is not None:
        reasons.append(UNTOLD)
    validity = "invalid" if failed or fields.mbps is None else fields.validity or SUSPECT
    return SpeedTest(
        at_ms=m.at_ms,
        direction=fields.direction,
        mbps=fields.mbps,
        validity=validity,
        reasons=tuple(sorted({*reasons, *failed})),
    )


def _samples(minutes: _ByMinute) -> Iterator[Sample]:
    for (slot, loaded), each in sorted(minutes.items(), key=lambda item: item[0]):
        rtts = sorted(f.rtt_median_ms for f in each if f.rtt_median_ms is not None)
        yield Sample(
            slot=slot,
            rtt_ms=nearest_rank(rtts, MEDIAN),
            sent=sum(f.sent or 0 for f in each),
            received=sum(min(f.sent or 0, (f.received or 0) + (f.late or 0)) for f in each),
            loaded=loaded,
            rtt_histogram=merge(f.rtt_histogram or () for f in each),
        )
