# SPDX-License-Identifier: Apache-2.0
"""What is a slot, and which classes may it have?

Time is cut into slots of 60 s, aligned to UTC. A slot is named by its number: Unix time in seconds, divided
by 60. The classes of many slots are a string of bytes, one byte a slot.
"""

from __future__ import annotations

from enum import IntEnum

SLOT_S = 60
SLOT_MS = 60_000
DAY_SLOTS = 1440


class SlotClass(IntEnum):
    """What one slot of one school was; the value is its byte."""

    UNKNOWN = 0
    UP = 1
    DEGRADED = 2
    DOWN_PROVIDER = 3
    DOWN_OTHER = 4


def slot_of(at_ms: int) -> int:
    """Number of the slot that a Unix time in milliseconds lies in."""
    return at_ms // SLOT_MS
