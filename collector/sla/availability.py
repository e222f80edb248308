# SPDX-License-Identifier: Apache-2.0
"""How much of the time was the internet there: for the operator's account, and for the pupils?

    good         = up + degraded
    availability = good / (good + down_provider)                 the operator's
    pupils'      = good / all                                    whatever is not good counts against it
    coverage     = (all - unknown) / all
    bounds       = [ good / all , (all - down_provider) / all ]
    verdict      = MET if lower >= target, BREACHED if upper < target, else INDETERMINATE

Every figure is an exact fraction of counted slots; of nothing there is no share, so it is None.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

from collector.sla.slot import SlotClass
from collector.sla.slotset import SlotSet
from collector.sla.verdict import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Classes:
    """The classes of consecutive slots; what lies outside them is unknown."""

    first: int
    data: bytes

    def __getitem__(self, slot: int) -> SlotClass:
        place = slot - self.first
        return SlotClass(self.data[place]) if 0 <= place < len(self.data) else SlotClass.UNKNOWN

    def count(self, slots: SlotSet) -> Counts:
        """How many slots of each class a set has."""
        found: Counter[SlotClass] = Counter()
        for first, end in slots.spans:
            start, stop = max(0, first - self.first), max(0, end - self.first)
            for kind in _KNOWN:
                found[kind] += self.data.count(kind, start, stop)
        return Counts(
            up=found[SlotClass.UP],
            degraded=found[SlotClass.DEGRADED],
            down_provider=found[SlotClass.DOWN_PROVIDER],
            down_other=found[SlotClass.DOWN_OTHER],
            unknown=len(slots) - found.total(),
        )

    def has_gap(self, slots: SlotSet, length: int) -> bool:
        """Whether so many slots in a row of a set are unknown."""
        gap = bytes([SlotClass.UNKNOWN]) * length
        return any(gap in self._of(first, end) for first, end in slots.spans)

    def _of(self, first: int, end: int) -> bytes:
        known = self.data[max(0, first - self.first) : max(0, end - self.first)]
        before = min(end, max(first, self.first)) - first
        return (bytes(before) + known).ljust(end - first, bytes([SlotClass.UNKNOWN]))


_KNOWN = (SlotClass.UP, SlotClass.DEGRADED, SlotClass.DOWN_PROVIDER, SlotClass.DOWN_OTHER)


@dataclass(frozen=True, kw_only=True, slots=True)
class Counts:
    """Slots of each class, and every share that is made of them."""

    up: int = 0
    degraded: int = 0
    down_provider: int = 0
    down_other: int = 0
    unknown: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            up=self.up + other.up,
            degraded=self.degraded + other.degraded,
            down_provider=self.down_provider + other.down_provider,
            down_other=self.down_other + other.down_other,
            unknown=self.unknown + other.unknown,
        )

    @property
    def all(self) -> int:
        """Every slot."""
        return self.good + self.down_provider + self.down_other + self.unknown

    @property
    def good(self) -> int:
        """Slots in which the internet answered."""
        return self.up + self.degraded

    @property
    def attributed(self) -> int:
        """Denominator of the operator's availability."""
        return self.good + self.down_provider

    @property
    def lost_to_pupils(self) -> int:
        """Slots in which the internet is not known to have answered."""
        return self.all - self.good

    @property
    def availability(self) -> Fraction | None:
        """The operator's: `good` of `attributed`."""
        return share(self.good, self.attributed)

    @property
    def pupils_availability(self) -> Fraction | None:
        """The pupils': `good` of `all`."""
        return share(self.good, self.all)

    @property
    def coverage(self) -> Fraction | None:
        """How much is known."""
        return share(self.all - self.unknown, self.all)

    @property
    def lower(self) -> Fraction | None:
        """The least that the operator's availability of all slots can be."""
        return share(self.good, self.all)

    @property
    def upper(self) -> Fraction | None:
        """The most that it can be."""
        return share(self.all - self.down_provider, self.all)

    def verdict(self, target: Fraction) -> Verdict:
        """Whether the operator's availability reached the target, however the unproved slots were."""
        if self.lower is None or self.upper is None:
            return Verdict.INDETERMINATE
        if self.lower >= target:
            return Verdict.MET
        return Verdict.BREACHED if self.upper < target else Verdict.INDETERMINATE


def share(part: int, whole: int) -> Fraction | None:
    """An exact share; None of nothing."""
    return Fraction(part, whole) if whole else None


@dataclass(frozen=True, kw_only=True, slots=True)
class Availability:
    """What was counted, and what was promised for it; without a slot nothing was."""

    counts: Counts
    target: Fraction | None

    @property
    def verdict(self) -> Verdict:
        """Whether the promise was kept; of nothing nobody can say."""
        return Verdict.INDETERMINATE if self.target is None else self.counts.verdict(self.target)
