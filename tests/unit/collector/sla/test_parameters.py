# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from collector.sla.cause import SENTENCES, Cause
from collector.sla.parameters import STANDARD, Parameters, StandardTerms, Term


def test_the_defaults_are_those_of_the_definitions() -> None:
    assert (STANDARD.open_after, STANDARD.close_after) == (3, 3)
    assert STANDARD.degraded_rtt_ms is None, "no figure suits a satellite and a fibre"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"open_after": 0}, "open_after 0"),
        ({"close_after": -1}, "close_after -1"),
        ({"degraded_loss_ratio": 1.5}, "degraded_loss_ratio 1.5"),
        ({"degraded_rtt_ms": 0}, "degraded_rtt_ms 0"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        Parameters(**changes)


def test_parameters_never_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        STANDARD.open_after = 5  # type: ignore[misc]


def test_without_a_contract_the_same_holds_for_all_time() -> None:
    assert list(StandardTerms().terms("school-1", 10, 20)) == [Term(10, 20, STANDARD)]


def test_every_cause_has_its_sentence() -> None:
    assert set(SENTENCES) == set(Cause)
