# SPDX-License-Identifier: Apache-2.0
"""Which slots belong to it? A set of slots as spans, and what many slots' classes count to within it."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

Span = tuple[int, int]
"""First slot, and the first that does not belong to it any more."""


@dataclass(frozen=True, slots=True)
class SlotSet:
    """Slots, as spans in order that neither touch nor overlap. Make one with `of`."""

    spans: tuple[Span, ...] = ()

    @classmethod
    def of(cls, spans: Iterable[Span]) -> SlotSet:
        """The slots of any spans, in any order, overlapping or empty."""
        made: list[Span] = []
        for first, end in sorted(spans):
            if first >= end:
                continue
            if made and first <= made[-1][1]:
                made[-1] = (made[-1][0], max(made[-1][1], end))
            else:
                made.append((first, end))
        return cls(tuple(made))

    def __len__(self) -> int:
        return sum(end - first for first, end in self.spans)

    def __contains__(self, slot: int) -> bool:
        place = bisect.bisect_right(self.spans, slot, key=lambda span: span[0]) - 1
        return place >= 0 and slot < self.spans[place][1]

    def __iter__(self) -> Iterator[int]:
        for first, end in self.spans:
            yield from range(first, end)

    def __or__(self, other: SlotSet) -> SlotSet:
        return SlotSet.of((*self.spans, *other.spans))

    def __and__(self, other: SlotSet) -> SlotSet:
        return SlotSet(tuple(_common(self.spans, other.spans)))

    def __sub__(self, other: SlotSet) -> SlotSet:
        return self & SlotSet(tuple(_between(self, other)))

    def within(self, first: int, end: int) -> SlotSet:
        """Those from `first` up to but not including `end`."""
        return self & SlotSet.of([(first, end)])

    def earliest(self, count: int) -> SlotSet:
        """The first `count` of them."""
        kept: list[Span] = []
        for first, end in self.spans:
            kept.append((first, min(end, first + count)))
            count -= min(count, end - first)
        return SlotSet.of(kept)


NO_SLOTS = SlotSet()


def _common(ours: tuple[Span, ...], theirs: tuple[Span, ...]) -> Iterator[Span]:
    a = b = 0
    while a < len(ours) and b < len(theirs):
        first, end = max(ours[a][0], theirs[b][0]), min(ours[a][1], theirs[b][1])
        if first < end:
            yield first, end
        if ours[a][1] <= theirs[b][1]:
            a += 1
        else:
            b += 1


def _between(ours: SlotSet, theirs: SlotSet) -> Iterator[Span]:
    """What lies between their spans, as far as ours reach."""
    if not ours.spans:
        return
    at, last = ours.spans[0][0], ours.spans[-1][1]
    for first, end in theirs.spans:
        if at < first:
            yield at, first
        at = max(at, end)
    if at < last:
        yield at, last
