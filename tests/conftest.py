# SPDX-License-Identifier: Apache-2.0
"""What holds for every test: nothing leaves this machine, and what was not tested is said aloud."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from tests.setup import loopback, parts

# A red build is red again with the same tree; `search` is for an evening's hunt.
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.register_profile("dev", deadline=None)
hypothesis.settings.register_profile("search", deadline=None, max_examples=20_000)
hypothesis.settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "dev"),
)

untested: Counter[str] = Counter()
STATE = Path("/var/lib/schoolpulse")
"""Where an installation keeps its own: a test that writes there would break the next one."""


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or in CI fail, a test whose real part is not installed or which needs rights not given."""
    missing = parts.missing(item)
    if missing and os.environ.get("CI"):
        pytest.fail(f"CI has every part, but here: {missing}", pytrace=False)
    if missing:
        pytest.skip(missing)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count skipped tests by reason."""
    if report.skipped and isinstance(report.longrepr, tuple):
        untested[str(report.longrepr[2]).removeprefix("Skipped: ")] += 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was not tested."""
    for reason, count in untested.most_common():
        terminalreporter.write_line(f"NOT TESTED ({count}): {reason}", yellow=True, bold=True)


@pytest.fixture(autouse=True)
def _nothing_leaves_this_machine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a test that reaches for another machine; a `root` test has a network of its own."""
    if request.node.get_closest_marker("root"):
        yield
        return
    with loopback.only() as attempts:
        yield
    assert not attempts, f"a test wanted to reach {', '.join(attempts)}"


@pytest.fixture(autouse=True)
def _no_state_of_an_installation_is_made() -> Iterator[None]:
    """Fail a test during which this machine's own state came to be."""
    before = STATE.exists()
    yield
    assert before or not STATE.exists(), f"{STATE} was made: a test, perhaps a neighbour, uses a default path"
