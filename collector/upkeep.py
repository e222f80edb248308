# SPDX-License-Identifier: Apache-2.0
"""What is done to the journal once in a while: the day's checkpoint, and old segments into the archive."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.contract import topics
from collector.acknowledgement import Answer
from collector.checkpoint import Checkpoint, Checkpoints, load_key
from collector.errors import ConfigError
from collector.health import Health
from collector.journal import Journal
from collector.retention import Retention
from collector.segment import Position

log = logging.getLogger("collector.upkeep")

FIRST_S = 5
EVERY_S = 60
_OFFER_EVERY_MS = 3_600_000
"""A broker may have lost what it keeps."""


@dataclass(kw_only=True)
class Upkeep:
    """Beside the writer of the journal, which never waits for it.

    Attributes:
        passed: up to where every sink has been fed.
        offer: publishes, and says whether it could.
    """

    journal: Journal
    key_file: Path
    retention: Retention
    passed: Callable[[], Position]
    health: Health
    offer: Callable[[Answer], bool] = lambda _: False
    _offered: str | None = None
    _offered_ms: int = 0

    async def run(self) -> None:
        """Look every minute until cancelled; the first time when the sinks have found their places."""
        await asyncio.sleep(FIRST_S)
        while True:
            self.health.upkeep_problem = await asyncio.to_thread(self.once, int(time.time() * 1000))
            await asyncio.sleep(EVERY_S)

    def once(self, now_ms: int) -> str | None:
        """Do what is due; says what could not be done, None when all was."""
        problems = []
        for work in (self._checkpoint, self._retire):
            try:
                work(now_ms)
            except (OSError, ConfigError) as e:
                log.warning("upkeep.failed problem=%s", e)
                problems.append(str(e))
        return "; ".join(problems) or None

    def _checkpoint(self, now_ms: int) -> None:
        if self.journal.entries:
            date = f"{datetime.fromtimestamp(now_ms / 1000, UTC):%Y-%m-%d}"
            checkpoints = Checkpoints(self.journal.directory, load_key(self.key_file))
            self.health.checkpoints += checkpoints.make_if_due(self.journal.end, date) is not None
            self._show(checkpoints.newest(), now_ms)

    def _show(self, newest: Checkpoint | None, now_ms: int) -> None:
        """Let others keep it: who forges the whole journal is then found by any of them."""
        if newest is None:
            return
        line = newest.line.decode()
        self.health.checkpoint = line
        if line == self._offered and now_ms - self._offered_ms < _OFFER_EVERY_MS:
            return
        if self.offer(Answer(topics.checkpoint(newest.key), newest.line, is_kept=True)):
            self._offered, self._offered_ms = line, now_ms

    def _retire(self, now_ms: int) -> None:
        self.health.segments_archived += self.retention.apply(self.journal, self.passed(), now_ms)
