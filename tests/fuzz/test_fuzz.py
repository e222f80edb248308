# SPDX-License-Identifier: Apache-2.0
"""Does any reader crash or hang on bytes that broke one before, or that a fuzzer finds in a few seconds?"""

from __future__ import annotations

import importlib.util
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.__main__ import fuzz
from tests.fuzz.seeds import CORPUS, seeds
from tests.fuzz.targets import TARGETS

SECONDS = int(os.environ.get("SCHOOLPULSE_FUZZ_SECONDS", "1"))


@pytest.mark.parametrize("target", TARGETS)
def test_known_inputs_break_nothing(target: str) -> None:
    inputs = seeds(target)
    assert inputs
    for data in inputs:
        TARGETS[target](data)


def test_every_corpus_belongs_to_a_target() -> None:
    assert {path.name for path in CORPUS.iterdir()} <= set(TARGETS)
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    print(f"\ncorpus: {len(files)} files, {sum(path.stat().st_size for path in files)} bytes")


@pytest.mark.parametrize("target", TARGETS)
def test_changed_inputs_break_nothing(target: str) -> None:
    inputs = seeds(target)

    @settings(max_examples=60)
    @given(st.sampled_from(inputs), st.integers(0, 10**6), st.integers(0, 8), st.binary(max_size=8))
    def changed(data: bytes, at: int, cut: int, new: bytes) -> None:
        at %= len(data) + 1
        TARGETS[target](data[:at] + new + data[at + cut :])

    changed()


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
@pytest.mark.timeout((5 + SECONDS) * len(TARGETS))
def test_a_short_search_breaks_nothing() -> None:
    outcomes = fuzz(list(TARGETS), SECONDS)
    print(f"\n{sum(o.runs for o in outcomes):,} executions over {len(outcomes)} readers, {SECONDS} s each")
    assert [o.said[-2000:] for o in outcomes if o.failed] == []
