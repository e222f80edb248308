# SPDX-License-Identifier: Apache-2.0
"""What did the machine know of the time before the power went? One page written in place, now and then.

values = boot, mono_ms, wall_ms, offset or null, good_ms, error_ms, source
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent.clock.offset import Offset
from agent.pages import Pages

_MAGIC = b"SPCLK1 "
_MAX_MS = 2**53


@dataclass(frozen=True, slots=True)
class Saved:
    """What was known at one instant.

    Attributes:
        wall_ms: it was this late, or later.
        offset: what was known of true time in that boot, None when nothing was.
    """

    boot: str
    mono_ms: int
    wall_ms: int
    offset: Offset | None


class SavedClock:
    """The file."""

    def __init__(self, path: Path) -> None:
        self._pages = Pages(path, _MAGIC)

    def load(self) -> Saved | None:
        """What was saved last; None when there is nothing, or nothing whole."""
        plain = self._pages.load()
        return None if plain is None else _read(plain)

    def save(self, saved: Saved) -> None:
        """Make it survive a power cut.

        Raises:
            OSError: the disk does not take it.
        """
        offset = saved.offset
        known = (
            (None, 0, 0, "")
            if offset is None
            else (offset.ms, offset.good_ms, offset.error_ms, offset.source)
        )
        self._pages.save(saved.boot, saved.mono_ms, saved.wall_ms, *known)


def _read(plain: list[Any]) -> Saved | None:
    try:
        boot, mono_ms, wall_ms, offset_ms, good_ms, error_ms, source = plain
    except ValueError:
        return None
    numbers = (mono_ms, wall_ms, offset_ms or 0, good_ms, error_ms)
    if not isinstance(boot, str) or not all(type(n) is int and abs(n) < _MAX_MS for n in numbers):
        return None
    known = None if offset_ms is None else Offset(offset_ms, good_ms, error_ms, str(source))
    return Saved(boot, mono_ms, wall_ms, known)
