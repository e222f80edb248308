# SPDX-License-Identifier: Apache-2.0
"""Which devices can the bridge talk to, from the command line?"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from collections.abc import Sequence

DRIVERS: dict[str, str] = {}
"""Every driver by its kind; empty until the first one is written."""

NO_DRIVERS = "no driver exists yet: the bridge cannot talk to any device"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 fine, 1 failed, 2 usage."""
    options = parser().parse_args(argv)
    return int(options.run())


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    made = argparse.ArgumentParser(prog="firmware-bridge", description=_description())
    made.add_argument("--version", action="version", version=f"firmware-bridge {version()}")
    commands = made.add_subparsers(title="commands", required=True, metavar="COMMAND")
    drivers = commands.add_parser("drivers", help="list the device drivers, one per line")
    drivers.set_defaults(run=list_drivers)
    identify = commands.add_parser("identify", help="find out which driver fits the device at hand")
    identify.set_defaults(run=identify_device)
    return made


def list_drivers() -> int:
    """Print the kinds of driver; nothing on stdout when there is none."""
    for kind in sorted(DRIVERS):
        print(kind)
    if not DRIVERS:
        print(NO_DRIVERS, file=sys.stderr)
    return 0


def identify_device() -> int:
    """Say that nothing can be identified yet."""
    print(f"firmware-bridge: {NO_DRIVERS}", file=sys.stderr)
    return 1


def version() -> str:
    """Return the version of the installed distribution."""
    try:
        return importlib.metadata.version("schoolpulse")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _description() -> str:
    known = ", ".join(sorted(DRIVERS)) or "none yet"
    return f"Read-only conversations with the firmware of routers, modems and the like. Drivers: {known}."


if __name__ == "__main__":
    sys.exit(main())
