# SPDX-License-Identifier: Apache-2.0
"""What do the commands about alerts and hooks have in common: times, lengths of time, and how they print."""

from __future__ import annotations

import argparse
import contextlib
import getpass
import json
import os
import re
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from collector.alerts.dispatch import open_outbox
from collector.alerts.outbox import Outbox
from collector.config import DEFAULT_FILE, Config
from collector.errors import ConfigError

_UNITS_S = {"m": 60, "h": 3600, "d": 86_400}
_LONGEST_DAYS = 366


@contextlib.contextmanager
def opened(config: Config) -> Iterator[Outbox]:
    """The outbox, beside the collector that runs.

    Raises:
        ConfigError: it cannot be opened, or not be used.
    """
    options = config.options.alerts
    try:
        with contextlib.closing(open_outbox(Path(options.directory))) as outbox:
            yield outbox
    except (OSError, sqlite3.Error) as e:
        problem = f"{options.directory} cannot be used: {e}"
        raise ConfigError(f"{config.file}: alerts.directory", problem) from e


def add_common(parser: argparse.ArgumentParser) -> None:
    """Arguments of every command that reads the configuration."""
    parser.add_argument(
        "--config",
        type=Path,
        default=DEFAULT_FILE,
        metavar="FILE",
        help=f"collector.toml (default {DEFAULT_FILE})",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def moment(text: str) -> int:
    """Milliseconds; a time without zone is UTC."""
    try:
        at = datetime.fromisoformat(text)
        at_ms = int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
    except (ValueError, OverflowError) as e:
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 2026-11-01T08:00") from e
    if at_ms < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is before 1970")
    return at_ms


def length(text: str) -> int:
    """Milliseconds of `30m`, `4h` or `2d`."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", text, re.ASCII)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a length of time such as 30m, 4h or 2d")
    seconds = int(found[1]) * _UNITS_S[found[2]]
    if seconds > _LONGEST_DAYS * 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is longer than a year")
    return 1000 * seconds


def name(text: str) -> str:
    """Words of a person, on one line."""
    if not text.strip() or not text.isprintable():
        raise argparse.ArgumentTypeError("must be words on one line")
    return " ".join(text.split())


def account() -> str:
    """Whose account of this machine it is; behind sudo, who asked for it."""
    return os.environ.get("SUDO_USER") or getpass.getuser()


def show(found: dict[str, Any], *, as_json: bool) -> None:
    """One line; what is not known is left out for people, and null for programs."""
    if as_json:
        print(json.dumps(found, ensure_ascii=False))
        return
    print("  ".join(f"{key}: {value}" for key, value in found.items() if value is not None))
