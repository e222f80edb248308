# SPDX-License-Identifier: Apache-2.0
"""Which closed segments leave the journal for the archive, and when?

Oldest first, when it is older than `keep_days` or the journal larger than `keep_bytes`, and never before
every sink has passed it. What is in the archive is read as if it were still in the journal.
"""

from __future__ import annotations

import itertools
import logging
from dataclasses import dataclass

from agent.contract.decoder import DecodeError
from collector.entry import Header, read_frame
from collector.journal import Journal
from collector.segment import Frame, Position
from collector.shelf import Shelf

log = logging.getLogger("collector.retention")

DAY_MS = 86_400_000


@dataclass(frozen=True, kw_only=True)
class Retention:
    """What the journal keeps beside the archive; 0 for any amount."""

    keep_days: int = 0
    keep_bytes: int = 0

    def apply(self, journal: Journal, passed: Position, now_ms: int) -> int:
        """Archive what is due; says how many segments. For any thread beside the journal's writer.

        Raises:
            OSError: the archive does not take a segment; it and all later ones stay in the journal.
        """
        shelf, moved = journal.shelf, 0
        for number, following in _closed(shelf, journal.committed.segment):
            if number >= passed.segment or not self._is_due(journal, shelf, following, now_ms):
                break
            size = shelf.move_to_archive(number)
            journal.retired(number)
            moved += 1
            log.info("journal.archived segment=%d bytes=%d", number, size)
        return moved

    def _is_due(self, journal: Journal, shelf: Shelf, following: int, now_ms: int) -> bool:
        if self.keep_bytes and journal.size_bytes > self.keep_bytes:
            return True
        if not self.keep_days:
            return False
        ended_ms = _began_ms(shelf, following)
        return ended_ms is not None and now_ms - ended_ms > self.keep_days * DAY_MS


def _closed(shelf: Shelf, open_segment: int) -> list[tuple[int, int]]:
    """Closed segments in the journal, each with the one that follows it."""
    numbers = [n for n in shelf.local() if n <= open_segment]
    return list(itertools.pairwise(numbers))


def _began_ms(shelf: Shelf, number: int) -> int | None:
    """When a segment began; None when its header cannot be read, and its age is not known."""
    first = next(shelf.scan(number, None), None)
    try:
        said = read_frame(first) if isinstance(first, Frame) else None
    except DecodeError:
        return None
    return said.began_ms if isinstance(said, Header) else None
