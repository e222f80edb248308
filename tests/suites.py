# SPDX-License-Identifier: Apache-2.0
"""What does `make test` run, how much did each part of it check, and how long did it take?"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

TREE = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
COVERAGE = TREE / "build" / "coverage"
CACHE = TREE / "build" / "pytest"

LINT = (
    ("ruff", "check", "--output-format=concise"),
    ("ruff", "format", "--check"),
    ("mypy",),
    ("lint-imports", "--no-logo"),
)

OUTAGES = ("tests/integration/test_outage_truth.py", "tests/integration/test_outage_filtered.py")
"""They wait for minutes and need little else."""

SUITES: dict[str, tuple[str, ...]] = {
    "unit": (
        "-n",
        "auto",
        "tests/unit",
        "tests/contract",
        "tests/architecture",
        "tests/drivers",
        "tests/powercut",
    ),
    "bed": ("-m", "root", *(f"--ignore={path}" for path in OUTAGES), "tests/integration"),
    "outages": OUTAGES,
    "integration": ("-n", "2", "--dist", "loadfile", "-m", "not root", "tests/integration"),
    "system": ("tests/system",),
    "deploy": ("tests/deploy",),
    "fuzz": ("tests/fuzz",),
}
"""Arguments of pytest by suite."""

STAGES: tuple[tuple[tuple[str, ...], ...], ...] = (
    (("lint",),),
    (("unit",),),
    (("bed", "deploy"), ("integration", "system", "fuzz"), ("outages",)),
)
"""One stage after the other. The lanes of a stage run side by side, since their suites mostly wait; those of
a lane one after the other. What all but the first lane say is shown at their end."""

MOST_AGAIN = 3
"""So many failed tests of a suite run once more when nothing runs beside them: real programs in real time on
two cores now and then miss a deadline. Those that pass then are named at the end as flaky, which is work to
do. A property that failed is tried with the very example again, and fails again."""

CLOSING = re.compile(r"=+ (?P<counts>.*\d+ \w+.*) in [\d.]+s.*=+$")
VERDICT = re.compile(rf"{CLOSING.pattern}|TOTAL\b")
COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped|xfailed|xpassed|deselected|warnings?)")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What one suite said at its end."""

    name: str
    failed: bool
    closing: str
    lasted_s: float
    flaky: tuple[str, ...] = ()


def main() -> int:
    """Run the suites asked for, all of them by default; 0 when every one passed."""
    options = _options()
    for folder in (COVERAGE, CACHE):
        shutil.rmtree(folder, ignore_errors=True)
    COVERAGE.mkdir(parents=True)
    started = time.monotonic()
    outcomes = [o for stage in STAGES for o in _side_by_side(stage, options.suites)]
    outcomes = [_once_more(o) for o in outcomes]
    if set(SUITES) <= set(options.suites):
        outcomes.append(_coverage())
    print("\n".join(_summary(outcomes, time.monotonic() - started)), flush=True)
    return int(any(o.failed for o in outcomes))


def _options() -> argparse.Namespace:
    known = ("lint", *SUITES)
    parser = argparse.ArgumentParser(prog="make test", description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=", ".join(known))
    options = parser.parse_args()
    unknown = set(options.suites) - set(known)
    if unknown:
        parser.error(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    options.suites = options.suites or known
    return options


def _side_by_side(stage: Sequence[Sequence[str]], wanted: Sequence[str]) -> list[Outcome]:
    lanes = [lane for suites in stage if (lane := [name for name in suites if name in wanted])]
    with ThreadPoolExecutor() as pool:
        running = [pool.submit(_lane, lane, is_shown=lane is lanes[0]) for lane in lanes]
        return [outcome for lane in running for outcome in lane.result()]


def _lane(suites: Sequence[str], *, is_shown: bool) -> list[Outcome]:
    return [_lint() if name == "lint" else _pytest(name, is_shown=is_shown) for name in suites]


def _lint() -> Outcome:
    started = time.monotonic()
    broken = [" ".join(command[:2]) for command in LINT if _run(command).failed]
    closing = f"failed: {', '.join(broken)}" if broken else f"{len(LINT)} checks passed"
    return Outcome(name="lint", failed=bool(broken), closing=closing, lasted_s=time.monotonic() - started)


def _pytest(name: str, *, is_shown: bool = True) -> Outcome:
    return _run(_command(name), name=name, is_shown=is_shown)


def _command(name: str) -> tuple[str, ...]:
    return "coverage", "run", "-m", "pytest", "-o", f"cache_dir={CACHE / name}", *SUITES[name]


def _once_more(outcome: Outcome) -> Outcome:
    """The same, unless a few tests failed that pass when nothing runs beside them."""
    failed = _failed_tests(outcome.name) if outcome.failed else ()
    has_ended = CLOSING.match(outcome.closing)
    if not has_ended or not 0 < len(failed) <= MOST_AGAIN:
        return outcome
    again = _run((*_command(outcome.name), "--last-failed", "--randomly-seed=last"), name=outcome.name)
    lasted_s = outcome.lasted_s + again.lasted_s
    if again.failed:
        return dataclasses.replace(outcome, lasted_s=lasted_s)
    return dataclasses.replace(outcome, failed=False, lasted_s=lasted_s, flaky=failed)


def _failed_tests(name: str) -> tuple[str, ...]:
    file = CACHE / name / "v" / "cache" / "lastfailed"
    return tuple(sorted(json.loads(file.read_text()))) if file.exists() else ()


def _coverage() -> Outcome:
    started = time.monotonic()
    combined = _run(("coverage", "combine", "--quiet"))
    report = _run(("coverage", "report"), name="coverage")
    failed = combined.failed or report.failed
    return Outcome(
        name="coverage", failed=failed, closing=report.closing, lasted_s=time.monotonic() - started
    )


def _run(command: Sequence[str], *, name: str = "", is_shown: bool = True) -> Outcome:
    """Run a program of the environment, show its output as it comes or at its end, keep its closing line."""
    shown = [f"\n--- {' '.join(command)}\n"]
    started = time.monotonic()
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
    closing = ""
    with subprocess.Popen(
        [BIN / command[0], *command[1:]],
        cwd=TREE,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as program:
        for line in program.stdout or ():
            shown.append(line)
            if is_shown:
                _show(shown)
            if not VERDICT.match(closing) or VERDICT.match(line):
                closing = line.strip() or closing
    _show(shown)
    lasted_s = time.monotonic() - started
    return Outcome(
        name=name or command[0], failed=program.returncode != 0, closing=closing, lasted_s=lasted_s
    )


def _show(lines: list[str]) -> None:
    """Print what has not been shown yet."""
    print("".join(lines), end="", flush=True)
    lines.clear()


def _summary(outcomes: Sequence[Outcome], lasted_s: float) -> Iterator[str]:
    yield ""
    for outcome in outcomes:
        mark = "FAILED" if outcome.failed else "FLAKY" if outcome.flaky else "ok"
        yield f"{outcome.name:12} {mark:6} {outcome.lasted_s:7.1f} s  {outcome.closing.strip('= ')}"
        yield from (f"{'':12} passed only when run again: {test}" for test in outcome.flaky)
    counts: Counter[str] = Counter()
    for outcome in outcomes:
        for number, word in COUNT.findall(outcome.closing) if CLOSING.match(outcome.closing) else ():
            counts[word] += int(number)
    if counts:
        total = ", ".join(f"{number} {word}" for word, number in counts.items())
        yield f"{f' {total} in {lasted_s:.2f}s ':=^80}"


if __name__ == "__main__":
    sys.exit(main())
