# SPDX-License-Identifier: Apache-2.0
"""With which bytes does a reader crash or hang? Asks a coverage-guided fuzzer (atheris, that is libFuzzer).

    python -m tests.fuzz [TARGET …] [--seconds N] [--keep]

Each target runs in a process of its own; an input that takes 10 s or more than 1 GB counts as a fault and is
kept in build/fuzz. `--keep` adds to tests/fuzz/corpus what reaches code that nothing before reached.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

from tests.fuzz.seeds import CORPUS, TREE, seeds

BUILD = TREE / "build" / "fuzz"
_DONE = re.compile(r"Done (\d+) runs? in (\d+) second")
_COVERED = re.compile(r"cov: (\d+)")
_LONGEST_BYTES = 4096
_KEPT_BYTES = 1024

Line = tuple[str, int]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How one target fared."""

    target: str
    runs: int
    covered: int
    failed: bool
    said: str


def main() -> int:
    """Run the targets asked for; 1 when one of them crashed or hung."""
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415  # only here: --inside imports it instrumented

    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=10, help="for each target (default 10)")
    parser.add_argument("--keep", action="store_true", help="add to the corpus what reaches new code")
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    outcomes = fuzz(options.targets or list(TARGETS), options.seconds)
    for o in outcomes:
        print(
            f"{o.target:18} {o.runs:>10,} executions  {o.covered:>6} edges  {'FAILED' if o.failed else 'ok'}"
        )
        if o.failed:
            print(o.said[-3000:])
    print(f"{'in all':18} {sum(o.runs for o in outcomes):>10,} executions")
    if options.keep:
        for o in outcomes:
            _keep(o.target)
    return int(any(o.failed for o in outcomes))


def fuzz(targets: list[str], seconds: int) -> list[Outcome]:
    """Run targets side by side, one per processor."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(lambda target: _fuzz_one(target, seconds), targets))


def _fuzz_one(target: str, seconds: int) -> Outcome:
    found = BUILD / target
    found.mkdir(parents=True, exist_ok=True)
    for i, data in enumerate(seeds(target)):
        (found / f"seed-{i}").write_bytes(data)
    limits = [f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=1024", f"-max_len={_LONGEST_BYTES}"]
    inside = [sys.executable, "-m", "tests.fuzz.inside", target]
    command = [*inside, *limits, f"-artifact_prefix={BUILD}/{target}-", str(found)]
    # libFuzzer ends without writing what a coverage report would need, so that is not measured.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
    done = subprocess.run(command, cwd=TREE, env=environment, capture_output=True, check=False)
    said = (done.stderr + done.stdout).decode(errors="replace")
    runs, covered = _DONE.search(said), _COVERED.findall(said)
    return Outcome(
        target=target,
        runs=int(runs[1]) if runs else 0,
        covered=int(covered[-1]) if covered else 0,
        failed=done.returncode != 0 or runs is None,
        said=said,
    )


def _keep(target: str) -> None:
    """Keep small inputs that reach lines which no smaller one reaches, nor what is there already."""
    reached: set[Line] = set().union(*(_lines(target, data) for data in seeds(target)))
    (CORPUS / target).mkdir(parents=True, exist_ok=True)
    found = sorted((p.read_bytes() for p in (BUILD / target).iterdir()), key=len)
    for data in found:
        new = set() if len(data) > _KEPT_BYTES else _lines(target, data) - reached
        if new:
            reached |= new
            (CORPUS / target / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)


def _lines(target: str, data: bytes) -> set[Line]:
    """Lines of ours that an input reaches, and from where."""
    from tests.fuzz.targets import TARGETS  # noqa: PLC0415

    reached: set[Line] = set()

    def trace(frame: FrameType, event: str, _argument: object) -> Callable[..., Any] | None:
        name = frame.f_code.co_filename
        if not name.startswith((f"{TREE}/agent", f"{TREE}/collector")):
            return None
        if event == "line":
            reached.add((name, frame.f_lineno))
        return trace

    sys.settrace(trace)
    try:
        TARGETS[target](data)
    finally:
        sys.settrace(None)
    return reached


if __name__ == "__main__":
    sys.exit(main())
