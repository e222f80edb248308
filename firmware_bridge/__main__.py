# SPDX-License-Identifier: Apache-2.0
"""What is on this port, and what does it say? Every command only asks; nothing is ever set."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from firmware_bridge import modem
from firmware_bridge.drivers import DRIVERS
from firmware_bridge.drivers.at_modem import identify
from firmware_bridge.links.serial import AtPort, SerialPort
from firmware_bridge.reading import DeviceFailed, DeviceReading
from firmware_bridge.recording import record

BY_ID = Path("/dev/serial/by-id")
_WITHIN_S = 60.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 fine, 1 failed, 2 usage."""
    options = parser().parse_args(argv)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except DeviceFailed as e:
        print(f"firmware-bridge: {e}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    made = argparse.ArgumentParser(prog="firmware-bridge", description=_description())
    made.add_argument("--version", action="version", version=f"firmware-bridge {version()}")
    commands = made.add_subparsers(title="commands", required=True, metavar="COMMAND")
    drivers = commands.add_parser("drivers", help="list the device drivers, one per line")
    drivers.set_defaults(run=list_drivers)
    asked = (
        ("identify", identify_port, "say what is on a port, and which driver fits it"),
        ("read", read_port, "read a modem once and print what its record would hold"),
        ("record", record_port, "ask a modem everything and print a recording without private numbers"),
    )
    for name, run, says in asked:
        command = commands.add_parser(name, help=says)
        command.add_argument("port", help="path of a serial port, best one below /dev/serial/by-id")
        command.set_defaults(run=run)
    everything = commands.add_parser(
        "probe-all", help="identify what is on every serial port with a lasting name"
    )
    everything.set_defaults(run=probe_all)
    return made


def list_drivers(_: argparse.Namespace) -> int:
    """Print the names of all drivers."""
    print("\n".join(sorted(DRIVERS)))
    return 0


def identify_port(options: argparse.Namespace) -> int:
    """Print maker, model, firmware and driver of what is on a port."""
    print(_identified(options.port))
    return 0


def read_port(options: argparse.Namespace) -> int:
    """Print the fields that are known, one a line."""
    print("\n".join(_lines(modem.read(options.port, "modem", within_s=_WITHIN_S))))
    return 0


def record_port(options: argparse.Namespace) -> int:
    """Print a recording."""
    with SerialPort(options.port) as port:
        link = AtPort(port, within_s=2 * _WITHIN_S)
        link.wake()
        for line in record(link):
            print(line, flush=True)
    return 0


def probe_all(_: argparse.Namespace) -> int:
    """Identify each port; 1 when none answers."""
    ports = sorted(BY_ID.glob("*")) if BY_ID.is_dir() else []
    found = 0
    for port in ports:
        try:
            print(f"{port.name}: {_identified(str(port))}")
            found += 1
        except DeviceFailed as e:
            print(f"{port.name}: {e.reason}: {str(e).removeprefix(f'{port}: ')}")
    print(f"{len(ports)} serial ports below {BY_ID}, {found} answered", file=sys.stderr)
    return 0 if found else 1


def version() -> str:
    """Return the version of the installed distribution."""
    try:
        return importlib.metadata.version("schoolpulse")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _identified(path: str) -> str:
    with SerialPort(path) as port:
        link = AtPort(port, within_s=_WITHIN_S)
        link.wake()
        known = identify(link)
    words = [word for word in (known.maker, known.model, known.firmware) if word]
    named = ", ".join(words) or "a modem that does not say its name"
    return f"{named} ({modem.driver_of(known).name})"


def _lines(reading: DeviceReading) -> list[str]:
    lines = [
        f"{name} = {value}"
        for fields in reading.fields
        for name, value in dataclasses.asdict(fields).items()
        if value is not None
    ]
    return lines + [f"refused: {each}" for each in reading.refused]


def _description() -> str:
    known = ", ".join(sorted(DRIVERS))
    return f"Read-only conversations with the firmware of routers, modems and the like. Drivers: {known}."


if __name__ == "__main__":
    sys.exit(main())
