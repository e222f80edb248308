# SPDX-License-Identifier: Apache-2.0
"""One target inside the fuzzer's process: `python -m tests.fuzz.inside TARGET [libFuzzer's arguments]`."""

from __future__ import annotations

import sys

import atheris


def main() -> None:
    """Hand the process to libFuzzer; it ends it."""
    with atheris.instrument_imports(include=["agent", "collector", "firmware_bridge", "tomllib", "csv"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415  # imports are instrumented only here
    target = TARGETS[sys.argv[1]]
    atheris.Setup([sys.argv[0], *sys.argv[2:]], target)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
