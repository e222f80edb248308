# SPDX-License-Identifier: Apache-2.0
"""A device behind a pty that talks by itself, as chargers and GNSS receivers do, and listens to nobody."""

from __future__ import annotations

import os
import pty
import select
import threading
import tty
from collections.abc import Callable
from typing import Self


class PtyTalker:
    """Says one round after the other at `path` until its block ends.

    Args:
        said: one round, asked for anew each time.
        every_s: from round to round.
        size: bytes at a time; all at once when 0.
    """

    def __init__(self, said: Callable[[], bytes], *, every_s: float = 0.02, size: int = 0) -> None:
        self._said, self._every_s, self._size = said, every_s, size
        self._ours, self._theirs = pty.openpty()
        tty.setraw(self._theirs)
        self.path = os.ttyname(self._theirs)
        self.heard = b""
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._talk, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()
        for end in (self._ours, self._theirs):
            if end >= 0:
                os.close(end)

    def unplug(self) -> None:
        """Gone."""
        self._ends.set()
        self._thread.join()
        os.close(self._ours)
        os.close(self._theirs)
        self._ours = self._theirs = -1

    def _talk(self) -> None:
        os.set_blocking(self._ours, False)
        while not self._ends.wait(self._every_s):
            data = self._said()
            size = self._size or max(1, len(data))
            for at in range(0, len(data), size):
                # Nobody listening is no reason to wait.
                if self._ends.is_set() or not select.select([], [self._ours], [], 0.05)[1]:
                    break
                os.write(self._ours, data[at : at + size])
            if select.select([self._ours], [], [], 0)[0]:
                self.heard += os.read(self._ours, 4096)
