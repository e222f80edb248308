# SPDX-License-Identifier: Apache-2.0
"""How do records become verdicts as they come? A sink of the journal with a file of its own.

The file is a view of the journal: move it away and it is built again from there, with the same content.
A record whose time nothing relates to true time is evidence of no slot; when its time becomes known it comes
again. Where a contract says otherwise than it did when a school was judged, the school is judged anew.
"""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from agent.contract.decoder import DecodeError
from agent.contract.option import option
from collector.judge.file import FileBook
from collector.judge.placing import placed
from collector.judge.schema import open_for_writing
from collector.sinks.base import Gap, Measurement, SinkUnavailable
from collector.sinks.problems import describe
from collector.sinks.schema import transaction
from collector.sla.ledger import STANDARD_TERMS, Ledger
from collector.sla.parameters import Terms
from collector.sla.touch import Span

T = TypeVar("T")
_ALL_TIME = (0, 2**26)
"""Slots up to the year 2097: whatever a contract may say."""


@dataclass(frozen=True, kw_only=True)
class JudgeOptions:
    """The table `[sinks.judge]`."""

    enabled: bool = option("whether slots are judged, and outages found, as records come", default=False)
    path: str = option("the SQLite file; made when there is none", "/var/lib/schoolpulse/verdicts.db")
    busy_s: float = option("how long to wait for another program that locks the file", 5.0, low=0, high=60)

    def __post_init__(self) -> None:
        if not self.path:
            raise DecodeError("path", "must not be empty")


class JudgeSink:
    """The only writer of the file; readers have `collector.judge.reader`."""

    name = "judge"
    moves = True
    OPTIONS: ClassVar[type[JudgeOptions]] = JudgeOptions

    def __init__(self, options: JudgeOptions) -> None:
        self._options = options
        self._path = Path(options.path)
        self._terms: Terms = STANDARD_TERMS
        self._db: sqlite3.Connection | None = None
        self._ledger: Ledger | None = None
        self._lock = threading.Lock()

    def be_bound_by(self, terms: Terms) -> None:
        """Judge by these from the next write on; what was judged by others is judged anew then."""
        with self._lock:
            self._terms = terms
            self._drop()

    async def write(self, batch: Sequence[Measurement]) -> None:
        """Judge what the batch touches."""
        await self._run(lambda db, ledger: self._write(db, ledger, batch, None))

    async def write_at(self, batch: Sequence[Measurement], cursor: str, gaps: Sequence[Gap] = ()) -> None:  # noqa: ARG002  # that a record is lost its neighbours' numbers tell
        """Judge, and keep the position up to which the journal has been read, all or nothing."""
        await self._run(lambda db, ledger: self._write(db, ledger, batch, cursor))

    async def cursor(self) -> str | None:
        """The position of the last `write_at`; None in a new file."""
        return await self._run(lambda db, _: _cursor(db))

    async def close(self) -> None:
        """Close the file."""
        await asyncio.to_thread(self._close)

    async def _run(self, work: Callable[[sqlite3.Connection, Ledger], T]) -> T:
        return await asyncio.to_thread(self._guarded, work)

    def _guarded(self, work: Callable[[sqlite3.Connection, Ledger], T]) -> T:
        """Do it with the file open; after any fault the file is opened anew next time."""
        with self._lock:
            try:
                db, ledger = self._opened()
                return work(db, ledger)
            except (sqlite3.Error, OSError) as e:
                self._drop()
                raise SinkUnavailable(describe(self._path, e)) from e
            except BaseException:
                self._drop()
                raise

    def _opened(self) -> tuple[sqlite3.Connection, Ledger]:
        if self._db is None or self._ledger is None:
            self._db = open_for_writing(self._path, busy_s=self._options.busy_s)
            self._ledger = Ledger(FileBook(self._db), self._terms)
            for school, known in _schools(self._db):
                with transaction(self._db):
                    _judge_by(self._db, self._ledger, school, known, _digest(self._terms, school))
        return self._db, self._ledger

    def _write(
        self, db: sqlite3.Connection, ledger: Ledger, batch: Sequence[Measurement], cursor: str | None
    ) -> None:
        with transaction(db):
            ledger.apply(p for m in batch if (p := placed(m)) is not None)
            for (school,) in db.execute("SELECT id FROM schools WHERE terms IS NULL").fetchall():
                _note_terms(db, school, _digest(self._terms, school))
            if cursor is not None:
                db.execute("INSERT OR REPLACE INTO position VALUES (1, ?)", (cursor,))

    def _close(self) -> None:
        with self._lock:
            self._drop()

    def _drop(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = self._ledger = None


def _judge_by(db: sqlite3.Connection, ledger: Ledger, school: str, known: str | None, said: str) -> None:
    """Judge a school anew, if its contracts say otherwise than when it was judged."""
    span = ledger.book.span(school)
    if said != known and span is not None:
        ledger.judge({school: [Span(*span)]})
    if said != known:
        _note_terms(db, school, said)


def _note_terms(db: sqlite3.Connection, school: str, said: str) -> None:
    db.execute("UPDATE schools SET terms = ? WHERE id = ?", (said, school))


def _digest(terms: Terms, school: str) -> str:
    """Of everything that is promised to a school, for all time."""
    said = [
        (term.first_slot, term.last_slot, *map(_plain, dataclasses.astuple(term.parameters)))
        for term in terms.terms(school, *_ALL_TIME)
    ]
    return hashlib.sha256(repr(said).encode()).hexdigest()


def _plain(value: object) -> object:
    """Sets have no order of their own, and another one in each process."""
    return sorted(value) if isinstance(value, frozenset) else value


def _schools(db: sqlite3.Connection) -> list[tuple[str, str | None]]:
    return db.execute("SELECT id, terms FROM schools ORDER BY id").fetchall()


def _cursor(db: sqlite3.Connection) -> str | None:
    row = db.execute("SELECT cursor FROM position").fetchone()
    return None if row is None else str(row[0])
