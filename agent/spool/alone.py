# SPDX-License-Identifier: Apache-2.0
"""Who may write to the spool's folders? One agent, until its process ends, however it ends.

The folders themselves are locked (flock(2)), not a file in them: that works on a card that is read-only and
leaves nothing behind. Whoever only reads asks for no lock.
"""

from __future__ import annotations

import fcntl
import logging
import os
from collections.abc import Iterable
from pathlib import Path

from agent.errors import SpoolInUse
from agent.spool.disk import Disk

log = logging.getLogger("agent.spool")


class Alone:
    """Holds folders for this process."""

    def __init__(self, directories: Iterable[Path]) -> None:
        """Take them all.

        Raises:
            SpoolInUse: another agent has one of them.
        """
        self._held: list[int] = []
        try:
            for directory in {path.resolve() for path in directories}:
                self._hold(directory)
        except SpoolInUse:
            self.close()
            raise

    def close(self) -> None:
        """Let them go."""
        while self._held:
            os.close(self._held.pop())

    def _hold(self, directory: Path) -> None:
        try:
            Disk().make_directory(directory)
            fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as e:  # no folder, nothing to fight over: records wait in memory
            log.debug("spool.not_locked directory=%s problem=%s", directory, e)
            return
        self._held.append(fd)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as e:
            raise SpoolInUse(directory) from e
        except OSError as e:
            log.warning("spool.not_locked directory=%s problem=%s", directory, e.strerror)
