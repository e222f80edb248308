# SPDX-License-Identifier: Apache-2.0
"""When does an outage open and close, and what was it?

It opens at the first of n bad slots in a row and closes at the first of m good ones in a row, both dated
back. A slot of which nothing is known is neither: it breaks a row of either kind, and an outage lasts across
it. Shorter bad rows are high-loss minutes: reported, not counted. Outages follow from the classes alone,
whatever was known before.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from collector.sla.cause import Cause, Confidence
from collector.sla.parameters import Parameters
from collector.sla.sighting import Identity
from collector.sla.slot import SlotClass

_LETTERS = bytes.maketrans(bytes(range(5)), b"?ggbb")
_ROW = re.compile(b"(?P<bad>b+)|(?P<good>g+)")
_NOT_GOOD = re.compile(rb"[b?]+")
_B = ord("b")

ParametersAt: TypeAlias = Callable[[int], Parameters]
"""Which figures hold at an index of a row of classes."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some slots in a row of an outage that fall under one rule; both ends are of it.

    Attributes:
        rule: its name; what caused this part and how well that is founded follows from it.
        evidence: records of its first slot that the rule rests on.
    """

    first_slot: int
    last_slot: int
    slot_class: SlotClass
    rule: str
    cause: Cause
    confidence: Confidence | None
    evidence: tuple[Identity, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """One outage of one school.

    Attributes:
        last_slot: the last before it closed, or the last with a verdict while it is open.
        begin_ms: Unix time; as the agent dated it where it did, else the begin of the first slot.
        end_ms: the same of the end; None while it is open.
        begin_resolution_s: the begin is known to ± this.
        cause: that of most of its slots; of several the one that came first.
        slots: how many of each class, by its value.
        parts: in the order of time; slots that were good or unknown are of none.
    """

    school: str
    first_slot: int
    last_slot: int
    is_open: bool
    begin_ms: int
    end_ms: int | None
    begin_resolution_s: float
    end_resolution_s: float | None
    cause: Cause
    confidence: Confidence | None
    slots: tuple[int, int, int, int, int]
    parts: tuple[Part, ...]

    @property
    def id(self) -> str:
        """The same as long as it begins in the same slot, whatever becomes of its end."""
        return f"{self.school}/{self.first_slot}"

    @property
    def slot_class(self) -> SlotClass:
        """Whose it is: that of most of its bad slots."""
        provider, other = self.slots[SlotClass.DOWN_PROVIDER], self.slots[SlotClass.DOWN_OTHER]
        return SlotClass.DOWN_PROVIDER if provider >= other else SlotClass.DOWN_OTHER


@dataclass(frozen=True, slots=True)
class Span:
    """Where an outage lies in a row of classes: from `start` to `end`, which is not of it."""

    start: int
    end: int
    is_open: bool


def spans(classes: bytes, by: ParametersAt) -> list[Span]:
    """The outages in a row of classes before which there was none.

    `by` says which figures hold at an index: for a row of bad or good slots, those of its first.
    """
    found: list[Span] = []
    begin: int | None = None
    for row in _ROW.finditer(classes.translate(_LETTERS)):
        length = row.end() - row.start()
        if begin is None and row.lastgroup == "bad" and length >= by(row.start()).open_after:
            begin = row.start()
        elif begin is not None and row.lastgroup == "good" and length >= by(row.start()).close_after:
            found.append(Span(begin, row.start(), is_open=False))
            begin = None
    return found if begin is None else [*found, Span(begin, len(classes), is_open=True)]


def within(outages: Iterable[Outage], first: int, end: int) -> list[Span]:
    """Where outages lie among the slots from `first` up to `end`; those that reach into them."""
    return [
        Span(max(o.first_slot, first) - first, min(o.last_slot + 1, end) - first, o.is_open) for o in outages
    ]


def counted(classes: bytes, outages: Iterable[Span], by: ParametersAt) -> bytes:
    """The classes as availability counts them: a bad row too short for an outage is reported, not counted.

    Its slots count as degraded, which is available time; where slots of which nothing is known could have
    made an outage of it nobody can say, and they count as unknown.
    """
    found = bytearray(classes)
    letters = bytearray(classes.translate(_LETTERS))
    for span in outages:
        letters[span.start : span.end] = b"o" * (span.end - span.start)
    for row in _NOT_GOOD.finditer(letters):
        bad = [index for index in range(*row.span()) if letters[index] == _B]
        if bad:
            is_short = row.end() - row.start() < by(bad[0]).open_after
            for index in bad:
                found[index] = SlotClass.DEGRADED if is_short else SlotClass.UNKNOWN
    return bytes(found)


def quiet_after(classes: bytes, count: int) -> int | None:
    """Where the first row of so many good slots ends: nothing lasts beyond it."""
    start = classes.translate(_LETTERS).find(b"g" * count)
    return None if start < 0 else start + count


def quiet_before(classes: bytes, count: int) -> int | None:
    """Where the last row of so many good slots ends."""
    start = classes.translate(_LETTERS).rfind(b"g" * count)
    return None if start < 0 else start + count


def rows(verdicts: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """First and last index of each row of bad slots with one class and one rule."""
    at = 0
    for (slot_class, _), row in itertools.groupby(verdicts):
        length = sum(1 for _ in row)
        if slot_class >= SlotClass.DOWN_PROVIDER:
            yield at, at + length - 1
        at += length
