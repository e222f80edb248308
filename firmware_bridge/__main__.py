# SPDX-License-Identifier: Apache-2.0
"""What is at this port or address, and what does it say? Every command only asks; nothing is ever set."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from firmware_bridge.drivers import DRIVERS
from firmware_bridge.finding import everywhere, identify_at, read_at, record_at
from firmware_bridge.links.snmp_access import SnmpAccess, load_access
from firmware_bridge.reading import DeviceFailed, DeviceReading

_ADDRESS = (
    "path of a serial port, best one below /dev/serial/by-id, or scheme and address: serial:/dev/… (a "
    "modem), vedirect:/dev/…, nmea:/dev/…, nut://host/ups, apcupsd://host, starlink://host, snmp://host"
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 fine, 1 failed, 2 usage."""
    grammar = parser()
    options = grammar.parse_args(argv)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except DeviceFailed as e:
        if options.json:
            print(json.dumps(_failure(e)))
        print(f"firmware-bridge: {e}", file=sys.stderr)
        return 1
    except ValueError as e:
        grammar.error(str(e))


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    made = argparse.ArgumentParser(prog="firmware-bridge", description=_description())
    made.add_argument("--version", action="version", version=f"firmware-bridge {version()}")
    commands = made.add_subparsers(title="commands", required=True, metavar="COMMAND")
    drivers = commands.add_parser("drivers", help="list the device drivers, one per line")
    asked = (
        ("identify", identify, "say what is at a port or address, and which driver fits it"),
        ("read", read, "read a device once and print what its records would hold"),
        (
            "record",
            record,
            "print a recording of a device without private numbers or positions, for the tests",
        ),
    )
    for name, run, says in asked:
        command = commands.add_parser(name, help=says)
        command.add_argument("address", help=_ADDRESS)
        _add_shared(command, run)
    everything = commands.add_parser(
        "probe-all",
        help="identify what is at serial ports with a lasting name, usual addresses, the gateway and more",
    )
    everything.add_argument(
        "addresses", nargs="*", metavar="address", help="more addresses, as for `identify`"
    )
    _add_shared(everything, probe_all)
    _add_shared(drivers, list_drivers)
    return made


def _add_shared(command: argparse.ArgumentParser, run: Callable[[argparse.Namespace], int]) -> None:
    command.add_argument("--json", action="store_true", help="print one JSON object a line")
    command.add_argument(
        "--access", type=Path, metavar="FILE", help="SNMP version, name and secrets; else 2c and `public`"
    )
    command.set_defaults(run=run)


def list_drivers(options: argparse.Namespace) -> int:
    """Print the names of all drivers."""
    for name in sorted(DRIVERS):
        print(json.dumps({"driver": name}) if options.json else name)
    return 0


def identify(options: argparse.Namespace) -> int:
    """Print maker, model, firmware and driver of what is there."""
    found = identify_at(options.address, _access(options))
    print(json.dumps(dataclasses.asdict(found)) if options.json else found)
    return 0


def read(options: argparse.Namespace) -> int:
    """Print the fields that are known, one a line, or as one object for each record."""
    reading = read_at(options.address, _access(options))
    lines = _plain(reading) if options.json else _lines(reading)
    print("\n".join(lines))
    return 0


def record(options: argparse.Namespace) -> int:
    """Print a recording."""
    for line in record_at(options.address, _access(options)):
        print(json.dumps({"line": line}) if options.json else line, flush=True)
    return 0


def probe_all(options: argparse.Namespace) -> int:
    """Identify what is at each address; 1 when nothing answers."""
    access, found = _access(options), 0
    addresses = everywhere(tuple(options.addresses))
    for address in addresses:
        try:
            here = identify_at(address, access)
        except DeviceFailed as e:
            said = str(e).removeprefix(f"{e.device}: ")
            print(
                json.dumps({"address": address} | _failure(e))
                if options.json
                else f"{address}: {e.reason}: {said}"
            )
        else:
            found += 1
            print(json.dumps(dataclasses.asdict(here)) if options.json else f"{address}: {here}", flush=True)
    print(f"{len(addresses)} addresses tried, {found} answered", file=sys.stderr)
    return 0 if found else 1


def version() -> str:
    """Return the version of the installed distribution."""
    try:
        return importlib.metadata.version("schoolpulse")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _access(options: argparse.Namespace) -> SnmpAccess:
    return SnmpAccess() if options.access is None else load_access(options.access)[""]


def _failure(error: DeviceFailed) -> dict[str, str]:
    return {"reason": str(error.reason), "detail": error.detail}


def _plain(reading: DeviceReading) -> list[str]:
    shared: dict[str, Any] = {"meanings": list(reading.meanings), "refused": list(reading.refused)}
    return [json.dumps({"kind": fields.kind, "fields": _known(fields)} | shared) for fields in reading.fields]


def _lines(reading: DeviceReading) -> list[str]:
    lines = [f"{name} = {value}" for fields in reading.fields for name, value in _known(fields).items()]
    return lines + [f"refused: {each}" for each in reading.refused]


def _known(fields: Any) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(fields).items() if value is not None}


def _description() -> str:
    known = ", ".join(sorted(DRIVERS))
    return f"Read-only conversations with the firmware of routers, modems and the like. Drivers: {known}."


if __name__ == "__main__":
    sys.exit(main())
