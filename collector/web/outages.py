# SPDX-License-Identifier: Apache-2.0
"""Which outages does a school's device tell of, and does one last?

Each is told several times, and the highest revision holds. One that was never told to have ended lasts only
as long as nothing newer speaks against it: an anchor that answered, or a new start of the agent.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.contract.kinds import Event, Outage, Reach
from collector.web.view import Stored


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageTold:
    """One outage; `end_ms` is None where its end is not known."""

    start_ms: int
    end_ms: int | None
    is_ongoing: bool
    scope: str
    cause: str | None
    opened_resolution_s: float | None
    closed_resolution_s: float | None
    evidence: str | None


def outages(
    found: Sequence[Stored], reach: Iterable[Stored] = (), events: Iterable[Stored] = ()
) -> tuple[OutageTold, ...]:
    """Newest first."""
    newest: dict[tuple[str, str], tuple[Stored, Outage]] = {}
    for stored in found:
        fields = stored.fields
        if isinstance(fields, Outage):
            key = (stored.device, fields.outage or f"{stored.session}/{stored.seq}")
            known = newest.get(key)
            if known is None or (fields.revision or 0) >= (known[1].revision or 0):
                newest[key] = (stored, fields)
    started_ms = max((s.at_ms for s in events if _is_start(s)), default=0)
    up_ms = max((s.at_ms for s in reach if isinstance(s.fields, Reach) and s.fields.up), default=0)
    refuted_ms = {"link": max(started_ms, up_ms)}
    told = [
        _told(stored, fields, refuted_ms.get(fields.scope, started_ms)) for stored, fields in newest.values()
    ]
    told.sort(key=lambda o: o.start_ms, reverse=True)
    # A device has one outage at a time, so only the newest can last.
    return tuple(dataclasses.replace(o, is_ongoing=o.is_ongoing and i == 0) for i, o in enumerate(told))


def _told(stored: Stored, fields: Outage, refuted_ms: int) -> OutageTold:
    lasted_s = fields.lasted_s
    is_closed = fields.ongoing is False and lasted_s is not None
    return OutageTold(
        start_ms=stored.at_ms,
        end_ms=stored.at_ms + round((lasted_s or 0) * 1000) if is_closed else None,
        is_ongoing=bool(fields.ongoing) and refuted_ms <= stored.at_ms,
        scope=fields.scope,
        cause=fields.cause,
        opened_resolution_s=fields.opened_resolution_s,
        closed_resolution_s=fields.closed_resolution_s,
        evidence=fields.evidence,
    )


def _is_start(stored: Stored) -> bool:
    return isinstance(stored.fields, Event) and stored.fields.event == "agent_started"
