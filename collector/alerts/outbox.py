# SPDX-License-Identifier: Apache-2.0
"""What is still to be told to whom, whatever happens to this program?

An event enters in the same transaction as the change of state it tells of, so neither is ever without the
other. For each hook that wants it there is a delivery: waiting, delivered, or dead with its reason. Within a
group (all that is told of one alert) a hook gets events in order, the next only after the one before.
Nothing resolved is told to who was never told that it fires.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from collector.alerts.event import AlertEvent, from_json, to_json

_TABLES = """
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    alert TEXT NOT NULL,
    state TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS delivery (
    hook TEXT NOT NULL,
    event INTEGER NOT NULL REFERENCES event (number),
    alert TEXT NOT NULL,
    lane TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'dead')),
    tried INTEGER NOT NULL DEFAULT 0,
    next_ms INTEGER NOT NULL,
    problem TEXT,
    PRIMARY KEY (hook, event)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS delivery_lane ON delivery (hook, state, lane, event);
CREATE INDEX IF NOT EXISTS delivery_alert ON delivery (hook, alert, state);
CREATE INDEX IF NOT EXISTS delivery_due ON delivery (hook, state, next_ms, event);
CREATE INDEX IF NOT EXISTS event_alert ON event (alert, number);
CREATE TABLE IF NOT EXISTS hook (name TEXT PRIMARY KEY, disabled TEXT);
"""
_FOLLOWS = frozenset({"updated", "acknowledged", "resolved"})
_DUE = """
SELECT d.event, d.tried, e.body, d.next_ms FROM delivery d JOIN event e ON e.number = d.event
WHERE d.hook = ? AND d.state = 'waiting' AND NOT EXISTS (
    SELECT 1 FROM delivery b
    WHERE b.hook = d.hook AND b.state = 'waiting' AND b.lane = d.lane AND b.event < d.event)
ORDER BY d.next_ms, d.event LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one hook.

    Attributes:
        number: of the event, in the order in which they happened.
        tried: how often already.
        next_ms: not to be tried before.
    """

    hook: str
    number: int
    tried: int
    next_ms: int
    event: AlertEvent


@dataclass(frozen=True, slots=True)
class Counts:
    """How many deliveries of a hook are in which state, and since when the oldest waits."""

    waiting: int
    delivered: int
    dead: int
    oldest_waiting_ms: int | None


class Outbox:
    """An SQLite file; any thread may call."""

    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._base = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self._base.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _TABLES)
        self._grown = threading.Condition()

    def check(self) -> None:
        """Look through the file.

        Raises:
            sqlite3.DatabaseError: it is damaged.
        """
        with self._lock:
            (found,) = self._base.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(found)

    def close(self) -> None:
        """No call after this."""
        with self._lock:
            self._base.close()

    def make(self, tables: str) -> None:
        """Have more tables in the same file; each statement ends with a semicolon."""
        with self.transaction() as base:
            for statement in filter(str.strip, tables.split(";")):
                base.execute(statement)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Everything in the block happens, or nothing; `put` inside it is part of it."""
        with self._lock:
            if self._base.in_transaction:
                yield self._base
                return
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield self._base
                self._base.execute("COMMIT")
            except BaseException:
                # Also after a COMMIT that failed, which leaves it open: all that follows would be part of it.
                with contextlib.suppress(sqlite3.OperationalError):
                    self._base.execute("ROLLBACK")
                raise
        with self._grown:
            self._grown.notify_all()

    def put(self, event: AlertEvent, hooks: Iterable[str]) -> None:
        """To be told to these; what is already here is not put again."""
        with self.transaction() as base:
            row = (event.id, event.alert, event.state, event.at_ms, to_json(event))
            entered = base.execute(
                "INSERT OR IGNORE INTO event (id, alert, state, at_ms, body) VALUES (?, ?, ?, ?, ?)", row
            )
            if entered.rowcount == 0:
                return
            number = entered.lastrowid
            if event.state in _FOLLOWS:
                # To those who were or will be told of its beginning, and nobody else.
                asked = "SELECT DISTINCT hook FROM delivery WHERE alert = ?"
                hooks = [name for (name,) in base.execute(asked, (event.alert,))]
            base.executemany(
                """INSERT INTO delivery (hook, event, alert, lane, state, next_ms)
                   VALUES (?, ?, ?, ?, 'waiting', ?)""",
                [(hook, number, event.alert, event.group, event.at_ms) for hook in hooks],
            )

    def beginning(self, alert: str) -> AlertEvent | None:
        """What was told, or is to be, when the alert began."""
        asked = "SELECT body FROM event WHERE alert = ? AND state = 'firing' ORDER BY number DESC LIMIT 1"
        with self._lock:
            row = self._base.execute(asked, (alert,)).fetchone()
        return None if row is None else readable(row[0])

    def escalate(self, event: AlertEvent, hook: str, now_ms: int) -> None:
        """To one more hook; once, however often it is asked."""
        asked = "SELECT 1 FROM delivery WHERE hook = ? AND alert = ?"
        with self._lock:
            if self._base.execute(asked, (hook, event.alert)).fetchone() is not None:
                return
        with self.transaction() as base:
            base.execute(
                """INSERT OR IGNORE INTO delivery (hook, event, alert, lane, state, next_ms)
                   SELECT ?, number, alert, ?, 'waiting', ? FROM event WHERE id = ?""",
                (hook, event.group, now_ms, event.id),
            )

    def first(self, hook: str) -> Delivery | None:
        """What is to be tried next, perhaps not yet; None when nothing waits."""
        with self._lock:
            while (row := self._base.execute(_DUE, (hook,)).fetchone()) is not None:
                number, tried, body, next_ms = row
                event = readable(body)
                if event is not None:
                    return Delivery(hook, number, tried, next_ms, event)
                self._settle(hook, number, "dead", "it cannot be read")
        return None

    def wait(self, seconds: float) -> None:
        """Until something is put, or the time is over."""
        with self._grown:
            self._grown.wait(seconds)

    def is_told(self, hook: str, alert: str) -> bool:
        """Whether this hook was told that the alert fires."""
        asked = """SELECT 1 FROM delivery d JOIN event e ON e.number = d.event
                   WHERE d.hook = ? AND d.alert = ? AND d.state = 'delivered' AND e.state = 'firing'"""
        with self._lock:
            return self._base.execute(asked, (hook, alert)).fetchone() is not None

    def firing(self, hook: str) -> list[AlertEvent]:
        """The last of each alert that this hook was told of and not yet told that it is over."""
        asked = """SELECT e.body FROM delivery d JOIN event e ON e.number = d.event
                   WHERE d.hook = ? AND d.state = 'delivered' AND e.number = (
                       SELECT max(l.event) FROM delivery l
                       WHERE l.hook = d.hook AND l.alert = d.alert AND l.state = 'delivered')
                   AND e.state IN ('firing', 'updated', 'acknowledged') ORDER BY e.number"""
        with self._lock:
            rows = self._base.execute(asked, (hook,)).fetchall()
        return [event for (body,) in rows if (event := readable(body)) is not None]

    def deliver(self, delivery: Delivery) -> None:
        """It arrived."""
        self._settle(delivery.hook, delivery.number, "delivered", None)

    def bury(self, delivery: Delivery, problem: str) -> None:
        """It will not be tried again unless somebody says so."""
        self._settle(delivery.hook, delivery.number, "dead", problem)

    def postpone(self, delivery: Delivery, next_ms: int, problem: str) -> None:
        """It is tried again, not before then."""
        with self.transaction() as base:
            base.execute(
                """UPDATE delivery SET tried = tried + 1, next_ms = ?, problem = ?
                   WHERE hook = ? AND event = ?""",
                (next_ms, problem, delivery.hook, delivery.number),
            )

    def disable(self, hook: str, problem: str | None) -> None:
        """Send nothing more there, and say why; None: send again."""
        with self.transaction() as base:
            base.execute("INSERT OR REPLACE INTO hook (name, disabled) VALUES (?, ?)", (hook, problem))

    def disabled(self, hook: str) -> str | None:
        """Why nothing is sent there; None where it is."""
        with self._lock:
            row = self._base.execute("SELECT disabled FROM hook WHERE name = ?", (hook,)).fetchone()
        return None if row is None else row[0]

    def replay(self, hook: str, *, since_ms: int, now_ms: int) -> int:
        """Try the dead again that were made since then; how many."""
        with self.transaction() as base:
            return base.execute(
                """UPDATE delivery SET state = 'waiting', tried = 0, next_ms = ?, problem = NULL
                   WHERE hook = ? AND state = 'dead'
                   AND event IN (SELECT number FROM event WHERE at_ms >= ?)""",
                (now_ms, hook, since_ms),
            ).rowcount

    def counts(self, hook: str) -> Counts:
        """Of one hook."""
        asked = "SELECT state, count(*) FROM delivery WHERE hook = ? GROUP BY state"
        oldest = """SELECT min(e.at_ms) FROM delivery d JOIN event e ON e.number = d.event
                    WHERE d.hook = ? AND d.state = 'waiting'"""
        with self._lock:
            found = dict(self._base.execute(asked, (hook,)).fetchall())
            (since,) = self._base.execute(oldest, (hook,)).fetchone()
        waiting, delivered, dead = (found.get(state, 0) for state in ("waiting", "delivered", "dead"))
        return Counts(waiting, delivered, dead, since)

    def dead(self, hook: str) -> list[tuple[AlertEvent, str]]:
        """What was given up, with its reason, oldest first."""
        asked = """SELECT e.body, d.problem FROM delivery d JOIN event e ON e.number = d.event
                   WHERE d.hook = ? AND d.state = 'dead' ORDER BY e.number"""
        with self._lock:
            rows = self._base.execute(asked, (hook,)).fetchall()
        return [(event, problem or "") for body, problem in rows if (event := readable(body)) is not None]

    def forget(self, before_ms: int, *, hooks: Iterable[str] | None = None) -> int:
        """Drop events of alerts that are over everywhere and older; how many.

        Args:
            before_ms: what is newer stays.
            hooks: those that there are; what waits for any other, or for one that is disabled, is given up.
        """
        asked = """SELECT number FROM event WHERE at_ms < ? AND alert NOT IN (
                       SELECT alert FROM event WHERE at_ms >= ?) AND alert NOT IN (
                       SELECT alert FROM delivery WHERE state = 'waiting') AND alert IN (
                       SELECT alert FROM event WHERE state NOT IN ('firing', 'updated', 'acknowledged'))"""
        with self.transaction() as base:
            if hooks is not None:
                self._give_up(before_ms, hooks)
            numbers = [(number,) for (number,) in base.execute(asked, (before_ms, before_ms))]
            base.executemany("DELETE FROM delivery WHERE event = ?", numbers)
            base.executemany("DELETE FROM event WHERE number = ?", numbers)
        return len(numbers)

    def _give_up(self, before_ms: int, hooks: Iterable[str]) -> None:
        alive = [hook for hook in hooks if self.disabled(hook) is None]
        given_up = """UPDATE delivery SET state = 'dead', problem = 'it is too old' WHERE state = 'waiting'
                      AND hook NOT IN (SELECT value FROM json_each(?))
                      AND event IN (SELECT number FROM event WHERE at_ms < ?)"""
        self._base.execute(given_up, (json.dumps(alive), before_ms))

    def _settle(self, hook: str, number: int, state: str, problem: str | None) -> None:
        with self.transaction() as base:
            base.execute(
                "UPDATE delivery SET state = ?, tried = tried + 1, problem = ? WHERE hook = ? AND event = ?",
                (state, problem, hook, number),
            )


def readable(body: str) -> AlertEvent | None:
    """An event as it was stored; None where another version, or a bad disk, wrote what is none."""
    try:
        return from_json(body)
    except (TypeError, KeyError, ValueError, AttributeError):
        return None
