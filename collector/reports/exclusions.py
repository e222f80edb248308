# SPDX-License-Identifier: Apache-2.0
"""What did each exclusion do, over all the schools that it concerns?"""

from __future__ import annotations

from collections.abc import Iterable

from collector.reports.model import ExclusionLine
from collector.sla.availability import Counts
from collector.sla.exclusion import Exclusion
from collector.sla.figures import Effect, MonthFigures


def exclusion_lines(
    exclusions: Iterable[Exclusion], judged: Iterable[MonthFigures]
) -> tuple[ExclusionLine, ...]:
    """One line for each exclusion that touches the month of any school, in the order of time."""
    effects: dict[str, list[Effect]] = {}
    for effect in (e for figures in judged for e in figures.effects):
        effects.setdefault(effect.taken.exclusion.id, []).append(effect)
    known = sorted((e for e in exclusions if e.id in effects), key=lambda e: (e.from_ms, e.id))
    return tuple(_line(exclusion, effects[exclusion.id]) for exclusion in known)


def _line(exclusion: Exclusion, effects: list[Effect]) -> ExclusionLine:
    return ExclusionLine(
        exclusion=exclusion,
        is_late=any(e.taken.is_late for e in effects),
        refusals=tuple(sorted({e.taken.refusal.value for e in effects if e.taken.refusal is not None})),
        schools=len(effects),
        service=sum((e.service for e in effects), start=Counts()),
    )
