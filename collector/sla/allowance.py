# SPDX-License-Identifier: Apache-2.0
"""Which approved exclusions does a contract accept, and what does each of them take out?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from collector.sla.exclusion import Exclusion, ExclusionType, Status, in_force
from collector.sla.slotset import NO_SLOTS, SlotSet

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS


@dataclass(frozen=True, kw_only=True, slots=True)
class ExclusionRule:
    """What a contract says of one type of exclusion.

    Attributes:
        is_accepted: False where time of this type counts all the same.
        notice_hours: how long before its begin it must be declared.
        refuses_late: whether one that is declared later takes nothing out; else it is only flagged.
        minutes_max: most that all of this type together take out of a month, the earliest first.
        dispute_days: how long after the decision it may be disputed; later disputes are flagged.
    """

    is_accepted: bool = True
    notice_hours: int = 0
    refuses_late: bool = False
    minutes_max: int | None = None
    dispute_days: int = 14

    def is_late(self, exclusion: Exclusion) -> bool:
        """Whether it was declared too late."""
        return exclusion.is_retroactive(self.notice_hours * _HOUR_MS)

    def is_late_dispute(self, exclusion: Exclusion) -> bool:
        """Whether it is disputed, and was so too late."""
        disputed, decided = exclusion.disputed_at_ms, exclusion.decided_at_ms
        if disputed is None or decided is None:
            return False
        return disputed > decided + self.dispute_days * _DAY_MS


STANDARD_RULES: Mapping[ExclusionType, ExclusionRule] = {
    kind: ExclusionRule(notice_hours=72 if kind is ExclusionType.PLANNED_MAINTENANCE else 0)
    for kind in ExclusionType
}
"""Where a contract says nothing."""


class Refusal(StrEnum):
    """Why an exclusion takes nothing out."""

    NOT_APPROVED = "not_approved"
    SUPERSEDED = "superseded"
    NOT_ACCEPTED = "not_accepted"
    LATE = "late"
    CAP = "cap"


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What one exclusion takes out of one school's time.

    Attributes:
        slots: exactly these.
        is_late: declared after the contract's notice: flagged.
        refusal: why it takes nothing out, or not all; None when it does.
    """

    exclusion: Exclusion
    slots: SlotSet
    is_late: bool
    is_late_dispute: bool
    refusal: Refusal | None


def take(
    exclusions: Iterable[Exclusion],
    rules: Mapping[ExclusionType, ExclusionRule],
    time: SlotSet,
    concerns: Callable[[Exclusion], bool] = lambda _: True,
) -> tuple[Taken, ...]:
    """What each exclusion takes out of a time; those that do not touch it are passed over.

    Args:
        exclusions: all there are; one that is about another school may have taken the place of one of ours.
        rules: the contract's.
        time: one month, or the part of it under these rules.
        concerns: whether one is about the school.
    """
    every = tuple(exclusions)
    valid = {e.id for e in in_force(every)}
    used: dict[ExclusionType, SlotSet] = {}
    taken: list[Taken] = []
    for exclusion in sorted(filter(concerns, every), key=lambda e: (e.from_ms, e.id)):
        touched = exclusion.slots & time
        if not touched:
            continue
        rule = rules.get(exclusion.type, STANDARD_RULES[exclusion.type])
        refusal = _refusal(exclusion, rule, is_valid=exclusion.id in valid)
        before = used.get(exclusion.type, NO_SLOTS)
        kept = NO_SLOTS if refusal else _under_cap(touched, before, rule.minutes_max)
        if not refusal and kept != touched:
            refusal = Refusal.CAP
        used[exclusion.type] = before | kept
        taken.append(
            Taken(
                exclusion=exclusion,
                slots=kept,
                is_late=rule.is_late(exclusion),
                is_late_dispute=rule.is_late_dispute(exclusion),
                refusal=refusal,
            )
        )
    return tuple(taken)


def _under_cap(touched: SlotSet, before: SlotSet, minutes_max: int | None) -> SlotSet:
    """What is left of it; minutes that others of its type took out already cost nothing again."""
    if minutes_max is None:
        return touched
    return touched & before | (touched - before).earliest(max(0, minutes_max - len(before)))


def _refusal(exclusion: Exclusion, rule: ExclusionRule, *, is_valid: bool) -> Refusal | None:
    if exclusion.status is not Status.APPROVED:
        return Refusal.NOT_APPROVED
    if not is_valid:
        return Refusal.SUPERSEDED
    if not rule.is_accepted:
        return Refusal.NOT_ACCEPTED
    return Refusal.LATE if rule.refuses_late and rule.is_late(exclusion) else None
