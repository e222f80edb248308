# SPDX-License-Identifier: Apache-2.0
"""Which record goes first when there is no room for all, and which is too old to be kept?"""

from __future__ import annotations

from agent.contract.kinds import Event, Host, Interface, Latency, Reach
from agent.contract.record import ClockState, Record

DROPPED = "spool_dropped"
LEVELS = 4
"""How many levels of value may be dropped; a record of level `LEVELS` never is."""

STATE_CHANGES = frozenset({"event", "outage"})
"""Kinds that are rare and say what happened: kept on the card at once and dropped last."""

_LEVEL = {Latency.kind: 0, Interface.kind: 0, Host.kind: 0, Reach.kind: 1, "throughput": 2}
_DAY_MS = 86_400_000


def level(record: Record) -> int:
    """0 goes first. The record of a drop never goes: its counts are all that is left of what it counts."""
    if isinstance(record.fields, Event) and record.fields.event == DROPPED:
        return LEVELS
    return 3 if record.kind in STATE_CHANGES else _LEVEL.get(record.kind, 0)


def age_days(then: ClockState, now: ClockState) -> float | None:
    """How old something is, None when no clock tells.

    Within one boot the monotonic clock tells; across boots only wall clocks that were both known good, for a
    Raspberry Pi may wake up in any year.
    """
    if then.boot == now.boot:
        return max(0, now.mono_ms - then.mono_ms) / _DAY_MS
    if then.age_s is None or now.age_s is None:
        return None
    return max(0, now.wall_ms - then.wall_ms) / _DAY_MS
