# SPDX-License-Identifier: Apache-2.0
"""What does a record say of slots, given what is known of its time?"""

from __future__ import annotations

import dataclasses

from collector.moment import MAX_AHEAD_MS, NEVER_BEFORE_MS, SETTLED, TimeBasis
from collector.sinks.base import Measurement
from collector.sla.book import Placed
from collector.sla.sighting import Basis, sight


def placed(measurement: Measurement) -> Placed | None:
    """What a record says of slots; None where its time is not known, or cannot be.

    However wrong a device's clocks are, nothing began before there were such devices, or ended long after it
    arrived: a claim of years would be a silence, or an outage, of years.
    """
    latest_ms = measurement.received_ms + MAX_AHEAD_MS
    is_possible = NEVER_BEFORE_MS <= measurement.at_ms <= latest_ms
    if measurement.time_basis is TimeBasis.UNKNOWN or not is_possible:
        return None
    record = measurement.record
    lasted_ms = min(record.duration_ms, latest_ms - measurement.at_ms)
    if lasted_ms != record.duration_ms:
        record = dataclasses.replace(record, duration_ms=lasted_ms)
    basis = Basis.CLOCK if measurement.time_basis in SETTLED else Basis.ARRIVAL
    one = sight(measurement.device, measurement.session, record, measurement.at_ms, basis)
    return Placed(measurement.school.id, one)
