# SPDX-License-Identifier: Apache-2.0
"""What became of a contract's promises to one school in one month?

One pure function of what was seen, what was promised and what people excluded. The month is that of the
calendar's clock. Each slot is judged by the version in force in it: where targets differ within the month the
one that holds for the whole is their mean, weighted by the slots (tests) that each is for.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from collector.sla.allowance import Taken, take
from collector.sla.assessment import PenaltyTotal, assess
from collector.sla.availability import Availability
from collector.sla.budget import budget
from collector.sla.cost import costs, due
from collector.sla.exclusion import Exclusion
from collector.sla.figures import Effect, MonthFigures, Results, Seen, Version
from collector.sla.latency import judge_latency
from collector.sla.money import Money, rounded
from collector.sla.penalty import Day, possible, proved
from collector.sla.period import Month
from collector.sla.promise import Promise, SchoolContract, Stretch
from collector.sla.repair import RepairFigures, judge_repairs
from collector.sla.slotset import NO_SLOTS, SlotSet
from collector.sla.standards import giga_class, side_by_side
from collector.sla.throughput import Required, ThroughputFigures, judge_throughput
from collector.sla.verdict import Verdict, of_all


def judge_month(
    month: Month, seen: Seen, contract: SchoolContract, exclusions: Iterable[Exclusion] = ()
) -> MonthFigures | None:
    """Every figure of a school's month; None when the contract promised it nothing then.

    Args:
        month: by the calendar's clock.
        seen: what the judge made of the school's records.
        contract: the school's.
        exclusions: all there are; those of others are passed over.
    """
    stretches = _of_month(month, contract)
    if not stretches:
        return None
    case = _Case(month=month, seen=seen, contract=contract, stretches=stretches, exclusions=tuple(exclusions))
    taken = case.taken(stretches)
    counted, everything = case.results(_slots(taken)), case.results(NO_SLOTS)
    promise, fee = stretches[-1].promise, case.fee
    return MonthFigures(
        month=month,
        contract=contract.contract,
        school=contract.school,
        region=contract.region,
        operator=promise.operator,
        technology=promise.technology,
        lot=promise.lot,
        students=contract.students,
        counted=counted,
        everything=everything,
        effects=tuple(case.effect(one) for one in taken),
        standards=side_by_side(
            seen.tests,
            case.service - _slots(taken),
            contract=counted.down,
            contracted_mbps=promise.down_mbps,
            students=contract.students,
        ),
        giga_class=giga_class(counted.down.median_mbps),
        fee=fee,
        costs=None
        if fee is None
        else costs(
            fee,
            service=everything.service.counts,
            contracted_mbps=promise.down_mbps,
            median_mbps=counted.down.median_mbps,
            tests=counted.down.valid + counted.down.unpromised,
            students=contract.students,
        ),
    )


def _of_month(month: Month, contract: SchoolContract) -> tuple[Stretch, ...]:
    return tuple(
        Stretch(first=first, end=end, promise=stretch.promise)
        for stretch in contract.stretches
        for first, end in (month.slots(stretch.promise.calendar.zone) & stretch.slots).spans
    )


def _slots(taken: Iterable[Taken]) -> SlotSet:
    return SlotSet.of(span for one in taken for span in one.slots.spans)


@dataclass(frozen=True, kw_only=True)
class _Case:
    """Everything that is known of one school's month."""

    month: Month
    seen: Seen
    contract: SchoolContract
    stretches: tuple[Stretch, ...]
    exclusions: tuple[Exclusion, ...]

    @property
    def time(self) -> SlotSet:
        """Every slot of the contract in the month."""
        return SlotSet.of((s.first, s.end) for s in self.stretches)

    @property
    def service(self) -> SlotSet:
        """Of it, service time."""
        first, end = self.time.spans[0][0], self.time.spans[-1][1]
        return self.contract.service(first, end) & self.time

    @property
    def fee(self) -> Money | None:
        """What is due for the days of the month that the contract holds; None where a fee is not known."""
        parts = []
        for s in self.stretches:
            if s.promise.monthly_fee is None:
                return None
            of_days = self.month.slots_of_days(s.promise.calendar.zone)
            held = sum(bool(slots & s.slots) for _, slots in of_days)
            parts.append(due(s.promise.monthly_fee, held, len(of_days)))
        return Money(amount=rounded(sum(parts, Fraction())), currency=self.contract.currency)

    def taken(self, stretches: Iterable[Stretch]) -> tuple[Taken, ...]:
        """What the exclusions take out of each stretch, by its own rules."""
        return tuple(
            one
            for s in stretches
            for one in take(
                self.exclusions,
                s.promise.exclusions,
                s.slots,
                functools.partial(self.contract.is_meant, s.promise),
            )
        )

    def effect(self, taken: Taken) -> Effect:
        """What one exclusion changes."""
        classes = self.seen.classes
        return Effect(
            taken=taken,
            service=classes.count(taken.slots & self.service),
            around_the_clock=classes.count(taken.slots),
        )

    def results(self, excluded: SlotSet) -> Results:
        """Every objective, with this time taken out."""
        service = self.service - excluded
        availability = self._availability(service)
        results = Results(
            service=availability,
            around_the_clock=self._availability(self.time - excluded),
            days=self._days(service),
            down=self._throughput("down", service),
            up=self._throughput("up", service),
            versions=tuple(self._version(s, service) for s in self.stretches),
            repairs=self._repairs(service, excluded),
            budget=None
            if availability.target is None
            else budget(availability.target, availability.counts.all, availability.counts.down_provider),
            penalties=None,
        )
        return replace(results, penalties=self._penalties(results))

    def _availability(self, time: SlotSet) -> Availability:
        parts = [(len(time & s.slots), s.promise.availability) for s in self.stretches]
        whole = sum(slots for slots, _ in parts)
        wanted = sum((slots * target for slots, target in parts), Fraction())
        return Availability(counts=self.seen.classes.count(time), target=wanted / whole if whole else None)

    def _days(self, service: SlotSet) -> tuple[Day, ...]:
        of_days = self.month.slots_of_days(self.stretches[0].promise.calendar.zone)
        return tuple(Day(day=day, counts=self.seen.classes.count(slots & service)) for day, slots in of_days)

    def _throughput(self, direction: str, service: SlotSet) -> ThroughputFigures:
        def required_at(slot: int) -> Required | None:
            promise = self.contract.at(slot)
            return None if promise is None else promise.required(direction)

        return judge_throughput(self.seen.tests, direction, service, required_at)

    def _version(self, stretch: Stretch, service: SlotSet) -> Version:
        return Version(
            since=stretch.promise.since,
            first=stretch.first,
            end=stretch.end,
            target=stretch.promise.availability,
            latency=judge_latency(self.seen.samples, service & stretch.slots, stretch.promise.latency),
        )

    def _repairs(self, service: SlotSet, excluded: SlotSet) -> RepairFigures:
        """With the time before the month that its earliest outage lay in."""
        begin = self.time.spans[0][0]
        first = min((o.first for o in self.seen.outages), default=begin)
        before = tuple(self.contract.within(first, begin))
        earlier = _slots(self.taken(before)) if excluded else NO_SLOTS
        promise = self.stretches[-1].promise
        return judge_repairs(
            self.seen.outages,
            self.time,
            service | self.contract.service(first, begin),
            excluded | earlier,
            promise.repair,
            is_complete=not self.seen.classes.has_gap(service, promise.parameters.open_after),
        )

    def _penalties(self, results: Results) -> PenaltyTotal | None:
        """By the rules of the last version."""
        promise, fee, found = self.stretches[-1].promise, self.fee, results.service
        if fee is None or found.target is None:
            return None
        given = found.counts, found.target, results.days, _others(results, promise)
        return assess(promise.penalties, fee, (proved(*given), possible(*given)), promise.combination)


def _others(results: Results, promise: Promise) -> dict[str, Verdict]:
    """Verdicts of the objectives beside availability that were promised."""
    latency = [v for part in results.versions if (v := part.latency.verdict) is not None]
    each = {
        "throughput_down": None if promise.down_mbps is None else results.down.verdict,
        "throughput_up": None if promise.up_mbps is None else results.up.verdict,
        "latency": of_all(latency) if latency else None,
        "repair": results.repairs.verdict,
    }
    return {name: verdict for name, verdict in each.items() if verdict is not None}
