# SPDX-License-Identifier: Apache-2.0
"""How much of this month has gone over the line, and how much of that were tests? Pure arithmetic.

A test's allowance is reserved before it begins and settled when it has ended, so that a power cut then leaves
too much counted, never too little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from agent.plan.counters import Counted, growth

_MOST_LINES = 8


@dataclass(frozen=True, slots=True)
class Left:
    """A month that was left: by its end, or by a clock that will be set back.

    Attributes:
        month: ISO date of its first day; empty when none was.
    """

    month: str = ""
    line_bytes: int = 0
    test_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Of one month of the plan.

    Attributes:
        month: ISO date of its first day; empty while the date is not known.
        line_bytes: that crossed the interface, both ways.
        test_bytes: of these, what tests moved.
        reserved_bytes: what the test under way may move.
        first_epoch: in which counting began: whatever was counted there before our first look is not ours.
        looks: the last of each interface.
        left: what was used of the month before it.
    """

    month: str = ""
    line_bytes: int = 0
    test_bytes: int = 0
    reserved_bytes: int = 0
    first_epoch: str = ""
    looks: Mapping[str, Counted] = field(default_factory=dict)
    left: Left = Left()

    @property
    def tests_bytes(self) -> int:
        """What tests moved, or may yet."""
        return self.test_bytes + self.reserved_bytes

    @property
    def all_bytes(self) -> int:
        """What crossed the line: where counters say less than the tests themselves, those are believed."""
        return max(self.line_bytes, self.test_bytes) + self.reserved_bytes


def with_look(usage: Usage, now: Counted) -> Usage:
    """After a look at the counters."""
    first_epoch = usage.first_epoch or now.epoch
    before = usage.looks.get(now.interface)
    is_first = now.epoch == first_epoch and before is None
    rx, tx = (0, 0) if is_first else growth(before, now)
    looks = {k: v for k, v in usage.looks.items() if v.epoch == now.epoch and k != now.interface}
    kept = dict(list(looks.items())[1 - _MOST_LINES :])
    return replace(
        usage,
        line_bytes=usage.line_bytes + rx + tx,
        first_epoch=first_epoch,
        looks={**kept, now.interface: now},
    )


def in_month(usage: Usage, month: str) -> Usage:
    """When it is known to be this one; an earlier one than was believed keeps all that was counted."""
    if not usage.month or month == usage.month:
        return replace(usage, month=month)
    if month > usage.month:
        left = Left(usage.month, usage.line_bytes, usage.test_bytes)
        return replace(usage, month=month, line_bytes=0, test_bytes=0, left=left)
    if month > usage.left.month:
        return replace(usage, month=month)
    return replace(
        usage,
        month=month,
        line_bytes=usage.line_bytes + usage.left.line_bytes,
        test_bytes=usage.test_bytes + usage.left.test_bytes,
        left=Left(),
    )


def reserved(usage: Usage, most_bytes: int) -> Usage:
    """A test begins that may move so much."""
    return replace(usage, reserved_bytes=most_bytes)


def settled(usage: Usage, moved_bytes: int | None) -> Usage:
    """It has ended; None when nobody knows what it moved."""
    moved = usage.reserved_bytes if moved_bytes is None else moved_bytes
    return replace(usage, test_bytes=usage.test_bytes + moved, reserved_bytes=0)
