# SPDX-License-Identifier: Apache-2.0
"""What differs between two revisions of a month: which schools, which slots, which numbers?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from collector.reports.change import Change
from collector.reports.plain import flat
from collector.reports.tables import stamp
from collector.sla.slot import SLOT_MS, SlotClass


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How one revision stands, as its files say.

    Attributes:
        figures: `figures.json`.
        slots: `slots.json`: runs of classes, by school.
        records: how many records of the month each school has.
        configuration: SHA-256 of each file of the configuration, by name.
    """

    figures: dict[str, Any]
    slots: Mapping[str, str]
    records: Mapping[str, int]
    configuration: Mapping[str, str]


def difference(before: Standing, after: Standing) -> tuple[Change, ...]:
    """Everything that differs: files first, then records, slots and numbers of each school."""
    found = [*_mapped("configuration", before.configuration, after.configuration)]
    for school in sorted({*before.slots, *after.slots}):
        found += _records(school, before.records.get(school), after.records.get(school))
        found += _slots(school, before.slots.get(school, ""), after.slots.get(school, ""), after.figures)
    return (*found, *_numbers(before.figures, after.figures))


def _mapped(what: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted({*before, *after}):
        was, now = before.get(name, ""), after.get(name, "")
        if was != now:
            yield Change(school="", what=f"{what}/{name}", before=was[:12], after=now[:12])


def _records(school: str, before: int | None, after: int | None) -> Iterator[Change]:
    if before != after:
        yield Change(school=school, what="records", before=_said(before), after=_said(after))


def _slots(school: str, before: str, after: str, figures: Mapping[str, Any]) -> Iterator[Change]:
    """Runs of slots whose class is another now."""
    was, now = expand(before), expand(after)
    size = max(len(was), len(now))
    pairs = zip(was.ljust(size, b"\0"), now.ljust(size, b"\0"), strict=True)
    at = int(figures["from_ms"])
    for (old, new), run in groupby(pairs):
        length = sum(1 for _ in run)
        if old != new:
            what = f"slots {stamp(at)} +{length} min"
            yield Change(school=school, what=what, before=_class(old), after=_class(new))
        at += length * SLOT_MS


def expand(runs: str) -> bytes:
    """The classes that `1x120 3x5` stands for.

    Raises:
        ValueError: it stands for nothing.
    """
    pairs = (run.partition("x") for run in runs.split())
    return b"".join(bytes([int(value)]) * int(n) for value, _, n in pairs)


def _numbers(before: Any, after: Any) -> Iterator[Change]:
    was, now = dict(flat(before)), dict(flat(after))
    for path in dict.fromkeys((*was, *now)):
        if was.get(path) != now.get(path):
            school, what = _owner(path)
            yield Change(school=school, what=what, before=_said(was.get(path)), after=_said(now.get(path)))


def _owner(path: str) -> tuple[str, str]:
    """`schools[kz-1].always.up` is `always.up` of that school."""
    start, bracket, rest = path.partition("[")
    if start == "schools" and bracket:
        school, _, what = rest.partition("]")
        return school, what.removeprefix(".")
    return "", path


def _class(value: int) -> str:
    return SlotClass(value).name.lower()


def _said(value: Any) -> str:
    return "" if value is None else str(value)
