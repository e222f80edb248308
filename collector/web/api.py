# SPDX-License-Identifier: Apache-2.0
"""What does another program read at `/api/schools.json`?

The overview's filters work here too; the fields are those of `collector.web.fleet.SchoolNow`, plus `strip`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from collector.web.fleet import Fleet, SchoolNow, counts
from collector.web.query import Query
from collector.web.slots import SLOT_MS, stretches

FIELDS = {f.name: str(f.metadata["doc"]) for f in dataclasses.fields(SchoolNow)} | {
    "strip": "the last 24 h as [state, start_ms, end_ms], in slots of slot_s; slots still awaited are absent"
}
"""Each key of a school and its sentence."""

ENVELOPE = {
    "generated_at_ms": "Unix time of the answer",
    "view_age_s": "seconds since everything that was in the store is in the answer; null for not yet",
    "slot_s": "length of a strip's slot",
    "counts": "all schools by state, before any filter",
    "total": "all schools",
    "matching": "schools that match the query",
    "page": "page of the answer, from 1",
    "pages": "how many there are; ask for others with page=",
    "schools": "the schools of this page",
}
"""Each key beside the schools and its sentence."""


def answer(fleet: Fleet, query: Query, *, per_page: int) -> dict[str, object]:
    """One page of schools."""
    everyone = fleet.schools()
    listed = query.order([s for s in everyone if query.matches(s)])
    pages = max(1, -(-len(listed) // per_page))
    page = min(query.page, pages)
    return {
        "generated_at_ms": fleet.now_ms,
        "view_age_s": fleet.view_age_s,
        "slot_s": SLOT_MS // 1000,
        "counts": counts(everyone),
        "total": len(everyone),
        "matching": len(listed),
        "page": page,
        "pages": pages,
        "schools": _plain(fleet, listed[(page - 1) * per_page : page * per_page]),
    }


def _plain(fleet: Fleet, schools: Sequence[SchoolNow]) -> list[dict[str, object]]:
    return [dataclasses.asdict(s) | {"strip": _strip(fleet, s.id)} for s in schools]


def _strip(fleet: Fleet, school_id: str) -> list[tuple[str, int, int]]:
    return [(r.state.value, r.start_ms, r.end_ms) for r in stretches(fleet.strip(school_id), fleet.window)]
