# SPDX-License-Identifier: Apache-2.0
"""Which slots may have to be judged anew because of one record?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from collector.sla.book import Book, Placed
from collector.sla.sighting import Sighting, Start, Word, holds_in
from collector.sla.slot import slot_of


class Span(NamedTuple):
    """Some slots; both ends are of them."""

    first: int
    last: int


def touched(book: Book, placed: Placed) -> Iterator[tuple[str, Span]]:
    """Schools and slots that a sighting tells of, asked while it is in the book, or will be no more."""
    school, one = placed
    yield school, _between_neighbours(book, school, one)
    if type(one.fact) is Start:
        first = book.first_of(one.device, one.session)
        if first is not None:
            yield first.school, _between_neighbours(book, first.school, first.sighting)
    for other in book.schools(one.device):
        if other != school:
            before, after = book.before(other, one.device, one.slot), book.after(other, one.device, one.slot)
            if before is not None and after is not None:
                yield other, Span(before.slot, after.slot)


def joined(spans: Iterable[Span]) -> list[Span]:
    """Ascending, none touching another."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.first <= found[-1].last + 1:
            found[-1] = Span(found[-1].first, max(found[-1].last, span.last))
        else:
            found.append(span)
    return found


def _between_neighbours(book: Book, school: str, one: Sighting) -> Span:
    """From the device's sighting before to the one behind, and for as long as a word holds."""
    first, last = min(one.slot, slot_of(one.at_ms)) - 1, one.last_slot + 1
    if isinstance(one.fact, Word):
        last = max(last, holds_in(one))
    before = book.before(school, one.device, one.slot)
    after = book.after(school, one.device, one.last_slot)
    if before is not None:
        first, last = min(first, before.slot), max(last, before.last_slot)
    beside = (s for s in book.sightings(school, one.slot, one.slot) if s.device == one.device)
    last = max(last, *(s.last_slot for s in beside), 0)
    return Span(first, last if after is None else max(last, after.slot))
