# SPDX-License-Identifier: Apache-2.0
"""Which figures follow from evidence and configuration? `close` writes them, `verify` checks them."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

from collector.evidence.configuration import Configuration
from collector.evidence.judging import JudgedSchool, judge_schools
from collector.reports.compare import LEAST_RANKED, compare
from collector.reports.exclusions import exclusion_lines
from collector.reports.model import Figures
from collector.sla.parameters import STANDARD, Parameters
from collector.sla.period import Month
from collector.sla.promise import Promise
from collector.sla.slot import SLOT_MS, SLOT_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A month.

    Attributes:
        slots: class of each slot of each school, as runs.
        records: how many records of the month each school has.
        data_sha256: of all that the records of the month say, and of the slots.
    """

    figures: Figures
    slots: dict[str, str]
    records: dict[str, int]
    data_sha256: str


def count(journal: Path, configuration: Configuration, month: Month) -> Counted:
    """Judge every school and put the month together."""
    judged = list(judge_schools(journal, configuration, month))
    schools = tuple(school for one in judged for school in one.schools)
    first, end = month.slots(configuration.zone).spans[0]
    figures = Figures(
        month=str(month),
        zone=configuration.zone.key,
        from_ms=first * SLOT_MS,
        to_ms=end * SLOT_MS,
        parameters=_parameters(configuration),
        schools=schools,
        outages=tuple(
            sorted((o for one in judged for o in one.outages), key=lambda o: (o.began_ms, o.school, o.id))
        ),
        exclusions=exclusion_lines(
            configuration.exclusions, [s.figures for s in schools if s.figures is not None]
        ),
        strata=compare(schools),
    )
    return Counted(
        figures=figures,
        slots={one.id: one.slots for one in judged},
        records={one.id: one.records for one in judged},
        data_sha256=_data_sha256(judged),
    )


def _data_sha256(judged: Iterable[JudgedSchool]) -> str:
    lines = (f"{one.id} {one.records} {one.data_sha256}\n" for one in judged)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _parameters(configuration: Configuration) -> tuple[tuple[str, str], ...]:
    """Every number of the definitions, with all the values that some contract gives it."""
    promises = [
        stretch.promise
        for school in configuration.registry.schools()
        for contract in configuration.contracts.of(school.id)
        for stretch in contract.stretches
    ]
    found: dict[str, set[str]] = {"slot_s": {str(SLOT_S)}, "least_ranked": {str(LEAST_RANKED)}}
    for name in (f.name for f in dataclasses.fields(Parameters)):
        values = {_said(getattr(p.parameters, name)) for p in promises}
        found[name] = values or {_said(getattr(STANDARD, name))}
    for promise in promises:
        for name, value in _targets(promise):
            found.setdefault(name, set()).add(_said(value))
    return tuple((name, " | ".join(sorted(values))) for name, values in found.items())


def _targets(promise: Promise) -> Iterable[tuple[str, Any]]:
    yield "availability", promise.availability
    for name in ("throughput", "latency", "repair"):
        target = getattr(promise, name)
        if target is not None:
            for f in dataclasses.fields(target):
                yield f"{name}.{f.name}", getattr(target, f.name)


def _said(value: Any) -> str:
    if isinstance(value, frozenset):
        return " ".join(sorted(str(one) for one in value))
    if isinstance(value, Fraction):
        exact = Decimal(value.numerator) / Decimal(value.denominator)
        return f"{exact:f}"
    return "–" if value is None else str(value)
