# SPDX-License-Identifier: Apache-2.0
"""What is known of alarms after a new start?

Tables beside the outbox, so that an alarm, what is told of it and the place in the journal up to where it is
true change together.
"""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Iterable
from typing import Any

from collector.alerts.alarm import Alarm
from collector.alerts.outbox import Outbox

log = logging.getLogger("collector.alerts.memory")

_TABLES = """
CREATE TABLE IF NOT EXISTS alarm (key TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS note (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_KNOWN = frozenset(field.name for field in dataclasses.fields(Alarm))


class Memory:
    """Shares the outbox's file and its transactions."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        outbox.make(_TABLES)

    def alarms(self) -> list[Alarm]:
        """All, as they were stored last."""
        with self._outbox.transaction() as base:
            rows = base.execute("SELECT key, body FROM alarm").fetchall()
        return [alarm for key, body in rows if (alarm := _read(key, body)) is not None]

    def keep(self, alarms: Iterable[Alarm]) -> None:
        """Store these."""
        with self._outbox.transaction() as base:
            base.executemany(
                "INSERT OR REPLACE INTO alarm (key, body) VALUES (?, ?)",
                [(alarm.key, _written(alarm)) for alarm in alarms],
            )

    def note(self, name: str, value: str) -> None:
        """Store a word by name."""
        with self._outbox.transaction() as base:
            base.execute("INSERT OR REPLACE INTO note (name, value) VALUES (?, ?)", (name, value))

    def noted(self, name: str) -> str | None:
        """The word of that name."""
        with self._outbox.transaction() as base:
            row = base.execute("SELECT value FROM note WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])


def _written(alarm: Alarm) -> str:
    """What differs from an alarm of which nothing is known."""
    plain = {f.name: getattr(alarm, f.name) for f in dataclasses.fields(alarm)}
    fresh = Alarm(rule=alarm.rule, subject=alarm.subject)
    return json.dumps(
        {name: value for name, value in plain.items() if name == "rule" or value != getattr(fresh, name)}
        | {"subject": alarm.subject},
        ensure_ascii=False,
    )


def _read(key: str, body: str) -> Alarm | None:
    """What another version wrote and this one does not know is left out."""
    try:
        plain: dict[str, Any] = {k: v for k, v in json.loads(body).items() if k in _KNOWN}
        plain["changes"] = tuple(plain.get("changes", ()))
        plain["labels"] = tuple((name, value) for name, value in plain.get("labels", ()))
        return Alarm(**plain)
    except (TypeError, ValueError, AttributeError) as e:
        log.warning("alarm.unreadable key=%s problem=%s", key, e)
        return None
