# SPDX-License-Identifier: Apache-2.0
"""How do operators compare, only ever within one technology and one region?

Each school counts the same: the mean of the schools' availabilities with Student's interval at 95 %. Fewer
than `LEAST_RANKED` schools make no rank, neither for themselves nor for those they would stand beside.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from itertools import groupby
from math import sqrt

from collector.reports.model import SchoolMonth, Stratum
from collector.sla.availability import Counts

LEAST_RANKED = 5
_T_95 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
"""Student's t at 0.975, by degrees of freedom from 1; beyond, the last one errs on the wide side."""

_Key = tuple[str, str]


def compare(schools: Iterable[SchoolMonth]) -> tuple[Stratum, ...]:
    """Every operator of every technology and region, ranked where that is fair."""
    ordered = sorted(schools, key=lambda s: (*_key(s), s.operator))
    return tuple(
        stratum for _, group in groupby(ordered, _key) for stratum in _ranked(_operators(list(group)))
    )


def _key(school: SchoolMonth) -> _Key:
    return school.technology, school.region


def _operators(schools: Sequence[SchoolMonth]) -> list[Stratum]:
    return [_stratum(list(group)) for _, group in groupby(schools, lambda s: s.operator)]


def _stratum(schools: Sequence[SchoolMonth]) -> Stratum:
    known = [float(s.service.availability) for s in schools if s.service.availability is not None]
    mean = sum(known) / len(known) if known else None
    low, high = _interval(known)
    return Stratum(
        technology=schools[0].technology,
        region=schools[0].region,
        operator=schools[0].operator,
        n=len(known),
        service=sum((s.service for s in schools), start=Counts()),
        mean_ratio=mean,
        low_ratio=low,
        high_ratio=high,
    )


def _interval(values: Sequence[float]) -> tuple[float, float] | tuple[None, None]:
    n = len(values)
    if n < 2:  # noqa: PLR2004 - one school has no spread
        return None, None
    mean = sum(values) / n
    spread = sqrt(sum((v - mean) ** 2 for v in values) / (n - 1))
    half = _T_95[min(n - 1, len(_T_95)) - 1] * spread / sqrt(n)
    return max(0.0, mean - half), min(1.0, mean + half)


def _ranked(operators: list[Stratum]) -> list[Stratum]:
    if len(operators) == 1 or any(o.n < LEAST_RANKED for o in operators):
        return operators
    means = sorted((o.mean_ratio or 0.0 for o in operators), reverse=True)
    return [dataclasses.replace(o, rank=means.index(o.mean_ratio or 0.0) + 1) for o in operators]
