# SPDX-License-Identifier: Apache-2.0
"""What are the verdicts? Read-only, from any thread or process, while the collector writes."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from collector.judge.file import FileBook
from collector.judge.schema import open_for_reading
from collector.sinks.base import SinkUnavailable
from collector.sinks.problems import describe
from collector.sla.book import Verdicts
from collector.sla.outage import Outage


class VerdictReader:
    """Each question opens the file anew and sees one moment of it; slots are inclusive at both ends.

    Every method raises `SinkUnavailable` where there is no file yet, or none that can be read.
    """

    def __init__(self, path: Path, *, busy_s: float = 5.0) -> None:
        self._path = path
        self._busy_s = busy_s

    def schools(self) -> list[str]:
        """Every school that was ever judged."""
        with self._snapshot() as db:
            return [school for (school,) in db.execute("SELECT id FROM schools ORDER BY id")]

    def verdicts(self, school: str, first: int, last: int) -> Verdicts:
        """Class and rule of each slot, one byte each; zeros where there is none."""
        with self.book() as book:
            return book.verdicts(school, first, last)

    def outages(self, school: str, first: int, last: int) -> Sequence[Outage]:
        """Those that reach into these slots, ascending."""
        with self.book() as book:
            return book.outages(school, first, last)

    @contextlib.contextmanager
    def book(self) -> Iterator[FileBook]:
        """Everything, for as long as the context lasts."""
        with self._snapshot() as db:
            yield FileBook(db)

    @contextlib.contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(open_for_reading(self._path, busy_s=self._busy_s)) as db:
                db.execute("BEGIN")
                yield db
        except sqlite3.Error as e:
            raise SinkUnavailable(describe(self._path, e)) from e
