# SPDX-License-Identifier: Apache-2.0
"""Which tables go with a report? Their columns are the names of the figures, the same in every language.

Times are RFC 3339 in UTC. Minutes are slots. Each ratio stands beside the counts that it is made of.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from collector.reports.change import Change
from collector.reports.model import Figures, SchoolMonth
from collector.reports.sheet import DIALECTS, Cell, sheet
from collector.sla.assessment import Penalty, PenaltyTotal
from collector.sla.availability import Counts
from collector.sla.latency import LatencyFigures
from collector.sla.throughput import ThroughputFigures

Row = Mapping[str, Cell]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CLASSES = ("up", "degraded", "down_provider", "down_other", "unknown")
_SHARES = ("availability", "pupils_availability", "coverage", "lower", "upper")


def sheets(figures: Figures, changes: Sequence[Change]) -> dict[str, bytes]:
    """Every table in both dialects, by its path."""
    made = {name: list(rows(figures)) for name, rows in TABLES.items()}
    made["changes"] = [dataclasses.asdict(change) for change in changes]
    return {
        f"{folder}/{name}.csv": sheet(COLUMNS[name], rows, dialect)
        for folder, dialect in DIALECTS.items()
        for name, rows in made.items()
    }


def _schools(figures: Figures) -> Iterator[Row]:
    for s in figures.schools:
        times = {
            "service": s.service,
            "service_whole": s.service_whole,
            "around": s.around,
            "always": s.always,
        }
        yield {
            **_label(s),
            "contract": s.contract,
            "lot": s.figures.lot if s.figures else None,
            "students": s.figures.students if s.figures else None,
            "target_ratio": s.target,
            "verdict": s.verdict,
            "excluded_minutes": s.excluded,
            "high_loss_minutes": s.high_loss_minutes,
            "lost_to_pupils_minutes": s.service_whole.lost_to_pupils,
            **{
                f"{time}_{key}": cell
                for time, counts in times.items()
                for key, cell in _counts(counts).items()
            },
            "giga_class": s.figures.giga_class if s.figures else None,
        }


def _days(figures: Figures) -> Iterator[Row]:
    for s in figures.schools:
        for day in s.days:
            yield {"school": s.school, "day": day.day.isoformat(), **_counts(day.counts)}


def _lost(figures: Figures) -> Iterator[Row]:
    for s in figures.schools:
        for part in s.lost:
            yield {"school": s.school, **dataclasses.asdict(part)}


def _outages(figures: Figures) -> Iterator[Row]:
    for o in figures.outages:
        yield {
            **{
                key: getattr(o, key)
                for key in COLUMNS["outages"]
                if key not in {"began_at", "ended_at", "evidence"}
            },
            "began_at": stamp(o.began_ms),
            "ended_at": stamp(o.ended_ms),
            "evidence": " ".join(o.evidence),
        }


def _exclusions(figures: Figures) -> Iterator[Row]:
    for line in figures.exclusions:
        e = line.exclusion
        yield {
            "id": e.id,
            "type": e.type.value,
            "scope": e.scope.kind.value,
            "scope_name": e.scope.name,
            "status": e.status.value,
            "from_at": stamp(e.from_ms),
            "to_at": stamp(e.to_ms),
            "declared_at": stamp(e.declared_at_ms),
            "declared_by": e.declared_by,
            "decided_at": stamp(e.decided_at_ms),
            "decided_by": e.decided_by,
            "disputed_by": e.disputed_by,
            "reason": e.reason,
            "rule_ref": e.rule_ref,
            "supersedes": e.supersedes,
            "evidence": " ".join(e.evidence),
            "is_late": line.is_late,
            "refusals": " ".join(line.refusals),
            "schools": line.schools,
            "excluded_minutes": line.service.all,
            **{f"excluded_{key}": getattr(line.service, key) for key in _CLASSES},
        }


def _throughput(figures: Figures) -> Iterator[Row]:
    for s in figures.schools:
        if s.figures is not None:
            for time, results in (("counted", s.figures.counted), ("everything", s.figures.everything)):
                for one in (results.down, results.up):
                    yield {"school": s.school, "time": time, **_tests(one)}


def _tests(one: ThroughputFigures) -> Row:
    low, high = one.interval or (None, None)
    return {
        **{key: getattr(one, key) for key in _TESTS},
        "share_ratio": one.share,
        "wilson_low_ratio": low,
        "wilson_high_ratio": high,
        "target_ratio": one.target,
        "reasons": " ".join(f"{reason}={n}" for reason, n in one.reasons),
        "verdict": one.verdict,
    }


def _standards(figures: Figures) -> Iterator[Row]:
    for s in figures.schools:
        for one in s.figures.standards if s.figures else ():
            yield {
                "school": s.school,
                "name": one.name,
                "required_mbps": one.required_mbps,
                "reached": one.figures.reached if one.figures else None,
                "valid": one.figures.valid if one.figures else None,
                "verdict": one.figures.verdict if one.figures else None,
            }


def _latency(figures: Figures) -> Iterator[Row]:
    for s in figures.schools:
        for version in s.figures.counted.versions if s.figures else ():
            for load, one in (("idle", version.latency.idle), ("loaded", version.latency.loaded)):
                yield {
                    "school": s.school,
                    "since": version.since.isoformat(),
                    "load": load,
                    **_latencies(one),
                }


def _latencies(one: LatencyFigures) -> Row:
    return {**{key: getattr(one, key) for key in _LATENCIES}, "lost_share_ratio": one.lost_share}


def _repair(figures: Figures) -> Iterator[Row]:
    for s in figures.schools:
        if s.figures is None:
            continue
        found = s.figures.counted.repairs
        for name, clock in (("service", found.service), ("wall", found.wall)):
            yield {
                "school": s.school,
                "clock": name,
                "opened": found.count,
                "closed": len(found.closed),
                "carried_in": len(found.carried_in),
                "carried_out": len(found.carried_out),
                "observed_minutes": clock.observed,
                "down_minutes": clock.down,
                "mean_minutes": clock.mean,
                "median_minutes": clock.median,
                "p80_minutes": clock.p80,
                "p95_minutes": clock.p95,
                "between_minutes": clock.between,
                "within": found.within,
                "overdue": len(found.overdue),
                "verdict": found.verdict,
            }


def _penalties(figures: Figures) -> Iterator[Row]:
    for s in figures.schools:
        total = s.figures.counted.penalties if s.figures else None
        if s.figures is None or total is None:
            continue
        each: list[tuple[str, Penalty | PenaltyTotal]] = [(p.rule, p) for p in total.penalties]
        for rule, one in (*each, ("", total)):
            yield {
                "contract": s.figures.contract,
                "school": s.school,
                "rule": rule,
                "fee": s.figures.fee.amount if s.figures.fee else None,
                "amount": one.amount.amount,
                "amount_max": one.amount_max.amount,
                "currency": one.amount.currency,
                "is_capped": one.is_capped,
                "is_indicative": True,
                "legal_ref": getattr(one, "legal_ref", ""),
            }


def _costs(figures: Figures) -> Iterator[Row]:
    for s in figures.schools:
        found = s.figures.costs if s.figures else None
        if found is not None:
            each = {key: getattr(found, key) for key in _COSTS}
            amounts = {key: None if money is None else money.amount for key, money in each.items()}
            yield {"school": s.school, "currency": found.fee.currency, "fee": found.fee.amount, **amounts}


def _comparison(figures: Figures) -> Iterator[Row]:
    for one in figures.strata:
        yield {
            **{key: getattr(one, key) for key in _COMPARED},
            **_counts(one.service),
        }


def _parameters(figures: Figures) -> Iterator[Row]:
    return ({"name": name, "value": value} for name, value in figures.parameters)


def _label(s: SchoolMonth) -> dict[str, Cell]:
    return {key: getattr(s, key) for key in _LABELS}


def _counts(counts: Counts) -> dict[str, Any]:
    each = {f"{key}_minutes": getattr(counts, key) for key in _CLASSES}
    shares = {key if key.endswith("ratio") else f"{key}_ratio": getattr(counts, key) for key in _SHARES}
    return {**each, "good_minutes": counts.good, "attributed_minutes": counts.attributed,
            "all_minutes": counts.all, **shares}  # fmt: skip


def stamp(at_ms: int | None) -> str | None:
    """RFC 3339 in UTC."""
    return None if at_ms is None else (_EPOCH + timedelta(milliseconds=at_ms)).strftime("%Y-%m-%dT%H:%M:%SZ")


_LABELS = ("school", "name", "region", "operator", "technology")
_TESTS = ("direction", "reached", "valid", "tests_min", "suspect", "invalid", "outside", "unpromised",
          "median_mbps", "p10_mbps")  # fmt: skip
_LATENCIES = tuple(f.name for f in dataclasses.fields(LatencyFigures))
_COSTS = ("per_contracted_mbps", "per_delivered_mbps", "per_student", "per_available_hour", "per_usable_hour")
_COMPARED = ("technology", "region", "operator", "n", "mean_ratio", "low_ratio", "high_ratio", "rank")
_COUNTED = tuple(_counts(Counts()))

TABLES: dict[str, Callable[[Figures], Iterable[Row]]] = {
    "schools": _schools,
    "days": _days,
    "lost": _lost,
    "outages": _outages,
    "exclusions": _exclusions,
    "throughput": _throughput,
    "standards": _standards,
    "latency": _latency,
    "repair": _repair,
    "penalties": _penalties,
    "costs": _costs,
    "comparison": _comparison,
    "parameters": _parameters,
}
COLUMNS: dict[str, tuple[str, ...]] = {
    "schools": (
        *_LABELS, "contract", "lot", "students", "target_ratio", "verdict", "excluded_minutes",
        "high_loss_minutes", "lost_to_pupils_minutes",
        *(f"{time}_{key}" for time in ("service", "service_whole", "around", "always") for key in _COUNTED),
        "giga_class",
    ),
    "days": ("school", "day", *_COUNTED),
    "lost": ("school", "slot_class", "cause", "minutes"),
    "outages": (
        "id", "school", "began_at", "ended_at", "slot_class", "cause", "confidence", "service_minutes",
        "wall_minutes", "is_carried_in", "evidence",
    ),
    "exclusions": (
        "id", "type", "scope", "scope_name", "status", "from_at", "to_at", "declared_at", "declared_by",
        "decided_at", "decided_by", "disputed_by", "reason", "rule_ref", "supersedes", "evidence", "is_late",
        "refusals", "schools", "excluded_minutes", *(f"excluded_{key}" for key in _CLASSES),
    ),
    "throughput": (
        "school", "time", *_TESTS, "share_ratio", "wilson_low_ratio", "wilson_high_ratio", "target_ratio",
        "reasons", "verdict",
    ),
    "standards": ("school", "name", "required_mbps", "reached", "valid", "verdict"),
    "latency": ("school", "since", "load", *_LATENCIES, "lost_share_ratio"),
    "repair": (
        "school", "clock", "opened", "closed", "carried_in", "carried_out", "observed_minutes",
        "down_minutes", "mean_minutes", "median_minutes", "p80_minutes", "p95_minutes", "between_minutes",
        "within", "overdue", "verdict",
    ),
    "penalties": (
        "contract", "school", "rule", "fee", "amount", "amount_max", "currency", "is_capped", "is_indicative",
        "legal_ref",
    ),
    "costs": ("school", "currency", "fee", *_COSTS),
    "comparison": (*_COMPARED, *_COUNTED),
    "parameters": ("name", "value"),
    "changes": ("school", "what", "before", "after"),
}  # fmt: skip
