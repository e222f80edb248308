# SPDX-License-Identifier: Apache-2.0
"""What people do about exclusions, as most tests have it."""

from __future__ import annotations

from collector.sla.exclusion import Act, Exclusion, ExclusionType, Scope, ScopeKind, Verb
from tests.unit.collector.sla.school import ms


def proposal(id_: str = "E-0001", by: str = "Әлия", **changed: object) -> Act:
    exclusion = Exclusion(
        id=id_,
        type=ExclusionType.POWER,
        scope=Scope(kind=ScopeKind.SITE, name="kz-0001"),
        from_ms=ms("2026-11-05T02:00+05:00"),
        to_ms=ms("2026-11-05T04:00+05:00"),
        declared_at_ms=ms("2026-11-05T09:00+05:00"),
        declared_by=by,
        reason="no power in the village",
        evidence=("act-17.pdf", "kz-0001/s1/300"),
        rule_ref="5.1",
        **changed,  # type: ignore[arg-type]
    )
    return Act(
        verb=Verb.PROPOSE,
        id=id_,
        by=by,
        at_ms=exclusion.declared_at_ms,
        reason=exclusion.reason,
        proposed=exclusion,
    )


def act(verb: Verb, by: str, id_: str = "E-0001", reason: str = "") -> Act:
    return Act(verb=verb, id=id_, by=by, at_ms=ms("2026-11-06T09:00+05:00"), reason=reason)
