# SPDX-License-Identifier: Apache-2.0
"""Which class has each of some slots of a school, and what was that judged by?

What is found for a slot does not depend on which slots are judged with it.
"""

from __future__ import annotations

import bisect
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from collector.sla import judgement, silence
from collector.sla.book import Evidences, Verdicts
from collector.sla.evidence import Evidence, Measured
from collector.sla.parameters import Parameters, Terms
from collector.sla.rule import NUMBERS, class_table
from collector.sla.sighting import (
    LONGEST_HOLD,
    SHOWN,
    Fact,
    Identity,
    Name,
    Round,
    Sighting,
    Timing,
    Told,
    Word,
    holds_in,
)
from collector.sla.slot import SLOT_MS, slot_of

BORROWED_MS = 10_000
"""A slot in which no round lies for the most part is judged by one that reaches so far into it."""

_MEASURED = (Timing, Name)
_MOST_EVIDENCE = 12
_SILENCE = NUMBERS["silence"]
Known: TypeAlias = dict[tuple[Fact, ...], int]
"""Rules of evidence that was judged before and is only measured; by one contract's figures."""


class Finding(NamedTuple):
    """One slot, judged by itself."""

    rule: int
    evidence: tuple[Sighting, ...]


@dataclass(slots=True)
class Window:
    """What was seen around some slots; both ends are of them."""

    school: str
    first: int
    last: int
    book: Evidences
    seen: list[Sighting] = field(default_factory=list)
    rounds: dict[int, list[Sighting]] = field(default_factory=dict)
    others: dict[int, list[Sighting]] = field(default_factory=dict)
    words: dict[tuple[str, str], list[Sighting]] = field(default_factory=dict)
    told: list[Sighting] = field(default_factory=list)
    shown: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        words: defaultdict[tuple[str, str], list[Sighting]] = defaultdict(list)
        rounds, others = self.rounds, self.others
        for one in self.book.sightings(self.school, self.first - LONGEST_HOLD, self.last + 1):
            fact = one.fact
            kind = type(fact)
            if kind is Round:
                rounds.setdefault(one.slot, []).append(one)
            elif isinstance(fact, Word):
                words[one.device, fact.subject].append(one)
                if not SHOWN.isdisjoint(fact.codes):
                    self.shown.update(range(one.slot, holds_in(one) + 1))
            elif kind in _MEASURED:
                others.setdefault(one.slot, []).append(one)
            if self.first <= one.slot <= self.last:
                self.seen.append(one)
        self.words = dict(words)
        self.told = list(self.book.told(self.school, self.first, self.last))

    def judge(self, terms: Terms) -> Verdicts:
        """Class and rule of each slot."""
        rules = self._silences()
        classes = bytearray(len(rules))
        for term in terms.terms(self.school, self.first, self.last):
            start, end = term.first_slot - self.first, term.last_slot - self.first + 1
            self._judge_term(rules, term.first_slot, term.last_slot, term.parameters)
            table = class_table(term.parameters)
            classes[start:end] = rules[start:end].translate(table)
        return Verdicts(bytes(classes), bytes(rules))

    def finding(self, slot: int, parameters: Parameters) -> Finding:
        """The rule of one slot and the records that it rests on."""
        evidence = self._evidence(slot)
        rule = judgement.judge(evidence, parameters)
        seen = [*self._rounds_of(slot), *self.others.get(slot, ())]
        seen += [one for one in self._words_of(slot) if isinstance(one.fact, Word) and one.fact.codes]
        seen += self._told_of(slot)
        if rule is None:
            rule = self._silences()[slot - self.first]
            seen += self._around(slot, with_last=rule == _SILENCE)
        return Finding(rule, tuple(sorted(set(seen))))

    def _judge_term(self, rules: bytearray, first: int, last: int, by: Parameters) -> None:
        known: Known = {}
        rounds, others, shown, start = self.rounds, self.others, self.shown, self.first
        for slot in range(first, last + 1):
            here = rounds.get(slot)
            if here is None or slot in shown:
                rule = self._judge_slot(slot, by)
            else:
                more = others.get(slot, ())
                key = (
                    (here[0].fact,) if len(here) == 1 and not more else tuple(s.fact for s in (*here, *more))
                )
                rule = known.get(key)
                if rule is None:
                    rule = self._judge_slot(slot, by)
                    if rule is not None and any(m.up for m in key if type(m) is Round):
                        known[key] = rule
            if rule is not None:
                rules[slot - start] = rule

    def _judge_slot(self, slot: int, by: Parameters) -> int | None:
        if slot not in self.rounds and not self.told and not self._rounds_of(slot):
            return None
        return judgement.judge(self._evidence(slot), by)

    def _evidence(self, slot: int) -> Evidence:
        rounds = self._rounds_of(slot)
        measured: list[Fact] = [self._as_heard(one) for one in rounds]
        measured += [one.fact for one in self.others.get(slot, ())]
        codes = {c for one in self._words_of(slot) if isinstance(one.fact, Word) for c in one.fact.codes}
        told = [(one, cause) for one in self._told_of(slot) if (cause := _cause(one))]
        return Evidence(
            frozenset(m for m in measured if isinstance(m, Measured)),
            frozenset(codes),
            frozenset(cause for _, cause in told),
            frozenset(cause for one, cause in told if _fills(one, slot)),
        )

    def _rounds_of(self, slot: int) -> list[Sighting]:
        """Those of the slot; without any, of each neighbour's those that reach far enough into it."""
        here = self.rounds.get(slot)
        if here is not None:
            return here
        start_ms, end_ms = slot * SLOT_MS, (slot + 1) * SLOT_MS
        near = [*self.rounds.get(slot - 1, ()), *self.rounds.get(slot + 1, ())]
        shares = [(min(s.until_ms, end_ms) - max(s.at_ms, start_ms), s) for s in near]
        longest = max((share for share, _ in shares), default=0)
        return [s for share, s in shares if share == longest and share >= BORROWED_MS]

    def _as_heard(self, one: Sighting) -> Round:
        """Without the gateway, where its silence means nothing."""
        fact = one.fact
        assert isinstance(fact, Round)  # noqa: S101  # they are kept apart
        if fact.up is not False or fact.gateway_answered or not fact.gateway_asked:
            return fact
        hears = self.book.hears_gateway(self.school, one.device, one.slot)
        return fact if hears else fact._replace(gateway_asked=None)

    def _words_of(self, slot: int) -> list[Sighting]:
        """What each device last said up to the end of the slot, where that still holds."""
        found = []
        for said in self.words.values():
            place = bisect.bisect_right(said, slot, key=lambda s: s.slot) - 1
            if place >= 0 and _holds(said[place], slot):
                found.append(said[place])
        return found

    def _told_of(self, slot: int) -> list[Sighting]:
        return newest(one for one in self.told if _reaches(one, slot))

    def _silences(self) -> bytearray:
        """The rule that each slot falls under, should nothing have been measured in it."""
        rules = bytearray(self.last - self.first + 1)
        if all(slot in self.rounds for slot in range(self.first, self.last + 1)):
            return rules
        for part in silence.explain(self.book, self.school, self.seen, self.first, self.last):
            start, end = part.first - self.first, part.last - self.first + 1
            rules[start:end] = bytes([part.rule]) * (end - start)
        return rules

    def _around(self, slot: int, *, with_last: bool) -> Iterator[Sighting]:
        """What stands before and behind a silence, and what was told of it; if asked the last of all, too."""
        for device in self.book.devices(self.school):
            before = self.book.before(self.school, device, slot + 1)
            after = self.book.after(self.school, device, slot)
            if with_last and after is None and before is not None:
                yield before
            elif before is not None and after is not None:
                yield from (before, after)
                yield from silence.starts_of(self.book, self.school, before, after)


def find(book: Evidences, school: str, slot: int, parameters: Parameters) -> Finding:
    """The rule of one slot and every record that it rests on."""
    return Window(school, slot, slot, book).finding(slot, parameters)


def identities(finding: Finding) -> tuple[Identity, ...]:
    """Ids of the first of the records that a finding rests on."""
    return tuple(one.identity for one in finding.evidence[:_MOST_EVIDENCE])


def newest(told: Iterable[Sighting]) -> list[Sighting]:
    """Of each outage that agents tell of, what was said last."""
    found: dict[tuple[str, str], tuple[int, Sighting]] = {}
    for one in told:
        if isinstance(one.fact, Told):
            key, rank = (one.device, one.fact.outage), (one.fact.revision, one)
            found[key] = max(found.get(key, rank), rank)
    return sorted(one for _, one in found.values())


def _holds(one: Sighting, slot: int) -> bool:
    return holds_in(one) >= slot


def _cause(one: Sighting) -> str | None:
    fact = one.fact
    if not isinstance(fact, Told):
        return None
    return "dns" if fact.scope == "dns" else fact.cause


def _reaches(one: Sighting, slot: int) -> bool:
    return slot_of(one.at_ms) <= slot <= one.last_slot


def _fills(one: Sighting, slot: int) -> bool:
    """Whether all of the slot lies in an outage of which both ends are known."""
    fact = one.fact
    is_closed = isinstance(fact, Told) and fact.is_closed
    return is_closed and one.at_ms <= slot * SLOT_MS and one.until_ms >= (slot + 1) * SLOT_MS
