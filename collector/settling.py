# SPDX-License-Identifier: Apache-2.0
"""Which records wait for the time of their boot to become known, and what becomes of them then?

A device that has just booted may not know the time. Its records are placed by their arrival; when a later
message of the same device and boot has a good clock, they are read again from the journal and placed anew.
The first good clock in the order of the journal counts, so that every sink and every replay comes to the same
times. All this follows from the journal alone; a small file beside the sink's cursor saves reading it again.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import weakref
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from agent.contract.record import Batch
from collector.entry import Entry
from collector.measuring import batch_of, measurements
from collector.moment import SETTLED, TimeBasis, Witness, witnesses
from collector.playback import START, Playback
from collector.registry import Registry
from collector.segment import Position
from collector.shelf import Unreadable
from collector.sinks.base import Measurement

log = logging.getLogger("collector.settling")

HOLD_MS = 6 * 3_600_000
"""A sink in which nothing can be moved gets a record at the latest when another one came this much later."""

_FORGET_MS = 400 * 86_400_000
_BOOTS_PER_DEVICE = 256
_PAGE = 1000

_TABLES = """
CREATE TABLE IF NOT EXISTS boots (
    no INTEGER PRIMARY KEY, device TEXT NOT NULL, boot TEXT NOT NULL, mono_ms INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL, UNIQUE (device, boot)
) STRICT;
CREATE TABLE IF NOT EXISTS waiting (
    device TEXT NOT NULL, boot TEXT NOT NULL, segment INTEGER NOT NULL, offset INTEGER NOT NULL,
    received_ms INTEGER NOT NULL, PRIMARY KEY (device, boot, segment, offset)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS waiting_since ON waiting (received_ms);
CREATE TABLE IF NOT EXISTS position (
    only_row INTEGER PRIMARY KEY CHECK (only_row = 1), at TEXT NOT NULL
) STRICT;
"""
_FORGET_BOOTS = """
DELETE FROM boots WHERE device = ?1 AND no <= (SELECT no FROM boots WHERE device = ?1 ORDER BY no DESC
    LIMIT 1 OFFSET ?2)
"""


class Settling:
    """What one consumer knows of the devices' boots, and where in the journal records wait.

    Attributes:
        holds: whether such records are kept back from the sink, since nothing in it can be moved.
    """

    def __init__(
        self,
        path: Path | None,
        journal: Path,
        registry: Registry,
        *,
        archive: Path | None = None,
        holds: bool,
    ) -> None:
        self._path = path
        self._journal = Playback(journal, archive=archive)
        self._registry = registry
        self._db: sqlite3.Connection | None = None
        self.holds = holds

    def begin(self) -> None:
        """Take nothing for granted that was not kept.

        Raises:
            OSError: the file cannot be had.
        """
        with _as_os_error(self._path):
            db = self._opened()
            if db.in_transaction:
                db.execute("ROLLBACK")
            db.execute("BEGIN")

    def take(self, entry: Entry) -> list[Measurement]:
        """What a sink is to get now that this entry is there: of it, and of entries before it.

        Raises:
            DecodeError: its payload cannot be read by this version.
            OSError: neither the file nor the journal can be had.
        """
        batch = batch_of(entry)
        with _as_os_error(self._path):
            due = self._overdue(entry.received_ms) if self.holds else []
            settled = list(self._settle(entry, batch))
            return due + settled + self._place(entry, batch)

    def keep(self, after: Position) -> None:
        """The sink has everything up to there: never ask again.

        Raises:
            OSError: the file cannot be written.
        """
        with _as_os_error(self._path):
            db = self._opened()
            if not db.in_transaction:
                db.execute("BEGIN")
            db.execute("INSERT OR REPLACE INTO position VALUES (1, ?)", (str(after),))
            db.execute("COMMIT")

    def catch_up(self, until: Position) -> None:
        """Read what the sink already has; it has got what follows from it, too.

        Raises:
            OSError: neither the file nor the journal can be had.
        """
        self.begin()
        at = self._position()
        shelf = self._journal.shelf
        playback = Playback(shelf.directory, archive=shelf.archive, start=at)
        while playback.at < until:
            page = playback.read(until=until, at_most=_PAGE)
            for entry in page.entries:
                with contextlib.suppress(ValueError, LookupError, TypeError):
                    self.take(entry)
            if page.after == at:
                break
            at = page.after
        self.keep(max(at, until))

    def waiting(self) -> int:
        """Entries with records whose time is not known."""
        (n,) = (
            self._opened().execute("SELECT count(DISTINCT segment || ':' || offset) FROM waiting").fetchone()
        )
        return int(n)

    def _settle(self, entry: Entry, batch: Batch) -> Iterator[Measurement]:
        """Boots whose time the entry makes known, and the records that waited for it."""
        db = self._opened()
        due: dict[tuple[int, int], set[str]] = {}
        is_news = False
        for boot, witness in witnesses(batch, entry.received_ms).items():
            row = (entry.device, boot, witness.mono_ms, witness.wall_ms)
            found = db.execute(
                "INSERT OR IGNORE INTO boots (device, boot, mono_ms, wall_ms) VALUES (?, ?, ?, ?)", row
            )
            if not found.rowcount:
                continue
            is_news = True
            waited = db.execute(
                "DELETE FROM waiting WHERE (device, boot) = (?, ?) RETURNING segment, offset",
                (entry.device, boot),
            )
            for place in waited.fetchall():
                due.setdefault(place, set()).add(boot)
        yield from self._all_again(due)
        if is_news:
            db.execute(_FORGET_BOOTS, (entry.device, _BOOTS_PER_DEVICE))

    def _overdue(self, now_ms: int) -> list[Measurement]:
        """Records that have waited long enough, with the time they have."""
        rows = self._opened().execute(
            "DELETE FROM waiting WHERE received_ms < ? RETURNING segment, offset, boot", (now_ms - HOLD_MS,)
        )
        due: dict[tuple[int, int], set[str]] = {}
        for segment, offset, boot in rows.fetchall():
            due.setdefault((segment, offset), set()).add(boot)
        return list(self._all_again(due))

    def _all_again(self, due: Mapping[tuple[int, int], Collection[str]]) -> Iterator[Measurement]:
        """Records of some boots from some entries; each entry is read once, however many boots it names."""
        for place in sorted(due):
            yield from self._again(Position(*place), due[place])

    def _place(self, entry: Entry, batch: Batch) -> list[Measurement]:
        placed = measurements(entry, batch, self._registry, self._known(entry.device, batch))
        unsettled = {m.record.clock.boot for m in placed if m.time_basis not in SETTLED}
        self._opened().executemany(
            "INSERT OR IGNORE INTO waiting VALUES (?, ?, ?, ?, ?)",
            [
                (entry.device, boot, entry.at.segment, entry.at.offset, entry.received_ms)
                for boot in unsettled
            ],
        )
        if unsettled and not self.holds:
            limit_ms = entry.received_ms - _FORGET_MS
            self._opened().execute("DELETE FROM waiting WHERE received_ms < ?", (limit_ms,))
        return [m for m in placed if not self.holds or m.time_basis in SETTLED]

    def _again(self, at: Position, boots: Collection[str]) -> Iterable[Measurement]:
        """Records of some boots that an earlier entry brought with no good clock."""
        self._journal.seek(at)
        try:
            entries = self._journal.read(at_most=1).entries
        except Unreadable as e:  # `verify` names it; what comes after it is not to wait for its repair
            log.error("clocks.entry_lost at=%s problem=%s", at, e)  # noqa: TRY400
            return []
        if not entries or entries[0].at != at:
            return []
        batch = batch_of(entries[0])
        known = self._known(entries[0].device, batch)
        return [
            m
            for m in measurements(entries[0], batch, self._registry, known)
            if m.record.clock.boot in boots and m.time_basis is not TimeBasis.DEVICE
        ]

    def _known(self, device: str, batch: Batch) -> dict[str, Witness]:
        boots = {batch.clock.boot, *(record.clock.boot for record in batch.records)}
        query = "SELECT mono_ms, wall_ms FROM boots WHERE (device, boot) = (?, ?)"
        rows = {boot: self._opened().execute(query, (device, boot)).fetchone() for boot in boots}
        return {boot: Witness(*row) for boot, row in rows.items() if row is not None}

    def _position(self) -> Position:
        row = self._opened().execute("SELECT at FROM position").fetchone()
        return START if row is None else Position.parse(row[0])

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = _open(self._path)
            weakref.finalize(self, self._db.close)
        return self._db


def _open(path: Path | None) -> sqlite3.Connection:
    """Open the file; one that is damaged, or of another program, is made anew."""
    if path is None:
        return _connect(":memory:")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _connect(str(path))
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError:
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        return _connect(str(path))


def _connect(name: str) -> sqlite3.Connection:
    db = sqlite3.connect(name, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(_TABLES)
    except BaseException:
        db.close()
        raise
    return db


@contextlib.contextmanager
def _as_os_error(path: Path | None) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as e:
        raise OSError(f"{path}: {e}") from e
