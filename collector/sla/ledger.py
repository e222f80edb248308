# SPDX-License-Identifier: Apache-2.0
"""What changes in the verdicts when records come, come late, come again or come with another time?

A record re-judges the slots it touches: its own, those its words hold for, and the silences beside it, which
it ends, splits or explains. Outages are sought anew between the nearest quiet times around what changed. So
the ledger after any batch is what it would be had everything come at once, in any order.
"""

from __future__ import annotations

import bisect
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from collector.sla import outage as outages
from collector.sla import stretch, window
from collector.sla.book import Book, Placed, Verdicts
from collector.sla.cause import Cause
from collector.sla.memory import habit_of
from collector.sla.outage import Outage, Part
from collector.sla.parameters import StandardTerms, Terms
from collector.sla.rule import RULES
from collector.sla.sighting import Identity, Sighting, Told
from collector.sla.slot import DAY_SLOTS, SLOT_MS, SLOT_S, SlotClass
from collector.sla.touch import Span, joined, touched

STANDARD_TERMS = StandardTerms()
Known: TypeAlias = dict[tuple[int, str], tuple[Identity, ...]]
"""Evidence of parts, by first slot and rule, which nothing has touched."""


@dataclass(slots=True)
class Change:
    """What a batch did.

    Attributes:
        judged: slots that were judged anew, by school; both ends are of each.
        changed: of these, spans whose class or rule is another now.
        come: outages that are new or otherwise than they were.
        gone: ids of those that are no more.
    """

    judged: dict[str, list[Span]] = field(default_factory=dict)
    changed: dict[str, list[Span]] = field(default_factory=dict)
    come: list[Outage] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)


class Ledger:
    """Verdicts and outages of every school in a book."""

    def __init__(self, book: Book, terms: Terms = STANDARD_TERMS) -> None:
        self.book = book
        self._terms = terms

    def apply(self, batch: Iterable[Placed]) -> Change:
        """Take records in; what is known already, or better known, changes nothing."""
        spans: defaultdict[str, list[Span]] = defaultdict(list)
        for placed in batch:
            for school, span in self._take(placed):
                spans[school].append(span)
        return self.judge({school: joined(found) for school, found in spans.items()})

    def judge(self, spans: dict[str, list[Span]]) -> Change:
        """Judge some slots anew."""
        change = Change()
        for school in sorted(spans):
            change.judged[school] = spans[school]
            known = self.book.span(school)
            lasts = known is not None and bool(self.book.outages(school, known[1], known[1]))
            changed = [found for span in spans[school] if (found := self._judge_span(school, span))]
            if changed:
                change.changed[school] = changed
            stirred = [span for span in spans[school] if lasts or not self._is_calm(school, span)]
            for span in joined(self._quiet_around(school, span) for span in stirred):
                self._seek_outages(school, span, spans[school], change)
        return change

    def _take(self, placed: Placed) -> Iterator[tuple[str, Span]]:
        known = self.book.find(placed.sighting.identity)
        if known is not None and known.sighting.placement >= placed.sighting.placement:
            return
        if known is not None:
            yield from self._change(known, puts=False)
        yield from self._change(placed, puts=True)

    def _change(self, placed: Placed, *, puts: bool) -> Iterator[tuple[str, Span]]:
        """Put or remove a sighting; what it touches is asked while it is there."""
        school, one = placed
        is_telling = habit_of(one) is not None
        heard = is_telling and self.book.hears_gateway(school, one.device, one.slot)
        first = self.book.first_of(one.device, one.session)
        is_first = first is None or one.seq <= first.sighting.seq
        if is_first and first is not None:
            yield from touched(self.book, first)
        if not puts:
            yield from touched(self.book, placed)
        (self.book.put if puts else self.book.remove)(placed)
        if puts:
            yield from touched(self.book, placed)
        if is_first and (now := self.book.first_of(one.device, one.session)) is not None:
            yield from touched(self.book, now)
        if is_telling and heard != self.book.hears_gateway(school, one.device, one.slot):
            yield school, Span(*(self.book.span(school) or (one.slot, one.slot)))

    def _judge_span(self, school: str, span: Span) -> Span | None:
        """The part of the span that is otherwise now."""
        new = stretch.judge(self.book, school, span.first, span.last, self._terms)
        old = self.book.verdicts(school, span.first, span.last)
        if new == old:
            return None
        start, end = _differing(old, new)
        changed = Verdicts(new.classes[start : end + 1], new.rules[start : end + 1])
        self.book.write(school, span.first + start, changed)
        return Span(span.first + start, span.first + end)

    def _is_calm(self, school: str, span: Span) -> bool:
        """Whether no outage can be otherwise, where none lasts: none is near, and nothing here makes one."""
        terms = self._terms.terms(school, span.first - DAY_SLOTS, span.last + DAY_SLOTS)
        near = max(term.parameters.close_after for term in terms)
        if self.book.outages(school, span.first - near, span.last + near):
            return False
        classes = self.book.verdicts(school, span.first, span.last).classes
        return SlotClass.DOWN_PROVIDER not in classes and SlotClass.DOWN_OTHER not in classes

    def _quiet_around(self, school: str, span: Span) -> Span:
        """From quiet to quiet: outside of it no outage is otherwise."""
        low, high = self.book.span(school) or span
        terms = self._terms.terms(school, min(low, span.first), max(high, span.last))
        count = max(term.parameters.close_after for term in terms)
        return Span(
            self._quiet_before(school, span, low, count), self._quiet_after(school, span, high, count)
        )

    def _quiet_before(self, school: str, span: Span, low: int, count: int) -> int:
        first = span.first
        while first > low:
            start = max(low, first - DAY_SLOTS)
            found = outages.quiet_before(self.book.verdicts(school, start, span.first - 1).classes, count)
            if found is not None:
                return start + found
            first = start
        return first

    def _quiet_after(self, school: str, span: Span, high: int, count: int) -> int:
        last = span.last
        while last < high:
            end = min(high, last + DAY_SLOTS)
            found = outages.quiet_after(self.book.verdicts(school, span.last + 1, end).classes, count)
            if found is not None:
                return span.last + found
            last = end
        return last

    def _seek_outages(self, school: str, span: Span, judged: Iterable[Span], change: Change) -> None:
        old = {o.first_slot: o for o in self.book.outages(school, span.first, span.last)}
        known = {(p.first_slot, p.rule): p.evidence for o in old.values() for p in o.parts}
        for one in judged:
            known = {key: ids for key, ids in known.items() if not one.first <= key[0] <= one.last}
        new = {o.first_slot: o for o in self._outages(school, span, known)}
        gone = [o for first, o in old.items() if new.get(first) != o]
        come = [o for first, o in new.items() if old.get(first) != o]
        if gone or come:
            self.book.replace(gone, come)
        change.gone += [o.id for o in gone if o.first_slot not in new]
        change.come += come

    def _outages(self, school: str, span: Span, known: Known) -> Iterator[Outage]:
        _, end = self.book.span(school) or span
        verdicts = self.book.verdicts(school, span.first, min(span.last, end))
        by = self._figures(school, span)
        for found in outages.spans(verdicts.classes, by):
            part = slice(found.start, found.end)
            here = Verdicts(verdicts.classes[part], verdicts.rules[part])
            yield self._outage(school, span.first + found.start, here, known, is_open=found.is_open)

    def _figures(self, school: str, span: Span) -> outages.ParametersAt:
        terms = list(self._terms.terms(school, span.first, span.last))
        firsts = [term.first_slot - span.first for term in terms]
        return lambda index: terms[max(0, bisect.bisect_right(firsts, index) - 1)].parameters

    def _outage(self, school: str, first: int, verdicts: Verdicts, known: Known, *, is_open: bool) -> Outage:
        last = first + len(verdicts.classes) - 1
        parts = tuple(self._parts(school, first, verdicts, known))
        told = window.newest(self.book.told(school, first - 1, last + 1))
        begin_ms, begin_s = _begin(told, first)
        end_ms, end_s = (None, None) if is_open else _end(told, last)
        main = _main(parts)
        return Outage(
            school=school,
            first_slot=first,
            last_slot=last,
            is_open=is_open,
            begin_ms=begin_ms,
            end_ms=end_ms,
            begin_resolution_s=begin_s,
            end_resolution_s=end_s,
            cause=main.cause,
            confidence=main.confidence,
            slots=_counts(verdicts.classes),
            parts=parts,
        )

    def _parts(self, school: str, first: int, verdicts: Verdicts, known: Known) -> Iterator[Part]:
        for start, end in outages.rows(zip(verdicts.classes, verdicts.rules, strict=True)):
            rule = RULES[verdicts.rules[start]]
            yield Part(
                first_slot=first + start,
                last_slot=first + end,
                slot_class=SlotClass(verdicts.classes[start]),
                rule=rule.name,
                cause=rule.cause or Cause.UNKNOWN,
                confidence=rule.confidence,
                evidence=known.get((first + start, rule.name)) or self._evidence(school, first + start),
            )

    def _evidence(self, school: str, slot: int) -> tuple[Identity, ...]:
        (term,) = self._terms.terms(school, slot, slot)
        return window.identities(window.find(self.book, school, slot, term.parameters))


def _main(parts: Sequence[Part]) -> Part:
    """A part with the cause of most slots; of several the first."""
    slots: Counter[Cause] = Counter()
    for part in parts:
        slots[part.cause] += part.last_slot - part.first_slot + 1
    cause = max(slots, key=lambda c: slots[c])
    return next(part for part in parts if part.cause is cause)


def _begin(told: Iterable[Sighting], first: int) -> tuple[int, float]:
    """When it began and how exactly that is known: by the agent where it dated it within a slot."""
    start_ms = first * SLOT_MS
    for one, fact in _of_link(told):
        if _is_near(one.at_ms, start_ms) and fact.opened_resolution_s is not None:
            return one.at_ms, fact.opened_resolution_s
    return start_ms, float(SLOT_S)


def _end(told: Sequence[Sighting], last: int) -> tuple[int, float]:
    end_ms = (last + 1) * SLOT_MS
    for one, fact in _of_link(reversed(told)):
        if _is_near(one.until_ms, end_ms) and fact.is_closed and fact.closed_resolution_s is not None:
            return one.until_ms, fact.closed_resolution_s
    return end_ms, float(SLOT_S)


def _of_link(told: Iterable[Sighting]) -> Iterator[tuple[Sighting, Told]]:
    return ((one, one.fact) for one in told if isinstance(one.fact, Told) and one.fact.scope == "link")


def _is_near(at_ms: int, border_ms: int) -> bool:
    return abs(at_ms - border_ms) <= SLOT_MS


def _differing(old: Verdicts, new: Verdicts) -> tuple[int, int]:
    """First and last index at which they differ."""
    pairs = zip(old.classes, old.rules, new.classes, new.rules, strict=True)
    places = [i for i, (a, b, c, d) in enumerate(pairs) if (a, b) != (c, d)]
    return places[0], places[-1]


def _counts(classes: bytes) -> tuple[int, int, int, int, int]:
    unknown, up, degraded, provider, other = (classes.count(c) for c in SlotClass)
    return unknown, up, degraded, provider, other
