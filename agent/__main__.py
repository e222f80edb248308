# SPDX-License-Identifier: Apache-2.0
"""school-agent: measures a school's link and reports what it saw.

Exit codes: 0 fine, 1 failed, 2 wrong usage, 78 bad configuration.
"""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import datetime as dt
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from agent.clock.clock import Clock
from agent.config import AgentConfig, AgentOptions, build_probes, load_config
from agent.contract.log import UnknownLevel, start_logging
from agent.contract.record import Record, to_plain
from agent.echo.icmp import icmp_permission
from agent.errors import AgentError, ConfigError, SpoolInUse
from agent.plan.cost import MonthCost, of_month
from agent.plan.options import PlanOptions
from agent.probes import PROBES, load
from agent.probes.base import CostsData, Probe
from agent.scheduler import Scheduler
from agent.spool.contents import contents_of

DEFAULT_CONFIG = Path("/etc/schoolpulse/agent.toml")
EXIT_FAILED, EXIT_CONFIG = 1, 78
_ICMP = {
    "datagram": "permitted",
    "raw": "permitted (raw socket)",
    "denied": "not permitted: anchors are asked by TCP; `sysctl net.ipv4.ping_group_range` permits it",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `school-agent`."""
    options = make_parser().parse_args(arguments)
    try:
        start_logging()
        command: Callable[[argparse.Namespace], int] = options.command
        return command(options)
    except (ConfigError, UnknownLevel) as e:
        print(f"school-agent: {e}", file=sys.stderr)
        return EXIT_CONFIG
    except SpoolInUse as e:
        print(f"school-agent: {e}", file=sys.stderr)
        return EXIT_FAILED
    except BrokenPipeError:
        return EXIT_FAILED


def make_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="school-agent", description="Measures a school's link and reports it."
    )
    parser.add_argument("--version", action="version", version=metadata.version("schoolpulse"))
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add(commands, "run", _run, "measure and report until told to stop")
    once = _add(commands, "once", _once, "measure once, print what was found, send nothing")
    once.add_argument(
        "--probe", metavar="K", choices=list(PROBES), help="only this probe: " + ", ".join(PROBES)
    )
    _add(commands, "check", _check, "read the configuration and say what it means; touches no network")
    _add(commands, "probes", _probes, "list the probes and their options")
    _add(commands, "spool", _spool, "say what waits in the spool")
    enrol = _add(commands, "enrol", _enrol, "make this device known, with the file the centre gave")
    enrol.add_argument("file", type=Path, metavar="FILE", help="the enrolment file")
    enrol.add_argument(
        "--directory", type=Path, help="where keys are kept (default: [identity] of agent.toml)"
    )
    enrol.add_argument("--again", action="store_true", help="forget who this device was, make new keys")
    way = enrol.add_mutually_exclusive_group()
    way.add_argument("--request", type=Path, metavar="OUT", help="send nothing, write the request to a file")
    way.add_argument(
        "--answer", type=Path, metavar="IN", help="send nothing, take the answer of `enrol sign` from a file"
    )
    return parser


def _add(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], doc: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=doc, description=doc)
    parser.add_argument("--config", type=Path, metavar="FILE", help=f"agent.toml (default {DEFAULT_CONFIG})")
    if name != "run":
        parser.add_argument("--json", action="store_true", help="print JSON, one document a line")
    parser.set_defaults(command=run)
    return parser


def _run(options: argparse.Namespace) -> int:
    from agent.service import Service  # noqa: PLC0415 -- the other commands need no MQTT and no TLS

    config = load_config(options.config or DEFAULT_CONFIG)

    async def serve() -> None:
        await Service(config).run()

    asyncio.run(serve())
    return 0


def _once(options: argparse.Namespace) -> int:
    config = _config_or_defaults(options.config)
    probes = [p for p in config.probes if options.probe in (None, p.table)]
    if not probes:
        print(f"school-agent: probe {options.probe} is not enabled", file=sys.stderr)
        return EXIT_FAILED
    printer = _Printer(as_json=options.json)
    asyncio.run(_measure_once(config.options.device, probes, printer))
    return 0 if printer.succeeded else EXIT_FAILED


async def _measure_once(device: str, probes: Sequence[Probe], printer: _Printer) -> None:
    scheduler = Scheduler(device, probes, printer, Clock().now)
    async with asyncio.TaskGroup() as group:
        for probe in probes:
            group.create_task(scheduler.measure(probe))


class _Printer:
    """Takes records instead of a spool and prints them."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._seq = 0
        self.succeeded = 0

    def append(self, **record: Any) -> None:
        """Print one record."""
        self._seq += 1
        made = Record(seq=self._seq, **record)
        self.succeeded += made.reason is None
        print(
            json.dumps(to_plain(made), ensure_ascii=False) if self._as_json else _sentence(made), flush=True
        )


def _sentence(record: Record) -> str:
    fields = to_plain(record.fields) if record.fields else {}
    fields.pop("rtt_histogram", None)
    words = [f"{k}={v}" for k, v in fields.items()]
    if record.reason:
        words.insert(0, f"FAILED {record.reason}: {record.detail or ''}")
    return f"{record.kind:<10} {' '.join(words)}"


def _check(options: argparse.Namespace) -> int:
    config = _config_or_defaults(options.config)
    plain = dataclasses.asdict(config.options)
    plain["probes"] = {p.table: _options(p) for p in config.probes}
    tests = [probe for probe in config.probes if isinstance(probe, CostsData)]
    costs = of_month(config.options.device, config.options.plan, tests)
    plain["month_costs"] = [dataclasses.asdict(cost) for cost in costs]
    if options.json:
        print(json.dumps(plain, ensure_ascii=False))
    else:
        mqtt = config.options.mqtt
        print(f"device {config.options.device}")
        print(f"reports to {mqtt.host}:{mqtt.port} every {mqtt.report_every_s:g} s")
        print(f"ICMP {_ICMP[icmp_permission()]}")
        outage = config.options.outage
        print(f"outages are watched for, profile {outage.profile}" if outage.enabled else "no outage watch")
        for probe in config.probes:
            print(f"probe {probe.table} every {probe.every_s:g} s")
        print("\n".join(_plan_lines(config.options.plan, costs)))
        print("configuration is good")
    return 0


def _plan_lines(plan: PlanOptions, costs: Sequence[MonthCost]) -> Iterator[str]:
    if plan.month_bytes is None:
        yield "no data plan: tests are limited only by their own options"
    else:
        yield f"data plan {plan.month_bytes} bytes a month, of which tests {plan.share_bytes}"
    for cost in costs:
        yield (
            f"test {cost.test} up to {cost.rounds} times a month, {cost.round_bytes} bytes at most each, "
            f"{cost.bytes} in all"
        )


def _options(probe: Any) -> dict[str, Any]:
    made = dataclasses.asdict(probe)
    return {f.name: made[f.name] for f in dataclasses.fields(probe) if f.init}


def _probes(options: argparse.Namespace) -> int:
    for kind in PROBES:
        cls: Any = load(kind)
        doc = (sys.modules[cls.__module__].__doc__ or "").strip().splitlines()[0]
        table = {f.name: f.metadata.get("doc", "") for f in dataclasses.fields(cls) if f.init}
        if options.json:
            print(json.dumps({"probe": kind, "doc": doc, "options": table}, ensure_ascii=False))
        else:
            print(f"{kind}: {doc}")
            for name, sentence in table.items():
                print(f"    {name}: {sentence}")
    return 0


def _spool(options: argparse.Namespace) -> int:
    directory = Path(_config_or_defaults(options.config).options.spool.directory)
    if not directory.is_dir():
        print(f"school-agent: {directory} does not exist: the agent has not run here", file=sys.stderr)
        return EXIT_FAILED
    try:
        state = {"directory": str(directory), **dataclasses.asdict(contents_of(directory))}
    except OSError as e:
        print(f"school-agent: {directory} cannot be read: {e}", file=sys.stderr)
        return EXIT_FAILED
    print(json.dumps(state) if options.json else "\n".join(f"{k}: {v}" for k, v in state.items()))
    return 0


def _enrol(options: argparse.Namespace) -> int:
    from agent.identity import enrolment, folder  # noqa: PLC0415 -- the other commands make no keys

    directory = options.directory or Path(_config_or_defaults(options.config).options.identity.directory)
    try:
        given = enrolment.load(options.file)
        known = None if options.again else folder.enrolled(directory)
        if known is not None:
            print(
                f"school-agent: enrolled as {known.device} already; --again makes new keys", file=sys.stderr
            )
            return EXIT_FAILED
        if options.again and not options.answer:
            folder.forget(directory)
        if options.request:
            folder.prepare(directory)
            folder.write(options.request, enrolment.request(given, directory))
        elif options.answer:
            enrolment.accept(given, directory, options.answer.read_bytes())
        else:
            enrolment.enrol(given, directory)
    except (AgentError, OSError, ValueError) as e:
        print(f"school-agent: {e}", file=sys.stderr)
        return EXIT_FAILED
    _say_enrolled(given.device, folder.certificate(directory), as_json=options.json)
    return 0


def _say_enrolled(device: str, certificate: Any, *, as_json: bool) -> None:
    until_s = None if certificate is None else certificate.not_after_s
    if as_json:
        print(json.dumps({"device": device, "enrolled": until_s is not None, "until_s": until_s}))
    elif until_s is None:
        print(f"{device}: request written; the centre answers it with `school-collector enrol sign`")
    else:
        print(f"{device}: enrolled, certificate until {_day(until_s)}")


def _day(unix_s: int) -> str:
    return dt.datetime.fromtimestamp(unix_s, dt.UTC).date().isoformat()


def _config_or_defaults(file: Path | None) -> AgentConfig:
    """The given configuration, else the default file, else the defaults as they are."""
    if file is not None or DEFAULT_CONFIG.exists():
        return load_config(file or DEFAULT_CONFIG)
    return AgentConfig(options=AgentOptions(device="unregistered"), probes=tuple(build_probes({})))


if __name__ == "__main__":
    sys.exit(main())
