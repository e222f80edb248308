# SPDX-License-Identifier: Apache-2.0
"""How often did it break, and how long did mending take?

An outage belongs to the month in which it opened, its repair to the month in which it closed, its time to the
months in which it lay. So none is counted twice and none is lost between two months: what is open at the
month's end carries over with the same id. Each figure is there by two clocks: all time, and service time.
Time that is excluded runs on neither (a repairer who was not let in does not repair).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from collector.sla.availability import share
from collector.sla.rank import MEDIAN, P80, P95, nearest_rank
from collector.sla.slotset import SlotSet
from collector.sla.verdict import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Interruption:
    """One outage that is the operator's.

    Attributes:
        id: the same in every month it touches.
        first: the slot in which it opened.
        end: the slot in which it closed, which does not belong to it; None while it lasts.
    """

    id: str
    first: int
    end: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RepairTarget:
    """So many of the repairs must be done within so many slots.

    Attributes:
        by_service_clock: whether the slots are those of service time.
    """

    within_slots: int
    share_ratio: Fraction = Fraction(4, 5)
    by_service_clock: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """Figures by one clock, in slots (minutes).

    Attributes:
        observed: slots of the month that run on this clock.
        down: of these, how many lay in an outage.
        repairs: lengths of the outages that closed in the month, ascending; the whole of each. Where
            none of it ran on this clock there was nothing to repair: nights do not make days look better.
        between: MTBF, (observed - down) / outages opened that took something of this clock.
    """

    observed: int
    down: int
    repairs: tuple[int, ...]
    between: Fraction | None

    @property
    def mean(self) -> Fraction | None:
        """MTTR: the sum of the repairs, divided by their number."""
        return share(sum(self.repairs), len(self.repairs))

    @property
    def median(self) -> int | None:
        """Half of the repairs took no longer."""
        return nearest_rank(self.repairs, MEDIAN)

    @property
    def p80(self) -> int | None:
        """The fastest 80 % took no longer (ETSI EG 202 057-1)."""
        return nearest_rank(self.repairs, P80)

    @property
    def p95(self) -> int | None:
        """The fastest 95 % took no longer (ETSI EG 202 057-1)."""
        return nearest_rank(self.repairs, P95)


@dataclass(frozen=True, kw_only=True, slots=True)
class RepairFigures:
    """Outages and repairs of one school's month.

    Attributes:
        opened: ids of the outages that opened in the month: they are its count.
        closed: ids of those that closed in it.
        carried_in: ids of those that were open when it began.
        carried_out: ids of those that are open at its end.
        overdue: of the latter, those that are open for longer than the target allows.
        within: how many repairs were within the target; None without one.
    """

    opened: tuple[str, ...]
    closed: tuple[str, ...]
    carried_in: tuple[str, ...]
    carried_out: tuple[str, ...]
    overdue: tuple[str, ...]
    wall: Clock
    service: Clock
    within: int | None
    target: RepairTarget | None
    verdict: Verdict | None

    @property
    def count(self) -> int:
        """Outages of the month."""
        return len(self.opened)

    @property
    def within_share(self) -> Fraction | None:
        """`within` of the repairs by the target's clock."""
        if self.within is None or self.target is None:
            return None
        clock = self.service if self.target.by_service_clock else self.wall
        return share(self.within, len(clock.repairs))


def judge_repairs(
    outages: Iterable[Interruption],
    month: SlotSet,
    service: SlotSet,
    excluded: SlotSet,
    target: RepairTarget | None,
    *,
    is_complete: bool,
) -> RepairFigures:
    """Figures and verdict.

    Args:
        outages: any order; those that do not touch the month are passed over.
        month: its slots, one span.
        service: service time, from the begin of the earliest outage on.
        excluded: excluded time, likewise.
        target: what is promised.
        is_complete: whether every slot that counts is known; unknown ones may hide an outage.
    """
    first, end = (month.spans[0][0], month.spans[-1][1]) if month.spans else (0, 0)
    known = sorted((o for o in outages if _touches(o, first, end)), key=lambda o: (o.first, o.id))
    opened = [o for o in known if first <= o.first]
    closed = [o for o in known if o.end is not None and o.end <= end]
    lasting = [o for o in known if o.end is None or o.end > end]

    def by(clock: Ticks) -> Clock:
        return _clock(known, opened, closed, month=month, clock=clock)

    wall, served = _wall(excluded), _served(service, excluded)
    ticks = served if target is not None and target.by_service_clock else wall
    overdue = [o for o in lasting if target and len(ticks(_span(o, end))) > target.within_slots]
    repairs = _repairs(closed, end, ticks)
    within = sum(length <= target.within_slots for length in repairs) if target else None
    return RepairFigures(
        opened=_ids(opened),
        closed=_ids(closed),
        carried_in=_ids(o for o in known if o.first < first),
        carried_out=_ids(lasting),
        overdue=_ids(overdue),
        wall=by(wall),
        service=by(served),
        within=within,
        target=target,
        verdict=_verdict(within, len(repairs), len(overdue), target, is_complete=is_complete),
    )


Ticks = Callable[[SlotSet], SlotSet]
"""Which of some slots run on a clock."""


def _wall(excluded: SlotSet) -> Ticks:
    return lambda slots: slots - excluded


def _served(service: SlotSet, excluded: SlotSet) -> Ticks:
    return lambda slots: (slots & service) - excluded


def _touches(outage: Interruption, first: int, end: int) -> bool:
    return outage.first < end and (outage.end is None or outage.end > max(first, outage.first))


def _span(outage: Interruption, until: int) -> SlotSet:
    return SlotSet.of([(outage.first, until if outage.end is None else min(outage.end, until))])


def _ids(outages: Iterable[Interruption]) -> tuple[str, ...]:
    return tuple(o.id for o in outages)


def _clock(
    known: Sequence[Interruption],
    opened: Sequence[Interruption],
    closed: Sequence[Interruption],
    *,
    month: SlotSet,
    clock: Ticks,
) -> Clock:
    until = month.spans[-1][1] if month.spans else 0
    observed = clock(month)
    down = SlotSet.of(span for o in known for span in _span(o, until).spans) & observed
    failures = sum(1 for o in opened if clock(_span(o, until)))
    return Clock(
        observed=len(observed),
        down=len(down),
        repairs=_repairs(closed, until, clock),
        between=share(len(observed) - len(down), failures),
    )


def _repairs(closed: Iterable[Interruption], until: int, clock: Ticks) -> tuple[int, ...]:
    lengths = (len(clock(_span(o, until))) for o in closed)
    return tuple(sorted(length for length in lengths if length))


def _verdict(
    within: int | None, closed: int, overdue: int, target: RepairTarget | None, *, is_complete: bool
) -> Verdict | None:
    if target is None or within is None:
        return None
    if not closed + overdue:
        return Verdict.MET if is_complete else Verdict.INDETERMINATE
    if within < target.share_ratio * closed:
        return Verdict.BREACHED
    return Verdict.MET if within >= target.share_ratio * (closed + overdue) else Verdict.INDETERMINATE
