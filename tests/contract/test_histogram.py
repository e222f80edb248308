# SPDX-License-Identifier: Apache-2.0
"""Are a fleet's percentiles, from its schools' counts, within 1 % of those of all its round-trip times?"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.contract.histogram import RELATIVE_ERROR, SMALLEST_MS, Histogram, bucket, count, merge, quantile_ms

QUANTILES = (0, 0.01, 0.25, 0.5, 0.9, 0.95, 0.99, 0.999, 1)
times_ms = st.lists(
    st.one_of(st.floats(SMALLEST_MS, 1e7), st.integers(1, 200_000).map(lambda n: n / 100)), min_size=1
)


def exact_ms(values_ms: Iterable[float], q: float) -> float:
    """The true nearest-rank quantile: the smallest time that a share q of all do not exceed."""
    ascending = sorted(values_ms)
    return next(v for n, v in enumerate(ascending, 1) if n / len(ascending) >= q)


def error(histogram: Histogram, values_ms: list[float], q: float) -> float:
    """How far off the quantile is, as a share of the true one."""
    found_ms = quantile_ms(histogram, q)
    assert found_ms is not None
    return abs(found_ms / exact_ms(values_ms, q) - 1)


@given(times_ms, st.sampled_from(QUANTILES))
def test_a_quantile_is_within_one_per_cent_of_the_true_one(values_ms: list[float], q: float) -> None:
    assert RELATIVE_ERROR == 0.01
    assert error(count(values_ms), values_ms, q) <= RELATIVE_ERROR + 1e-9


@given(st.lists(times_ms, max_size=8), st.randoms())
def test_merged_in_any_order_and_any_grouping_it_is_the_count_of_all(
    parts: list[list[float]], chance: random.Random
) -> None:
    whole = count(itertools.chain.from_iterable(parts))
    counts = [count(part) for part in parts]
    chance.shuffle(counts)
    middle = chance.randint(0, len(counts))
    grouped = (merge(counts[:middle]), (), merge(counts[middle:]))
    assert merge(counts) == merge(grouped) == merge(reversed(grouped)) == merge([whole]) == whole
    assert sum(n for _, n in whole) == sum(map(len, parts))


def _fleet_ms(chance: random.Random) -> list[list[float]]:
    """One slot of 105 schools: fibre, LTE, geostationary; some measure a hundred times as often as others."""
    base_ms = [chance.choice((4.0, 38.0, 612.0)) for _ in range(105)]
    return [
        [
            round(base + chance.lognormvariate(math.log(base / 10), 1.2), 2)
            for _ in range(chance.choice((3, 30, 300)))
        ]
        for base in base_ms
    ]


@pytest.mark.parametrize("seed", range(5))
def test_a_fleets_percentiles_are_those_of_all_its_times_and_not_of_its_schools_percentiles(
    seed: int,
) -> None:
    schools = _fleet_ms(random.Random(seed))
    every_ms = [time for times in schools for time in times]
    merged = merge(map(count, schools))
    assert max(error(merged, every_ms, q) for q in QUANTILES) <= RELATIVE_ERROR
    averaged_ms = sum(exact_ms(times, 0.95) for times in schools) / len(schools)
    assert abs(averaged_ms / exact_ms(every_ms, 0.95) - 1) > 0.05


def test_nothing_has_no_quantile() -> None:
    assert count([]) == merge([]) == merge([(), ()]) == ()
    assert [quantile_ms((), q) for q in QUANTILES] == [None] * len(QUANTILES)


@pytest.mark.parametrize("value_ms", [SMALLEST_MS, 0.01, 1, 60_000, 86_400_000, 1e12])
def test_one_time_is_every_quantile_of_itself(value_ms: float) -> None:
    (only,) = {quantile_ms(count([value_ms]), q) for q in QUANTILES}
    assert only is not None
    assert only == pytest.approx(value_ms, rel=RELATIVE_ERROR + 1e-9)


def test_times_too_short_to_be_true_fall_into_the_smallest_bucket() -> None:
    assert {bucket(value_ms) for value_ms in (-5, 0, 1e-9, SMALLEST_MS)} == {bucket(1e-4)}


def test_a_boundary_belongs_to_the_bucket_below_it() -> None:
    gamma = 1.01 / 0.99
    assert [bucket(gamma**i) for i in range(-400, 900)] == list(range(-400, 900))
    assert [bucket(gamma**i * (1 + 1e-6)) for i in range(-400, 900)] == list(range(-399, 901))


def test_counts_of_a_century_are_no_less_exact() -> None:
    small, large = bucket(20), bucket(600)
    century = merge([((small, 10**12), (large, 10**12))] * 3)
    assert century == ((small, 3 * 10**12), (large, 3 * 10**12))
    assert [round(quantile_ms(century, q) or 0, -1) for q in (0.5, 0.500001)] == [20, 600]
