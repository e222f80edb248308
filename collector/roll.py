# SPDX-License-Identifier: Apache-2.0
"""Has somebody changed the registry's files, and can what they wrote be used?

Looked at every few seconds. A file that cannot be used changes nothing: what was read last holds on, and the
log, `/healthz` and every page say what is wrong until it is mended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from collector.errors import ConfigError
from collector.health import Health
from collector.registry import Registry

log = logging.getLogger("collector.registry")

_EVERY_S = 2.0
_State = tuple[tuple[int, int, int] | None, ...]


@dataclass(kw_only=True)
class Roll:
    """Keeps a registry as its files are.

    Attributes:
        files: what is looked at.
        read: reads them.
    """

    registry: Registry
    files: Sequence[Path]
    read: Callable[[], Registry]
    health: Health
    _seen: _State = field(init=False)

    def __post_init__(self) -> None:
        self._seen = self._state()

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(_EVERY_S)
            await asyncio.to_thread(self.look)

    def look(self) -> None:
        """Read again what has changed."""
        state = self._state()
        if state == self._seen:
            return
        self._seen = state
        try:
            found = self.read()
        except ConfigError as e:
            log.error("registry.refused problem=%s kept=what-was-read-before", e)  # noqa: TRY400 -- a person's mistake
            self.health.registry_problem = str(e)
            return
        self.registry.become(found)
        self.health.registry_problem = None
        log.info("registry.read schools=%d devices=%d", len(found.schools()), len(found.devices()))

    def _state(self) -> _State:
        return tuple(_state(file) for file in self.files)


def _state(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
