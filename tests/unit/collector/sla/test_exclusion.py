# SPDX-License-Identifier: Apache-2.0
"""Do two people agree before time stops counting, and is nothing ever lost of what they said?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collector.sla.allowance import ExclusionRule, Refusal, take
from collector.sla.exclusion import (
    Act,
    ActRefused,
    Exclusion,
    ExclusionType,
    Scope,
    ScopeKind,
    Status,
    Verb,
    fold,
    in_force,
)
from collector.sla.slotset import SlotSet
from tests.unit.collector.sla.school import ms, slot

FROM, TO = ms("2026-11-05T02:00:00+05:00"), ms("2026-11-05T04:00:00+05:00")
DAY_MS = 86_400_000
HOUR_MS = 3_600_000
SITE = Scope(kind=ScopeKind.SITE, name="kz-0001")
NOVEMBER = SlotSet.of([(slot("2026-11-01T00:00+05:00"), slot("2026-12-01T00:00+05:00"))])


def exclusion(**changed: Any) -> Exclusion:
    made: dict[str, Any] = {
        "id": "E-1",
        "type": ExclusionType.PLANNED_MAINTENANCE,
        "scope": SITE,
        "from_ms": FROM,
        "to_ms": TO,
        "declared_at_ms": FROM - 4 * DAY_MS,
        "declared_by": "Aliya",
        "reason": "new antenna",
        **changed,
    }
    return Exclusion(**made)


def propose(by: str = "Aliya", *, at: int = 0, **changed: Any) -> Act:
    made = exclusion(**changed)
    return Act(verb=Verb.PROPOSE, id=made.id, by=by, at_ms=at, proposed=made)


def act(verb: Verb, by: str, id_: str = "E-1", reason: str = "because") -> Act:
    return Act(verb=verb, id=id_, by=by, at_ms=1, reason=reason)


def test_it_holds_when_a_second_person_agrees() -> None:
    (made,) = fold([propose(), act(Verb.APPROVE, "Bolat")])

    assert made.status is Status.APPROVED
    assert (made.declared_by, made.approved_by, made.approved_at_ms) == ("Aliya", "Bolat", 1)
    assert in_force([made]) == (made,)


@pytest.mark.parametrize("name", ["Aliya", "aliya", "  ALIYA ", "\uff21liya"])
def test_whoever_proposed_it_may_not_approve_it(name: str) -> None:
    with pytest.raises(ActRefused, match="proposed exclusion 'E-1'; somebody else must decide"):
        fold([propose(), act(Verb.APPROVE, name)])


REFUSED: dict[str, tuple[list[Act], str]] = {
    "unknown": ([act(Verb.APPROVE, "Bolat")], "there is no exclusion 'E-1'"),
    "nobody": ([propose(by=" ")], "who does it must be said"),
    "nothing": ([Act(verb=Verb.PROPOSE, id="E-1", by="A", at_ms=0)], "there is nothing to propose"),
    "twice": ([propose(), propose("Bolat")], "there is an exclusion 'E-1' already; nothing is written over"),
    "own rejection": ([propose(), act(Verb.REJECT, "Aliya")], "somebody else must decide"),
    "approved twice": (
        [propose(), act(Verb.APPROVE, "Bolat"), act(Verb.APPROVE, "Chingiz")],
        "is approved; only a dispute opens it again",
    ),
    "withdrawn by another": ([propose(), act(Verb.WITHDRAW, "Bolat")], "only they withdraw it"),
    "withdrawn late": (
        [propose(), act(Verb.APPROVE, "Bolat"), act(Verb.WITHDRAW, "Aliya")],
        "is approved; it can be disputed",
    ),
    "approved after withdrawal": (
        [propose(), act(Verb.WITHDRAW, "Aliya"), act(Verb.APPROVE, "Bolat")],
        "is withdrawn; only a dispute opens it again",
    ),
    "disputed too early": (
        [propose(), act(Verb.DISPUTE, "Operator")],
        "is proposed; only a decision can be disputed",
    ),
    "dispute without reason": (
        [propose(), act(Verb.APPROVE, "Bolat"), act(Verb.DISPUTE, "Operator", reason=" ")],
        "a dispute needs a reason",
    ),
    "disputed twice": (
        [propose(), act(Verb.APPROVE, "B"), act(Verb.DISPUTE, "Operator"), act(Verb.DISPUTE, "Operator")],
        "is disputed already, by Operator",
    ),
    "decided by the disputer": (
        [propose(), act(Verb.REJECT, "Bolat"), act(Verb.DISPUTE, "Operator"), act(Verb.APPROVE, "operator")],
        "operator disputes exclusion 'E-1'; somebody else must decide",
    ),
    "decided by the proposer": (
        [propose(), act(Verb.REJECT, "Bolat"), act(Verb.DISPUTE, "Operator"), act(Verb.APPROVE, "Aliya")],
        "Aliya proposed exclusion 'E-1'",
    ),
    "supersedes nothing": ([propose(supersedes="E-0")], "it supersedes 'E-0', which there is not"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_nobody_may_do_is_refused_with_its_reason(case: str) -> None:
    acts, sentence = REFUSED[case]
    with pytest.raises(ActRefused) as raised:
        fold(acts)

    assert sentence in str(raised.value)


def test_a_dispute_marks_the_decision_and_a_new_one_ends_it() -> None:
    acts = [propose(), act(Verb.APPROVE, "Bolat"), act(Verb.DISPUTE, "Operator", reason="it was ours")]
    (disputed,) = fold(acts)
    (settled,) = fold([*acts, act(Verb.REJECT, "Dana")])

    assert disputed.is_disputed
    assert disputed.status is Status.APPROVED  # until somebody decides again
    assert (disputed.disputed_by, disputed.dispute_reason) == ("Operator", "it was ours")
    assert settled.status is Status.REJECTED
    assert not settled.is_disputed
    assert (settled.approved_by, settled.approved_at_ms) == (None, None)


def test_a_newer_one_takes_the_place_of_an_older_only_when_approved() -> None:
    acts = [
        propose(),
        act(Verb.APPROVE, "Bolat"),
        propose(id="E-2", supersedes="E-1", to_ms=TO + HOUR_MS),
    ]
    before = in_force(fold(acts))
    after = in_force(fold([*acts, act(Verb.APPROVE, "Bolat", "E-2")]))

    assert [e.id for e in before] == ["E-1"]
    assert [e.id for e in after] == ["E-2"]


@pytest.mark.parametrize(
    ("scope", "is_covered"),
    [
        (Scope(kind=ScopeKind.ALL), True),
        (SITE, True),
        (Scope(kind=ScopeKind.SITE, name="kz-0002"), False),
        (Scope(kind=ScopeKind.OPERATOR, name="op1"), True),
        (Scope(kind=ScopeKind.OPERATOR, name="kz-0001"), False),
        (Scope(kind=ScopeKind.REGION, name="turkestan"), True),
        (Scope(kind=ScopeKind.REGION, name="aqtau"), False),
    ],
)
def test_a_scope_covers_whom_it_names(scope: Scope, is_covered: bool) -> None:
    assert scope.covers(school="kz-0001", operator="op1", region="turkestan") is is_covered


@pytest.mark.parametrize(("kind", "name"), [(ScopeKind.ALL, "x"), (ScopeKind.SITE, "")])
def test_a_scope_without_sense_is_refused(kind: ScopeKind, name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        Scope(kind=kind, name=name)


def test_an_exclusion_ends_after_it_begins() -> None:
    with pytest.raises(ValueError, match="ends after it begins"):
        exclusion(to_ms=FROM)


def test_every_minute_it_touches_is_excluded() -> None:
    """02:00:30 to 02:02:01 touches the minutes 02:00, 02:01 and 02:02."""
    made = exclusion(from_ms=FROM + 30_000, to_ms=FROM + 121_000)

    assert made.slots.spans == ((FROM // 60_000, FROM // 60_000 + 3),)


@pytest.mark.parametrize(("before_h", "is_late"), [(73, False), (72, False), (71, True), (-1, True)])
def test_maintenance_needs_72_hours_of_notice_unless_the_contract_says_otherwise(
    before_h: int, is_late: bool
) -> None:
    made = exclusion(declared_at_ms=FROM - before_h * HOUR_MS, status=Status.APPROVED)

    (flagged,) = take([made], {}, NOVEMBER)
    (refused,) = take(
        [made],
        {made.type: ExclusionRule(notice_hours=72, refuses_late=True)},
        NOVEMBER,
    )

    assert (flagged.is_late, len(flagged.slots)) == (is_late, 120)
    assert (refused.refusal, len(refused.slots)) == ((Refusal.LATE, 0) if is_late else (None, 120))


@pytest.mark.parametrize(
    ("changed", "rule", "refusal"),
    [
        ({"status": Status.PROPOSED}, ExclusionRule(), Refusal.NOT_APPROVED),
        ({"status": Status.REJECTED}, ExclusionRule(), Refusal.NOT_APPROVED),
        ({"status": Status.WITHDRAWN}, ExclusionRule(), Refusal.NOT_APPROVED),
        ({"status": Status.APPROVED}, ExclusionRule(is_accepted=False), Refusal.NOT_ACCEPTED),
    ],
)
def test_what_does_not_hold_takes_nothing_out_but_is_shown(
    changed: dict[str, Any], rule: ExclusionRule, refusal: Refusal
) -> None:
    made = exclusion(**changed)

    (taken,) = take([made], {made.type: rule}, NOVEMBER)

    assert taken.refusal is refusal
    assert not taken.slots


def test_one_that_was_superseded_takes_nothing_out() -> None:
    old = exclusion(status=Status.APPROVED)
    new = exclusion(id="E-2", status=Status.APPROVED, supersedes="E-1", from_ms=FROM + HOUR_MS)

    taken = {t.exclusion.id: t for t in take([old, new], {}, NOVEMBER)}

    assert taken["E-1"].refusal is Refusal.SUPERSEDED
    assert len(taken["E-2"].slots) == 60


def test_a_cap_is_used_up_by_the_earliest() -> None:
    """Three hours a month: 2 h are taken whole, of the next 2 h only the first, of the third nothing."""
    rule = {ExclusionType.PLANNED_MAINTENANCE: ExclusionRule(minutes_max=180)}
    made = [
        exclusion(id=f"E-{n}", status=Status.APPROVED, from_ms=FROM + n * DAY_MS, to_ms=TO + n * DAY_MS)
        for n in range(3)
    ]

    taken = take(reversed(made), rule, NOVEMBER)

    assert [len(t.slots) for t in taken] == [120, 60, 0]
    assert [t.refusal for t in taken] == [None, Refusal.CAP, Refusal.CAP]
    assert taken[1].slots.spans[0][0] == (FROM + DAY_MS) // 60_000


def test_minutes_that_two_exclusions_share_use_up_the_cap_once() -> None:
    """02:00-04:00 and 03:00-05:00 are three hours, not four."""
    rule = {ExclusionType.PLANNED_MAINTENANCE: ExclusionRule(minutes_max=180)}
    one = exclusion(status=Status.APPROVED)
    other = exclusion(id="E-2", status=Status.APPROVED, from_ms=FROM + HOUR_MS, to_ms=TO + HOUR_MS)

    assert [(len(t.slots), t.refusal) for t in take([one, other], rule, NOVEMBER)] == [
        (120, None),
        (120, None),
    ]


@pytest.mark.parametrize(("after_days", "is_late"), [(13, False), (15, True)])
def test_a_dispute_after_a_fortnight_is_late(after_days: int, is_late: bool) -> None:
    made = exclusion(
        status=Status.APPROVED,
        decided_at_ms=TO,
        decided_by="Bolat",
        disputed_at_ms=TO + after_days * DAY_MS,
        disputed_by="Operator",
    )

    (taken,) = take([made], {}, NOVEMBER)

    assert taken.is_late_dispute is is_late
    assert len(taken.slots) == 120


def test_what_does_not_touch_the_month_is_passed_over() -> None:
    assert take([exclusion(from_ms=0, to_ms=1, status=Status.APPROVED)], {}, NOVEMBER) == ()


@given(
    st.lists(
        st.sampled_from([propose(), *(act(v, w) for v in list(Verb)[1:] for w in ("Aliya", "B", "C"))]),
        max_size=12,
    )
)
def test_nobody_ever_approves_alone_and_nothing_vanishes(acts: list[Act]) -> None:
    kept: list[Act] = []
    for one in acts:
        try:
            made = fold([*kept, one])
        except ActRefused:
            continue
        kept.append(one)
        assert len(made) == len({a.id for a in kept})
        for e in made:
            assert e.approved_by != "Aliya"
            assert e.status is not Status.APPROVED or e.approved_by
