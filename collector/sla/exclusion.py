# SPDX-License-Identifier: Apache-2.0
"""Which time does not count, who said so, and who agreed?

Nothing is ever deleted. People act; an exclusion is what their acts, in order, have made of it. Whoever
proposed it may not approve it, and after a dispute neither of the two who disagree may decide.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from collector.sla.slot import SLOT_MS
from collector.sla.slotset import SlotSet


class ExclusionType(StrEnum):
    """Why time does not count."""

    PLANNED_MAINTENANCE = "planned_maintenance"
    FORCE_MAJEURE = "force_majeure"
    POWER = "power"
    CUSTOMER_SIDE = "customer_side"
    ACCESS_REFUSED = "access_refused"
    MEASUREMENT_FAULT = "measurement_fault"


class ScopeKind(StrEnum):
    """Whom it concerns."""

    SITE = "site"
    OPERATOR = "operator"
    REGION = "region"
    ALL = "all"


class Status(StrEnum):
    """How far it got."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class Verb(StrEnum):
    """What somebody did."""

    PROPOSE = "propose"
    APPROVE = "approve"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    DISPUTE = "dispute"


class ActRefused(ValueError):
    """Somebody may not do that, or not now; the sentence says why and who or what would be right."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """Whom it concerns; `name` is the school, operator or region, empty for all."""

    kind: ScopeKind
    name: str = ""

    def __post_init__(self) -> None:
        """A name says which, and all have none."""
        if (self.kind is ScopeKind.ALL) != (not self.name):
            raise ValueError(f"scope {self.kind} {'has no' if self.name else 'needs a'} name")

    def covers(self, *, school: str, operator: str, region: str) -> bool:
        """Whether it concerns a school."""
        names = {ScopeKind.SITE: school, ScopeKind.OPERATOR: operator, ScopeKind.REGION: region}
        return self.kind is ScopeKind.ALL or names[self.kind] == self.name


@dataclass(frozen=True, kw_only=True, slots=True)
class Exclusion:
    """Time that does not count, once it is approved.

    Attributes:
        from_ms: when it begins; Unix time in milliseconds.
        to_ms: when it is over.
        evidence: where the proof is: documents, record ids.
        rule_ref: the clause of the contract.
        supersedes: id of the one it takes the place of as soon as it is approved.
        decided_by: who approved or rejected it last.
        disputed_by: who does not accept that; None when nobody does, or it was decided again.
    """

    id: str
    type: ExclusionType
    scope: Scope
    from_ms: int
    to_ms: int
    declared_at_ms: int
    declared_by: str
    reason: str
    evidence: tuple[str, ...] = ()
    rule_ref: str = ""
    supersedes: str | None = None
    status: Status = Status.PROPOSED
    decided_at_ms: int | None = None
    decided_by: str | None = None
    disputed_at_ms: int | None = None
    disputed_by: str | None = None
    dispute_reason: str | None = None

    def __post_init__(self) -> None:
        """Refuse what excludes nothing."""
        if self.from_ms >= self.to_ms:
            raise ValueError("an exclusion ends after it begins")

    @property
    def approved_at_ms(self) -> int | None:
        """When it was approved, while it is."""
        return self.decided_at_ms if self.status is Status.APPROVED else None

    @property
    def approved_by(self) -> str | None:
        """Who approved it, while it is."""
        return self.decided_by if self.status is Status.APPROVED else None

    @property
    def is_disputed(self) -> bool:
        """Whether somebody does not accept the decision."""
        return self.disputed_by is not None

    @property
    def slots(self) -> SlotSet:
        """Every slot it touches: a minute in which work was done proves nothing."""
        return SlotSet.of([(self.from_ms // SLOT_MS, -(-self.to_ms // SLOT_MS))])

    def is_retroactive(self, notice_ms: int) -> bool:
        """Whether it was declared later than the notice the contract asks for."""
        return self.declared_at_ms > self.from_ms - notice_ms


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """What somebody did about an exclusion, and when.

    Attributes:
        proposed: the exclusion as proposed; only with `propose`.
    """

    verb: Verb
    id: str
    by: str
    at_ms: int
    reason: str = ""
    proposed: Exclusion | None = field(default=None)


def apply(exclusions: Mapping[str, Exclusion], act: Act) -> Exclusion:
    """The exclusion after an act.

    Raises:
        ActRefused: nobody, or not this person, may do that now.
    """
    if not act.by.strip():
        raise ActRefused("who does it must be said")
    if act.verb is Verb.PROPOSE:
        return _propose(exclusions, act)
    if act.id not in exclusions:
        raise ActRefused(f"there is no exclusion {act.id!r}")
    return _NEXT[act.verb](exclusions[act.id], act)


def fold(acts: Iterable[Act]) -> tuple[Exclusion, ...]:
    """What a whole ledger says, in the order of proposals.

    Raises:
        ActRefused: one of them was not allowed.
    """
    made: dict[str, Exclusion] = {}
    for act in acts:
        made[act.id] = apply(made, act)
    return tuple(made.values())


def in_force(exclusions: Iterable[Exclusion]) -> tuple[Exclusion, ...]:
    """Those that are approved and whose place no other approved one has taken."""
    approved = [e for e in exclusions if e.status is Status.APPROVED]
    replaced = {e.supersedes for e in approved}
    return tuple(e for e in approved if e.id not in replaced)


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's: case, spaces and ways of writing a letter aside."""
    return _plain(one) == _plain(other)


def _plain(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _propose(exclusions: Mapping[str, Exclusion], act: Act) -> Exclusion:
    if act.proposed is None:
        raise ActRefused("there is nothing to propose")
    if act.id in exclusions:
        raise ActRefused(f"there is an exclusion {act.id!r} already; nothing is written over")
    replaced = act.proposed.supersedes
    if replaced is not None and replaced not in exclusions:
        raise ActRefused(f"it supersedes {replaced!r}, which there is not")
    return replace(act.proposed, id=act.id, declared_by=act.by, declared_at_ms=act.at_ms)


def _decide(exclusion: Exclusion, act: Act, status: Status) -> Exclusion:
    is_open = exclusion.status is Status.PROPOSED
    if not is_open and not exclusion.is_disputed:
        raise ActRefused(f"exclusion {exclusion.id!r} is {exclusion.status}; only a dispute opens it again")
    if same_person(act.by, exclusion.declared_by):
        raise ActRefused(f"{act.by} proposed exclusion {exclusion.id!r}; somebody else must decide")
    if exclusion.disputed_by is not None and same_person(act.by, exclusion.disputed_by):
        raise ActRefused(f"{act.by} disputes exclusion {exclusion.id!r}; somebody else must decide")
    return replace(
        exclusion,
        status=status,
        decided_at_ms=act.at_ms,
        decided_by=act.by,
        disputed_at_ms=None,
        disputed_by=None,
        dispute_reason=None,
    )


def _approve(exclusion: Exclusion, act: Act) -> Exclusion:
    return _decide(exclusion, act, Status.APPROVED)


def _reject(exclusion: Exclusion, act: Act) -> Exclusion:
    return _decide(exclusion, act, Status.REJECTED)


def _withdraw(exclusion: Exclusion, act: Act) -> Exclusion:
    if not same_person(act.by, exclusion.declared_by):
        raise ActRefused(
            f"{exclusion.declared_by} proposed exclusion {exclusion.id!r}; only they withdraw it"
        )
    if exclusion.status is not Status.PROPOSED:
        raise ActRefused(f"exclusion {exclusion.id!r} is {exclusion.status}; it can be disputed")
    return replace(exclusion, status=Status.WITHDRAWN)


def _dispute(exclusion: Exclusion, act: Act) -> Exclusion:
    if exclusion.status not in (Status.APPROVED, Status.REJECTED):
        raise ActRefused(f"exclusion {exclusion.id!r} is {exclusion.status}; only a decision can be disputed")
    if exclusion.is_disputed:
        raise ActRefused(f"exclusion {exclusion.id!r} is disputed already, by {exclusion.disputed_by}")
    if not act.reason.strip():
        raise ActRefused("a dispute needs a reason")
    return replace(exclusion, disputed_at_ms=act.at_ms, disputed_by=act.by, dispute_reason=act.reason)


_NEXT = {
    Verb.APPROVE: _approve,
    Verb.REJECT: _reject,
    Verb.WITHDRAW: _withdraw,
    Verb.DISPUTE: _dispute,
}
