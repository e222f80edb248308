# SPDX-License-Identifier: Apache-2.0
"""Runs benches, prints their figures beside their goals and writes them to build/bench.json.

`make bench`, or `make bench ONLY=name`. A figure that misses its goal is said to; benches fail only when they
cannot measure.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench.figure import Figure

BENCHES: dict[str, str] = {
    "footprint": "tests.bench.footprint",
    "journal": "tests.bench.journal",
    "spool": "tests.bench.spool",
    "wire": "tests.bench.wire",
    "linkbed": "tests.bench.linkbed",
    "latency": "tests.bench.latency",
    "stream": "tests.bench.stream",
    "capacity": "tests.bench.capacity",
    "beside": "tests.bench.beside",
    "outage": "tests.bench.outage",
    "alerts": "tests.bench.alerts",
    "judge": "tests.bench.judge",
    "reflector": "tests.bench.reflector",
    "devices": "tests.bench.devices",
    "heavy": "tests.bench.heavy",
}
OUTPUT = Path("build/bench.json")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all, or the named."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("only", nargs="*", choices=[*BENCHES, []], help="names; all when none is given")
    names = parser.parse_args(arguments).only or list(BENCHES)
    for name in names:
        figures = importlib.import_module(BENCHES[name]).measure()
        for figure in figures:
            print(f"{name:<10} {figure}", flush=True)
        _write(name, figures)
    print(f"{len(names)} benches, written to {OUTPUT}")
    return 0


def _write(name: str, figures: Sequence[Figure]) -> None:
    """Replace this bench's figures in the file, keep the others'."""
    OUTPUT.parent.mkdir(exist_ok=True)
    known = json.loads(OUTPUT.read_text()) if OUTPUT.exists() else []
    command = f"make bench ONLY={name}"
    rest = [f for f in known if f["command"] != command]
    OUTPUT.write_text(
        json.dumps(rest + [f.as_json(command) for f in figures], indent=1, ensure_ascii=False) + "\n"
    )


if __name__ == "__main__":
    sys.exit(main())
