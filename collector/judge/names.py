# SPDX-License-Identifier: Apache-2.0
"""By which numbers do rows refer to schools, devices, sessions and facts? They never change."""

from __future__ import annotations

import sqlite3
from typing import Any

from collector.judge.plain import fact_from_text, fact_to_text
from collector.sla.sighting import Fact, tells

_MOST_FACTS = 50_000
_NEW_FACT = "INSERT OR IGNORE INTO facts SELECT ifnull(max(no), 0) / 2 * 2 + 2 + ?, ? FROM facts"


class Names:
    """Of one file, and one connection to it; forget it when a transaction is taken back."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._schools: dict[str, int] = {}
        self._devices: dict[str, int] = {}
        self._device_names: dict[int, str] = {}
        self._school_names: dict[int, str] = {}
        self._sessions: dict[tuple[int, str, str], int] = {}
        self._lives: dict[tuple[str, str], list[int]] = {}
        self._known: dict[int, tuple[str, str]] = {}
        self._facts: dict[Fact, int] = {}
        self._said: dict[int, Fact] = {}

    def school(self, school: str, *, make: bool = False) -> int | None:
        """Number of a school; None where there is none and none is to be made."""
        return self._number(self._schools, "schools", school, make=make)

    def device(self, device: str, *, make: bool = False) -> int | None:
        """Number of a device."""
        return self._number(self._devices, "devices", device, make=make)

    def device_id(self, number: int) -> str:
        """The device of a number."""
        if number not in self._device_names:
            (self._device_names[number],) = self._one("SELECT id FROM devices WHERE no = ?", number)
        return self._device_names[number]

    def school_id(self, number: int) -> str:
        """The school of a number."""
        if number not in self._school_names:
            (self._school_names[number],) = self._one("SELECT id FROM schools WHERE no = ?", number)
        return self._school_names[number]

    def session(self, device: str, session: str, boot: str) -> int:
        """Number of a session, which is made."""
        key = (self.device(device, make=True) or 0, session, boot)
        if key not in self._sessions:
            self._db.execute(
                "INSERT OR IGNORE INTO sessions (device_no, session, boot) VALUES (?, ?, ?)", key
            )
            query = "SELECT no FROM sessions WHERE (device_no, session, boot) = (?, ?, ?)"
            (self._sessions[key],) = self._one(query, *key)
            self._lives.pop((device, session), None)
        return self._sessions[key]

    def sessions(self, device: str, session: str) -> list[int]:
        """Numbers of a session: one, or several where it claims to have lived in several boots."""
        found = self._lives.get((device, session))
        if found is None:
            query = "SELECT no FROM sessions WHERE (device_no, session) = (?, ?)"
            found = [no for (no,) in self._db.execute(query, (self.device(device), session))]
            self._lives[device, session] = found
        return found

    def session_of(self, number: int) -> tuple[str, str]:
        """Session and boot of a number."""
        if number not in self._known:
            self._known[number] = self._one("SELECT session, boot FROM sessions WHERE no = ?", number)
        return self._known[number]

    def fact(self, fact: Fact) -> int:
        """Number of a fact, which is made."""
        number = self._facts.get(fact)
        if number is None:
            text = fact_to_text(fact)
            self._db.execute(_NEW_FACT, (int(tells(fact)), text))
            (number,) = self._one("SELECT no FROM facts WHERE body = ?", text)
            if len(self._facts) > _MOST_FACTS:
                self._facts.clear()
            self._facts[fact] = number
        return number

    def said(self, number: int) -> Fact:
        """The fact of a number."""
        fact = self._said.get(number)
        if fact is None:
            (text,) = self._one("SELECT body FROM facts WHERE no = ?", number)
            if len(self._said) > _MOST_FACTS:
                self._said.clear()
            fact = self._said[number] = fact_from_text(text)
        return fact

    def _number(self, known: dict[str, int], table: str, name: str, *, make: bool) -> int | None:
        number = known.get(name)
        if number is None:
            query = f"SELECT no FROM {table} WHERE id = ?"  # noqa: S608  # a name of ours
            row = self._db.execute(query, (name,)).fetchone()
            if row is None and make:
                self._db.execute(f"INSERT INTO {table} (id) VALUES (?)", (name,))  # noqa: S608  # likewise
                row = self._db.execute(query, (name,)).fetchone()
            if row is None:
                return None
            number = known[name] = int(row[0])
        return number

    def _one(self, query: str, *values: object) -> Any:
        return self._db.execute(query, values).fetchone()
