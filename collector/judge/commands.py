# SPDX-License-Identifier: Apache-2.0
"""`school-collector explain SCHOOL --at TIME`: why has a slot its class?"""

from __future__ import annotations

import argparse
import json
from datetime import UTC, datetime
from pathlib import Path

from collector.config import DEFAULT_FILE, load_config
from collector.errors import ConfigError
from collector.judge.explanation import explain, sentences
from collector.judge.reader import VerdictReader
from collector.sla.slot import slot_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What may stand behind `explain`."""
    parser.add_argument("school", metavar="SCHOOL", help="id of the school, as in the registry")
    parser.add_argument(
        "--at",
        required=True,
        type=_moment,
        metavar="TIME",
        help="a time in the slot, such as 2026-11-03T10:15+05:00; UTC where no offset is given",
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=DEFAULT_FILE,
        metavar="FILE",
        help=f"collector.toml (default {DEFAULT_FILE})",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Print it.

    Raises:
        ConfigError: there are no verdicts, or no such school.
        SinkUnavailable: the file of verdicts cannot be read.
    """
    config = load_config(options.config, with_broker=False)
    judge = config.sinks.get("judge")
    if judge is None:
        raise ConfigError(f"{config.file}: sinks.judge", "is not enabled: nothing is judged")
    if options.school not in {school.id for school in config.registry.schools()}:
        raise ConfigError(str(config.file), f"there is no school {options.school!r} in the registry")
    slot = slot_of(round(options.at.timestamp() * 1000))
    with VerdictReader(Path(judge.path)).book() as book:
        found = explain(book, options.school, slot, config.contracts)
    print(json.dumps(found, ensure_ascii=False) if options.json else "\n".join(sentences(found)))
    return 0


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time such as 2026-11-03T10:15+05:00") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
