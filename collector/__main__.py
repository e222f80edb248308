# SPDX-License-Identifier: Apache-2.0
"""school-collector: takes in what the schools saw, keeps it, and shows it.

Exit codes: 0 fine, 1 failed, 2 wrong usage, 78 bad configuration.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import dataclasses
import json
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from agent.contract.log import UnknownLevel, start_logging
from collector.alerts.commands import alerts, hooks
from collector.authority import commands
from collector.config import DEFAULT_FILE, Config, load_config
from collector.contracts import commands as exclusions
from collector.contracts.ledger import read_exclusions
from collector.errors import CollectorError, ConfigError
from collector.evidence import commands as reports
from collector.judge import commands as explain
from collector.playback import START
from collector.reflector import commands as reflector
from collector.segment import Position
from collector.sinks import SINKS
from collector.sinks.base import SinkUnavailable

EXIT_FAILED, EXIT_CONFIG = 1, 78


@dataclass(frozen=True)
class Subcommand:
    """One word of the command line.

    Attributes:
        help: what it does, for `--help` and the reference page.
        run: does it; the exit code.
        arguments: declares its own arguments.
    """

    help: str
    run: Callable[[argparse.Namespace], int]
    arguments: Callable[[argparse.ArgumentParser], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Entry point of `school-collector`."""
    options = make_parser().parse_args(arguments)
    try:
        start_logging()
        return SUBCOMMANDS[options.subcommand].run(options)
    except (ConfigError, UnknownLevel) as e:
        print(f"school-collector: {e}", file=sys.stderr)
        return EXIT_CONFIG
    except (CollectorError, SinkUnavailable, OSError) as e:
        print(f"school-collector: {e}", file=sys.stderr)
        return EXIT_FAILED


def make_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="school-collector", description="Keeps and shows what the schools saw."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {_version()}")
    words = parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
    for name, subcommand in SUBCOMMANDS.items():
        subcommand.arguments(words.add_parser(name, help=subcommand.help, description=subcommand.help))
    return parser


def _version() -> str:
    try:
        return metadata.version("schoolpulse")
    except metadata.PackageNotFoundError:
        return "(not installed)"


def _config_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config",
        type=Path,
        default=DEFAULT_FILE,
        metavar="FILE",
        help=f"collector.toml (default {DEFAULT_FILE})",
    )


def _reading_arguments(parser: argparse.ArgumentParser) -> None:
    _config_argument(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _replay_arguments(parser: argparse.ArgumentParser) -> None:
    _reading_arguments(parser)
    parser.add_argument("--sink", required=True, choices=list(SINKS), help="which sink to feed")
    parser.add_argument(
        "--from",
        dest="start",
        type=_position,
        default=START,
        metavar="POSITION",
        help="where to begin, such as 000001:0 (default: the beginning)",
    )


def _position(text: str) -> Position:
    try:
        return Position.parse(text)
    except ValueError as e:
        raise argparse.ArgumentTypeError(str(e)) from e


def _run(options: argparse.Namespace) -> int:
    config = load_config(options.config)
    asyncio.run(_run_until_told(config))
    return 0


async def _run_until_told(config: Config) -> None:
    from collector.pipeline import run  # noqa: PLC0415  # reading commands need no MQTT and no web server

    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await run(config, stop)


def _check(options: argparse.Namespace) -> int:
    config = load_config(options.config)
    for kind in config.sinks:
        config.make_sink(kind)
    found = {
        "broker": f"{config.broker.options.host}:{config.broker.port}",
        "tls": config.broker.tls is not None,
        "schools": len(config.registry.schools()),
        "devices": len(config.registry.devices()),
        "sinks": list(config.sinks),
        "journal": config.options.journal.directory,
        "contracts": len(config.contracts.contracts),
        "calendars": len(config.contracts.calendars),
        "promised": len(config.contracts.by_school),
        "exclusions": len(read_exclusions(Path(config.options.contracts.exclusions_file))),
        "warnings": list(config.contracts.warnings),
    }
    _print(found, as_json=options.json)
    return 0


def _replay(options: argparse.Namespace) -> int:
    from collector.replay import replay  # noqa: PLC0415  # the others need no sink

    config = load_config(options.config)
    if options.sink not in config.sinks:
        raise ConfigError(f"{config.file}: sinks.{options.sink}", "is not enabled")
    done = asyncio.run(replay(config, options.sink, options.start))
    found = {
        "sink": options.sink,
        "written": done.health.written,
        "new": None if done.known is None else done.health.written - done.known,
        "known": done.known,
        "rejected": done.health.rejected,
        "unreadable": done.health.unreadable,
        "damaged": done.damaged,
        "position": str(done.end),
    }
    _print(found, as_json=options.json)
    return 0


def _enrol(options: argparse.Namespace) -> int:
    return commands.run(options)


def _enrol_arguments(parser: argparse.ArgumentParser) -> None:
    commands.add_arguments(parser)


def _verify(options: argparse.Namespace) -> int:
    from collector.checkpoint import kept_in  # noqa: PLC0415  # the others need no cryptography
    from collector.verify import verify  # noqa: PLC0415

    kept = [c for file in options.checkpoint or () for c in kept_in(file, key=options.public_key)]
    if options.bundle is not None:
        return _verify_bundle(options, kept)
    config = load_config(options.config, with_broker=False)
    journal = config.options.journal
    verdict = verify(
        Path(journal.directory),
        archive=journal.archive,
        key=options.public_key,
        device_keys=_device_keys(config),
        kept=kept,
    )
    found = {
        "verified": not verdict.faults,
        "segments": verdict.segments,
        "archived": verdict.archived,
        "entries": verdict.entries,
        "end": verdict.end,
        "checkpoints": verdict.checkpoints,
        "public_key": verdict.key,
        "kept": verdict.kept,
        "signed": verdict.signed,
        "chained": verdict.chained,
        "uncovered": verdict.uncovered,
        "unproven": list(verdict.unproven),
        "torn": verdict.torn,
        "faults": [dataclasses.asdict(f) if options.json else str(f) for f in verdict.faults],
    }
    _print(found, as_json=options.json)
    return EXIT_FAILED if verdict.faults else 0


def _verify_bundle(options: argparse.Namespace, kept: list[Any]) -> int:
    """A closed month, from its folder alone."""
    from collector.evidence.audit import audit  # noqa: PLC0415  # it brings the pages and their templates
    from collector.evidence.manifest import FILE as MANIFEST  # noqa: PLC0415

    if not (options.bundle / MANIFEST).exists():
        problem = "holds no closed month: name the folder with its manifest.json, such as 2026-11/rev1"
        raise CollectorError(f"{options.bundle} {problem}")
    found = dataclasses.asdict(audit(options.bundle, key=options.public_key, kept=kept))
    faults = found.pop("faults")
    said = [f if options.json else f"{f['at']}: {f['problem']}" for f in faults]
    _print({"verified": not faults, **found, "faults": said}, as_json=options.json)
    return EXIT_FAILED if faults else 0


def _device_keys(config: Config) -> dict[str, list[bytes]] | None:
    """None where there is no authority: then nobody can say whose signatures they are."""
    authority = config.open_authority()
    if authority is None:
        return None
    with contextlib.closing(authority):
        return authority.all_keys()


def _verify_arguments(parser: argparse.ArgumentParser) -> None:
    _reading_arguments(parser)
    parser.add_argument(
        "bundle",
        type=Path,
        nargs="?",
        metavar="BUNDLE",
        help="folder of a closed month, which needs nothing else (default: the journal of the configuration)",
    )
    parser.add_argument(
        "--public-key",
        metavar="HEX",
        help="key that the checkpoints must be signed with (default: that of the first)",
    )
    parser.add_argument(
        "--checkpoint",
        type=Path,
        action="append",
        metavar="FILE",
        help="checkpoints that somebody kept: the journal must still be what they say; may be repeated",
    )


def _demo(options: argparse.Namespace) -> int:
    from collector.demo import run  # noqa: PLC0415  # real use never needs it

    return run(options.directory, options.agent_config, options.broker)


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--directory",
        type=Path,
        default=Path("build/run"),
        help="where everything is kept (default build/run)",
    )
    parser.add_argument(
        "--broker",
        choices=["auto", "mosquitto", "amqtt"],
        default="auto",
        help="auto (the default) takes mosquitto where it is installed",
    )
    parser.add_argument(
        "--agent-config", type=Path, metavar="FILE", help="tables to add to the agent's configuration"
    )


def _print(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    for name, value in found.items():
        print(f"{name:<12}{_words(name, value)}".rstrip())


def _words(name: str, value: Any) -> str:
    """For people; each fault has a line of its own."""
    if isinstance(value, list):
        return ("\n" + " " * 12 if name == "faults" else ", ").join(value)
    return "–" if value is None else str(value)


SUBCOMMANDS: dict[str, Subcommand] = {
    "run": Subcommand("collect until told to stop", _run, _config_argument),
    "check": Subcommand(
        "read configuration, registry and contracts, say what was found", _check, _reading_arguments
    ),
    "replay": Subcommand("feed one sink from the journal", _replay, _replay_arguments),
    "enrol": Subcommand("certificates: make devices known, or unknown again", _enrol, _enrol_arguments),
    "report": Subcommand(
        "monthly reports: close a month, list what was closed, make PDF of it",
        reports.run,
        reports.add_arguments,
    ),
    "verify": Subcommand(
        "read journal, archive and checkpoints, or a closed month; name the first entry that does not fit",
        _verify,
        _verify_arguments,
    ),
    "explain": Subcommand("say why a slot of a school has its class", explain.run, explain.add_arguments),
    "exclusions": Subcommand(
        "time that does not count: propose it, agree to it, dispute it",
        exclusions.run,
        exclusions.add_arguments,
    ),
    "alerts": Subcommand(
        "what fires, who takes care of it, and of whom nothing is told for a while",
        alerts.run,
        alerts.add_arguments,
    ),
    "hooks": Subcommand(
        "alert hooks: try one, see and send again what was given up", hooks.run, hooks.add_arguments
    ),
    "reflector": Subcommand(
        "be the other end of throughput tests until told to stop", reflector.run, reflector.run_arguments
    ),
    "reflector-token": Subcommand(
        "print a token that lets a device test, or the public key for the reflectors",
        reflector.make_token,
        reflector.token_arguments,
    ),
    "demo": Subcommand("try it: broker, collector and agent on this machine", _demo, _demo_arguments),
}

if __name__ == "__main__":
    sys.exit(main())
