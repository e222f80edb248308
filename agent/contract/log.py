# SPDX-License-Identifier: Apache-2.0
"""How does a program say what happens? One line per event on stderr: plain on a terminal, else JSON."""

from __future__ import annotations

import json
import logging
import os
import sys
from datetime import UTC, datetime

LEVEL_VARIABLE = "SCHOOLPULSE_LOG_LEVEL"
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class UnknownLevel(ValueError):
    """The environment asks for a level that is none; the message says so in a sentence."""


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """A line without its end."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said = {"at": at, "level": record.levelname, "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


def start_logging() -> None:
    """Log to stderr at the level of $SCHOOLPULSE_LOG_LEVEL, INFO by default.

    Raises:
        UnknownLevel: there is no such level.
    """
    level = os.environ.get(LEVEL_VARIABLE) or "INFO"
    if level.upper() not in LEVELS:
        raise UnknownLevel(f"{LEVEL_VARIABLE}: {level!r} is not one of {', '.join(LEVELS)}")
    handler = logging.StreamHandler(sys.stderr)
    if sys.stderr.isatty():
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    else:
        handler.setFormatter(JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler])
