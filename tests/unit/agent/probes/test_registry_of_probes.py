# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from subprocess import run

import pytest

import agent.probes
from agent.contract.decoder import DecodeError, decode
from agent.contract.kinds import KINDS
from agent.probes import PROBES, load
from agent.probes.base import CostsData

FOLDER = Path(agent.probes.__file__).parent


def test_registry_lists_every_file_of_the_folder() -> None:
    assert set(PROBES) == {path.stem for path in FOLDER.glob("*.py")} - {"__init__", "base"}
    assert len(PROBES) >= 5


@pytest.mark.parametrize("name", PROBES)
def test_probe_has_the_name_of_its_line_and_makes_records_of_a_known_kind(name: str) -> None:
    assert load(name).table == name
    assert load(name).kind in KINDS


@pytest.mark.parametrize("kind", PROBES)
def test_probe_says_in_full_what_it_costs_and_does_not_tell(kind: str) -> None:
    text = sys.modules[load(kind).__module__].__doc__ or ""
    assert all(word in text for word in ("How:", "Costs", "Does not tell:"))


@pytest.mark.parametrize("kind", PROBES)
def test_probe_has_a_sentence_for_each_option_and_a_default_within_its_range(kind: str) -> None:
    probe = load(kind)()
    for option in dataclasses.fields(probe):  # type: ignore[arg-type]
        if option.init:
            value, low, high = getattr(probe, option.name), option.metadata["low"], option.metadata["high"]
            assert option.metadata["doc"]
            assert low is None or value >= low
            assert high is None or value <= high


@pytest.mark.parametrize("kind", PROBES)
def test_probe_is_made_from_an_empty_table(kind: str) -> None:
    probe = decode(load(kind), {}, strict=True)
    assert probe == load(kind)()
    assert probe.deadline_s <= probe.every_s


@pytest.mark.parametrize("name", [name for name in PROBES if load(name).kind == "throughput"])
def test_a_throughput_test_keeps_to_what_the_data_plan_leaves(name: str) -> None:
    test = load(name)()

    assert isinstance(test, CostsData)
    most, least = test.estimate_bytes(), test.least_bytes()
    assert 0 < least <= most
    assert test.within(least - 1) is None
    for allowed in (least, (least + most) // 2, most, 10 * most):
        told = test.within(allowed)
        assert told is not None
        assert told.least_bytes() <= told.estimate_bytes() <= min(allowed, most)


def test_unknown_option_is_refused_with_the_nearest() -> None:
    with pytest.raises(DecodeError, match="did you mean 'targets'"):
        decode(load("latency"), {"target": ["gateway"]}, strict=True)


def test_unknown_probe_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="'latncy' is not a known probe; did you mean 'latency'"):
        load("latncy")


def test_registry_imports_no_probe() -> None:
    code = "import sys, agent.probes; print([m for m in sys.modules if m.startswith('agent.probes.')])"
    printed = run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "['agent.probes.base']"
