# SPDX-License-Identifier: Apache-2.0
"""How are months judged in milliseconds? Slots in which an anchor answered by their kind, others one by one.

Most slots of a month hold one of a few different facts, and an anchor that answered needs no more: what
devices, silences and neighbours say matters only without one. The rest is judged as it always is.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import TypeAlias

from collector.sla import judgement
from collector.sla.book import Evidences, Verdicts
from collector.sla.evidence import Evidence, Measured
from collector.sla.parameters import Parameters, Terms
from collector.sla.rule import class_table
from collector.sla.sighting import LONGEST_HOLD, Round
from collector.sla.touch import Span
from collector.sla.window import Window

FEW = 60
"""So many slots are judged one by one at once."""

_Kind: TypeAlias = tuple[Hashable, ...]
_TO_DO = 255


def judge(book: Evidences, school: str, first: int, last: int, terms: Terms) -> Verdicts:
    """Class and rule of each slot from `first` to `last`."""
    if last - first < FEW:
        return Window(school, first, last, book).judge(terms)
    rules = bytearray()
    classes = bytearray()
    kinds = _kinds(book, school, first, last)
    for term in terms.terms(school, first, last):
        part = _quickly(book, kinds, term.first_slot, term.last_slot, term.parameters)
        table = class_table(term.parameters)
        rules += part
        classes += part.translate(table)
    for span in _runs(rules, first):
        found = Window(school, span.first, span.last, book).judge(terms)
        rules[span.first - first : span.last - first + 1] = found.rules
        classes[span.first - first : span.last - first + 1] = found.classes
    return Verdicts(bytes(classes), bytes(rules))


def _kinds(book: Evidences, school: str, first: int, last: int) -> dict[int, _Kind]:
    """What each slot holds; one for which a word about the web may hold is of no kind."""
    kinds: dict[int, _Kind] = {}
    alone: dict[Hashable, _Kind] = {}
    shown: set[int] = set()
    for slot, key in book.telling(school, first - LONGEST_HOLD, last):
        kind = alone.get(key)
        if kind is None:
            if not isinstance(book.fact_of(key), Measured):
                shown.update(range(slot, slot + LONGEST_HOLD + 1))
                continue
            kind = alone[key] = (key,)
        known = kinds.get(slot)
        kinds[slot] = kind if known is None else known + kind
    for slot in shown:
        kinds.pop(slot, None)
    return kinds


def _quickly(book: Evidences, kinds: dict[int, _Kind], first: int, last: int, by: Parameters) -> bytearray:
    """The rule of each slot in which an anchor answered."""
    rules = bytearray([_TO_DO]) * (last - first + 1)
    known: dict[_Kind, int] = {(): _TO_DO}
    for place, slot in enumerate(range(first, last + 1)):
        kind = kinds.get(slot, ())
        rule = known.get(kind)
        if rule is None:
            rule = known[kind] = _rule(book, kind, by)
        rules[place] = rule
    return rules


def _rule(book: Evidences, kind: _Kind, by: Parameters) -> int:
    facts = frozenset(f for key in kind if isinstance(f := book.fact_of(key), Measured))
    if not any(isinstance(f, Round) and f.up for f in facts):
        return _TO_DO
    rule = judgement.judge(Evidence(facts), by)
    return _TO_DO if rule is None else rule


def _runs(rules: bytearray, first: int) -> Iterator[Span]:
    """Where slots are left to do; near ones together, as looking around costs more than judging."""
    at = rules.find(_TO_DO)
    while at >= 0:
        end = at
        while end + 1 < len(rules) and rules[end + 1] == _TO_DO:
            end += 1
        yield Span(first + at, first + end)
        at = rules.find(_TO_DO, end + 1)
