# SPDX-License-Identifier: Apache-2.0
"""What did the schools' records of a month say, judged from the extract of the journal and nothing else?

The journal is read twice: once to learn where each device's entries stand, once to judge. One school is in
memory at a time. An outage that lasts on at the month's end is
open in that month, whatever is known of it later.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agent.contract.decoder import DecodeError
from agent.contract.kinds import KINDS
from agent.contract.record import Batch, Record
from collector.entry import Entry
from collector.evidence.configuration import Configuration
from collector.evidence.measured import samples, speed_tests
from collector.judge.placing import placed
from collector.measuring import batch_of, measurements
from collector.moment import Witness, witnesses
from collector.playback import START, Playback
from collector.registry import Registry
from collector.reports.model import Lost, OutageLine, SchoolMonth
from collector.segment import Position
from collector.sinks.base import Measurement
from collector.sla.availability import Classes
from collector.sla.book import Placed, Verdicts
from collector.sla.figures import Seen
from collector.sla.ledger import Ledger
from collector.sla.memory import MemoryBook
from collector.sla.month import judge_month
from collector.sla.outage import Outage, ParametersAt, Part, counted, within
from collector.sla.period import Month
from collector.sla.repair import Interruption
from collector.sla.rule import RULES
from collector.sla.slot import SlotClass, slot_of
from collector.sla.slotset import NO_SLOTS, SlotSet

_BAD = (SlotClass.DOWN_PROVIDER, SlotClass.DOWN_OTHER)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSchool:
    """One school's month.

    Attributes:
        schools: a line for each contract that held in the month; one where none did.
        slots: class of each slot, as runs such as `1x120 3x5`, from the month's first.
        records: how many records were made in the month.
        data_sha256: of these records and of the slots.
    """

    id: str
    schools: tuple[SchoolMonth, ...]
    outages: tuple[OutageLine, ...]
    slots: str
    records: int
    data_sha256: str


@dataclass
class Reading:
    """The extract, by device: where its entries stand."""

    playback: Playback
    places: dict[str, list[Position]] = field(default_factory=dict)

    @classmethod
    def of(cls, journal: Path) -> Reading:
        """Look through all of it once; nothing is unpacked yet."""
        reading = cls(Playback(journal, start=START))
        for entry in _entries(Playback(journal, start=START)):
            reading.places.setdefault(entry.device, []).append(entry.at)
        return reading

    def measurements(self, device: str, registry: Registry) -> Iterator[Measurement]:
        """What the device's entries brought, each record once, placed by all that is known of its boot."""
        said = list(self._said(device))
        boots: dict[str, Witness] = {}
        for entry, batch in said:
            for boot, witness in witnesses(batch, entry.received_ms).items():
                boots.setdefault(boot, witness)
        for entry, batch in said:
            yield from measurements(entry, batch, registry, boots)

    def _said(self, device: str) -> Iterator[tuple[Entry, Batch]]:
        """Entries that this version can read; one that it cannot was counted nowhere else either."""
        for at in self.places.get(device, ()):
            self.playback.seek(at)
            for entry in self.playback.read(at_most=1).entries:
                with contextlib.suppress(DecodeError):
                    yield entry, batch_of(entry)


def judge_schools(journal: Path, configuration: Configuration, month: Month) -> Iterator[JudgedSchool]:
    """Every school of the registry, in the order of their ids."""
    reading = Reading.of(journal)
    for school in sorted(configuration.registry.schools(), key=lambda s: s.id):
        yield _Case(reading, configuration, month, school.id).judged()


def _entries(playback: Playback) -> Iterator[Entry]:
    at = None
    while at != playback.at:
        at = playback.at
        yield from playback.read().entries


@dataclass
class _Case:
    """One school."""

    reading: Reading
    configuration: Configuration
    month: Month
    id: str
    book: MemoryBook = field(default_factory=MemoryBook)
    ours: list[Measurement] = field(default_factory=list)

    def judged(self) -> JudgedSchool:
        """Everything of it."""
        slots = self.configuration.slots_of(self.month, self.id)
        first, end = slots.spans[0]
        self._take()
        verdicts = self.book.verdicts(self.id, first, end - 1)
        outages = self.book.outages(self.id, first, end - 1)
        lines = [(o, _parts(o, first, end)) for o in outages]
        spans = within(outages, first, end)
        classes = Classes(first=first, data=counted(verdicts.classes, spans, self._parameters_at(first)))
        runs = _runs(verdicts.classes)
        made = [m for m in self.ours if slot_of(m.at_ms) in slots]
        return JudgedSchool(
            id=self.id,
            schools=self._schools(classes, slots, outages, verdicts),
            outages=tuple(_line(o, parts, self._service(slots), first, end) for o, parts in lines if parts),
            slots=runs,
            records=len(made),
            data_sha256=_digest(made, runs),
        )

    def _take(self) -> None:
        """Everything that was seen by devices that ever stood here, wherever it was seen."""
        registry = self.configuration.registry
        found: list[Placed] = []
        for device in sorted({p.device for p in registry.devices_of(self.id)}):
            for m in self.reading.measurements(device, registry):
                if m.school.id == self.id:
                    self.ours.append(m)
                known = placed(m)
                if known is not None:
                    found.append(known)
        Ledger(self.book, self.configuration.contracts).apply(found)

    def _service(self, slots: SlotSet) -> SlotSet:
        """Service time of all contracts together."""
        first, end = slots.spans[0]
        found = NO_SLOTS
        for contract in self.configuration.contracts.of(self.id):
            found |= contract.service(first, end)
        return found & slots

    def _schools(
        self, classes: Classes, slots: SlotSet, outages: Sequence[Outage], verdicts: Verdicts
    ) -> tuple[SchoolMonth, ...]:
        first, end = slots.spans[0]
        seen = Seen(
            classes=classes,
            outages=tuple(_interruption(o, end) for o in outages if o.slot_class is SlotClass.DOWN_PROVIDER),
            tests=speed_tests(self.ours),
            samples=samples(self.ours),
        )
        found = []
        for contract in self.configuration.contracts.of(self.id):
            figures = judge_month(self.month, seen, contract, self.configuration.exclusions)
            if figures is not None:
                service = contract.service(first, end) & slots
                found.append(
                    dataclasses.replace(
                        self._bare(classes, slots),
                        operator=figures.operator,
                        technology=figures.technology,
                        figures=figures,
                        lost=_lost(classes, verdicts.rules, service),
                        high_loss_minutes=_short(verdicts.classes, classes, service),
                    )
                )
        return tuple(found) or (self._bare(classes, slots),)

    def _bare(self, classes: Classes, slots: SlotSet) -> SchoolMonth:
        """What is known without a contract."""
        label = next(s for s in self.configuration.registry.schools() if s.id == self.id)
        return SchoolMonth(
            school=self.id,
            name=label.name,
            region=label.region,
            operator=label.operator,
            technology=label.technology,
            always=classes.count(slots),
        )

    def _parameters_at(self, first: int) -> ParametersAt:
        terms = self.configuration.contracts.terms
        return lambda index: next(iter(terms(self.id, first + index, first + index))).parameters


def _interruption(outage: Outage, end: int) -> Interruption:
    """As the month sees it."""
    is_over = not outage.is_open and outage.last_slot + 1 < end
    return Interruption(id=outage.id, first=outage.first_slot, end=outage.last_slot + 1 if is_over else None)


def _parts(outage: Outage, first: int, end: int) -> list[Part]:
    """The parts that lie in the month, cut to it."""
    return [
        dataclasses.replace(p, first_slot=max(p.first_slot, first), last_slot=min(p.last_slot, end - 1))
        for p in outage.parts
        if p.first_slot < end and p.last_slot >= first
    ]


def _line(outage: Outage, parts: list[Part], service: SlotSet, first: int, end: int) -> OutageLine:
    """What the month saw of it; its cause is that of most of its minutes here, of several the first."""
    lengths = Counter[tuple[SlotClass, str]]()
    for part in parts:
        lengths[part.slot_class, part.cause.value] += part.last_slot - part.first_slot + 1
    main = max(lengths, key=lambda key: lengths[key])
    part = next(p for p in parts if (p.slot_class, p.cause.value) == main)
    here = SlotSet.of([(max(outage.first_slot, first), min(outage.last_slot + 1, end))])
    is_over = not outage.is_open and outage.last_slot + 1 < end
    return OutageLine(
        id=outage.id,
        school=outage.school,
        began_ms=outage.begin_ms,
        ended_ms=outage.end_ms if is_over else None,
        slot_class=part.slot_class.name.lower(),
        cause=part.cause.value,
        confidence=None if part.confidence is None else part.confidence.value,
        service_minutes=len(here & service),
        wall_minutes=len(here),
        is_carried_in=outage.first_slot < first,
        evidence=tuple("/".join(map(str, identity)) for p in parts for identity in p.evidence),
    )


def _lost(classes: Classes, rules: bytes, service: SlotSet) -> tuple[Lost, ...]:
    """Bad slots of the service time, by class and by the cause that their rule names."""
    found = Counter[tuple[int, int]]()
    for begin, end in service.spans:
        at = slice(begin - classes.first, end - classes.first)
        found.update(zip(classes.data[at], rules[at], strict=True))
    minutes = Counter[tuple[str, str]]()
    for (slot_class, rule), n in found.items():
        if slot_class in _BAD:
            cause = RULES[rule].cause
            minutes[SlotClass(slot_class).name.lower(), "unknown" if cause is None else cause.value] += n
    return tuple(Lost(slot_class=c, cause=cause, minutes=n) for (c, cause), n in sorted(minutes.items()))


def _short(classes: bytes, as_counted: Classes, service: SlotSet) -> int:
    """Bad slots of the service time that are of no outage."""
    return sum(classes[slot - as_counted.first] in _BAD and as_counted[slot] not in _BAD for slot in service)


def _runs(classes: bytes) -> str:
    """`1x120 3x5`: class, and how many slots in a row."""
    runs: list[list[int]] = []
    for value in classes:
        if runs and runs[-1][0] == value:
            runs[-1][1] += 1
        else:
            runs.append([value, 1])
    return " ".join(f"{value}x{n}" for value, n in runs)


def _digest(made: Iterable[Measurement], runs: str) -> str:
    """Of all that was said of the month, in an order that does not depend on when it came."""
    digest = hashlib.sha256()
    for m in sorted(made, key=lambda m: (m.device, m.session, m.record.seq)):
        digest.update(repr((m.device, m.session, m.at_ms, *_said(m.record))).encode())
    digest.update(runs.encode())
    return digest.hexdigest()


def _said(record: Record) -> tuple[object, ...]:
    """Everything that a record says; a field that it leaves out says nothing, whatever version knows it."""
    fields = record.fields
    pairs = (
        ()
        if fields is None
        else tuple((n, v) for n in _names(record.kind) if (v := getattr(fields, n)) is not None)
    )
    clock = record.clock
    times = (clock.boot, clock.mono_ms, clock.wall_ms, clock.age_s, record.duration_ms)
    return record.seq, record.kind, times, record.reason and str(record.reason), record.detail, pairs


@functools.cache
def _names(kind: str) -> tuple[str, ...]:
    return tuple(sorted(f.name for f in dataclasses.fields(KINDS[kind])))
