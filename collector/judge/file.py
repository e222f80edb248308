# SPDX-License-Identifier: Apache-2.0
"""The book of `collector.sla.book` in an SQLite file; part of whatever transaction the caller has."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Hashable, Iterable, Sequence

from collector.judge.names import Names
from collector.judge.plain import outage_from_plain, outage_to_plain
from collector.sla.book import Placed, Verdicts
from collector.sla.memory import habit_of
from collector.sla.outage import Outage
from collector.sla.sighting import Fact, Identity, Sighting, Start, Told
from collector.sla.slot import DAY_SLOTS, slot_of

_COLUMNS = "school_no, device_no, slot, session_no, seq, at_ms, until_ms, mono_ms, basis, fact_no"
_OF_DEVICE = f"SELECT {_COLUMNS} FROM sightings WHERE school_no = ? AND device_no = ?"  # noqa: S608  # ours
_MOST_DAYS = 100_000
_NO_DAY = bytes(DAY_SLOTS)
_Row = tuple[int, int, int, int, int, int, int, int, int, int]


class FileBook:
    """What was seen and what follows from it, by one connection."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.names = Names(db)
        self._devices: dict[str, list[str]] = {}
        self._schools: dict[str, list[str]] = {}
        self._heard: set[tuple[int | None, int | None, int]] = set()
        self._spans: dict[str, tuple[int, int] | None] = {}

    def find(self, identity: Identity) -> Placed | None:
        """The sighting of a record."""
        device, session, seq = identity
        for number in self.names.sessions(device, session):
            found = self._placed("session_no = ? AND seq = ?", number, seq)
            if found is not None:
                return found
        return None

    def put(self, placed: Placed) -> None:
        """Keep a sighting; there is none of that record."""
        school, one = placed
        school_no, device_no = self._school(school), self._device(one.device)
        session_no = self.names.session(one.device, one.session, one.boot)
        fact_no = self.names.fact(one.fact)
        row = (school_no, device_no, one.slot, session_no, one.seq, one.at_ms, one.until_ms)
        self._db.execute(
            "INSERT INTO sightings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (*row, one.mono_ms, int(one.basis), fact_no),
        )
        if isinstance(one.fact, Told):
            told = (school_no, one.last_slot, slot_of(one.at_ms), session_no, one.seq)
            self._db.execute("INSERT INTO told VALUES (?, ?, ?, ?, ?)", told)
        elif isinstance(one.fact, Start):
            self._db.execute("INSERT INTO starts VALUES (?, ?)", (session_no, one.seq))
        self._note_habit(school_no, device_no, one, 1)
        if one.device not in self.devices(school):
            self._db.execute("INSERT INTO stays VALUES (?, ?)", (device_no, school_no))
            self._forget(school, one.device)

    def remove(self, placed: Placed) -> None:
        """Forget a sighting that was found."""
        school, one = placed
        school_no, device_no = self._school(school), self._device(one.device)
        session_no = self.names.session(one.device, one.session, one.boot)
        record = (session_no, one.seq)
        self._db.execute("DELETE FROM sightings WHERE (session_no, seq) = (?, ?)", record)
        if isinstance(one.fact, Told):
            key = (school_no, one.last_slot, *record)
            self._db.execute(
                "DELETE FROM told WHERE (school_no, last_slot, session_no, seq) = (?, ?, ?, ?)", key
            )
        elif isinstance(one.fact, Start):
            self._db.execute("DELETE FROM starts WHERE (session_no, seq) = (?, ?)", record)
        self._note_habit(school_no, device_no, one, -1)
        if not self._of_device(school, one.device, "TRUE LIMIT 1"):
            self._db.execute(
                "DELETE FROM stays WHERE (device_no, school_no) = (?, ?)", (device_no, school_no)
            )
            self._forget(school, one.device)

    def sightings(self, school: str, first: int, last: int) -> Sequence[Sighting]:
        """Those whose slot it is, ascending."""
        found: list[Sighting] = []
        for device in self.devices(school):
            found += self._of_device(school, device, "slot BETWEEN ? AND ?", first, last)
        found.sort()
        return found

    def telling(self, school: str, first: int, last: int) -> Sequence[tuple[int, Hashable]]:
        """Slot and fact of those that may tell something of a slot in which an anchor answered."""
        found: list[tuple[int, Hashable]] = []
        query = (
            "SELECT slot, fact_no FROM sightings WHERE school_no = ? AND device_no = ?"
            " AND slot BETWEEN ? AND ? AND fact_no & 1"
        )
        for device in self.devices(school):
            key = (self.names.school(school), self.names.device(device))
            found += self._db.execute(query, (*key, first, last)).fetchall()
        return found

    def fact_of(self, key: Hashable) -> Fact:
        """The fact of a key."""
        return self.names.said(int(key))  # type: ignore[call-overload]

    def told(self, school: str, first: int, last: int) -> Sequence[Sighting]:
        """Those that tell of an outage which reaches into these slots."""
        query = "SELECT session_no, seq FROM told WHERE school_no = ? AND last_slot >= ? AND first_slot <= ?"
        rows = self._db.execute(query, (self.names.school(school), first, last)).fetchall()
        return sorted(p.sighting for row in rows if (p := self._placed("session_no = ? AND seq = ?", *row)))

    def devices(self, school: str) -> Collection[str]:
        """Every device that anything was seen by there."""
        found = self._devices.get(school)
        if found is None:
            rows = self._db.execute(
                "SELECT device_no FROM stays WHERE school_no = ?", (self.names.school(school),)
            )
            found = self._devices[school] = sorted(self.names.device_id(no) for (no,) in rows)
        return found

    def schools(self, device: str) -> Collection[str]:
        """Every school at which the device was seen."""
        found = self._schools.get(device)
        if found is None:
            rows = self._db.execute(
                "SELECT school_no FROM stays WHERE device_no = ?", (self.names.device(device),)
            )
            found = sorted(self.names.school_id(no) for (no,) in rows)
            self._schools[device] = found
        return found

    def before(self, school: str, device: str, slot: int) -> Sighting | None:
        """The last one of a device before a slot."""
        return self._neighbour(school, device, slot, "max", "<")

    def after(self, school: str, device: str, slot: int) -> Sighting | None:
        """The first one of a device after a slot."""
        return self._neighbour(school, device, slot, "min", ">")

    def starts(self, device: str, session: str) -> Sequence[Sighting]:
        """What an agent said of its start and its last end."""
        found = []
        for number in self.names.sessions(device, session):
            rows = self._db.execute("SELECT seq FROM starts WHERE session_no = ?", (number,)).fetchall()
            found += [self._placed("session_no = ? AND seq = ?", number, seq) for (seq,) in rows]
        return sorted((p.sighting for p in found if p is not None), key=lambda s: s.seq)

    def first_of(self, device: str, session: str) -> Placed | None:
        """The sighting with the lowest number of a session."""
        found = [
            self._placed("session_no = ? ORDER BY seq LIMIT 1", number)
            for number in self.names.sessions(device, session)
        ]
        return min((p for p in found if p is not None), key=lambda p: p.sighting.seq, default=None)

    def is_elsewhere(self, school: str, device: str, first: int, last: int) -> bool:
        """Whether the device was seen at another school in these slots."""
        others = (other for other in self.schools(device) if other != school)
        return any(self._of_device(o, device, "slot BETWEEN ? AND ? LIMIT 1", first, last) for o in others)

    def hears_gateway(self, school: str, device: str, slot: int) -> bool:
        """Whether the silence of the gateway means anything."""
        key = (self.names.school(school), self.names.device(device), slot // DAY_SLOTS)
        if key in self._heard:
            return True
        query = "SELECT heard FROM habits WHERE school_no = ? AND device_no = ? AND day "
        row = self._db.execute(query + "<= ? ORDER BY day DESC LIMIT 1", key).fetchone()
        row = row or self._db.execute(query + "> ? ORDER BY day LIMIT 1", key).fetchone()
        return row is None or row[0] > 0

    def span(self, school: str) -> tuple[int, int] | None:
        """First and last slot with a verdict."""
        if school not in self._spans:
            self._spans[school] = self._span(school)
        return self._spans[school]

    def verdicts(self, school: str, first: int, last: int) -> Verdicts:
        """Of each slot; zeros where there is none."""
        if last < first:
            return Verdicts(b"", b"")
        days = self._days(school, first, last)
        start, length = first % DAY_SLOTS, last - first + 1
        numbers = range(first // DAY_SLOTS, last // DAY_SLOTS + 1)
        classes = b"".join(days[day][0] if day in days else _NO_DAY for day in numbers)
        rules = b"".join(days[day][1] if day in days else _NO_DAY for day in numbers)
        return Verdicts(classes[start : start + length], rules[start : start + length])

    def write(self, school: str, first: int, verdicts: Verdicts) -> None:
        """Replace the verdicts of as many slots."""
        last = first + len(verdicts.classes) - 1
        start, whole = first // DAY_SLOTS * DAY_SLOTS, (last // DAY_SLOTS + 1) * DAY_SLOTS - 1
        before, after = self.verdicts(school, start, first - 1), self.verdicts(school, last + 1, whole)
        classes = before.classes + verdicts.classes + after.classes
        rules = before.rules + verdicts.rules + after.rules
        number = self._school(school)
        self._spans.pop(school, None)
        for place in range(0, len(classes), DAY_SLOTS):
            day = (start + place) // DAY_SLOTS
            c, r = classes[place : place + DAY_SLOTS], rules[place : place + DAY_SLOTS]
            if any(r) or any(c):
                self._db.execute("INSERT OR REPLACE INTO days VALUES (?, ?, ?, ?)", (number, day, c, r))
            else:
                self._db.execute("DELETE FROM days WHERE (school_no, day) = (?, ?)", (number, day))

    def outages(self, school: str, first: int, last: int) -> Sequence[Outage]:
        """Those that reach into these slots, ascending."""
        query = (
            "SELECT body FROM outages WHERE school_no = ? AND first_slot <= ? AND last_slot >= ?"
            " ORDER BY first_slot"
        )
        rows = self._db.execute(query, (self.names.school(school), last, first))
        return [outage_from_plain(json.loads(body)) for (body,) in rows]

    def replace(self, gone: Iterable[Outage], come: Iterable[Outage]) -> None:
        """Some outages are otherwise now."""
        for outage in gone:
            key = (self._school(outage.school), outage.first_slot)
            self._db.execute("DELETE FROM outages WHERE (school_no, first_slot) = (?, ?)", key)
        for outage in come:
            body = json.dumps(outage_to_plain(outage), separators=(",", ":"))
            row = (self._school(outage.school), outage.first_slot, outage.last_slot, body)
            self._db.execute("INSERT OR REPLACE INTO outages VALUES (?, ?, ?, ?)", row)

    def _span(self, school: str) -> tuple[int, int] | None:
        query = "SELECT day, classes, rules FROM days WHERE school_no = ? ORDER BY day {} LIMIT 1"
        number = self.names.school(school)
        first = self._db.execute(query.format("ASC"), (number,)).fetchone()
        if first is None:
            return None
        last = self._db.execute(query.format("DESC"), (number,)).fetchone()
        end = max(len(last[1].rstrip(b"\0")), len(last[2].rstrip(b"\0"))) - 1
        start = DAY_SLOTS - max(len(first[1].lstrip(b"\0")), len(first[2].lstrip(b"\0")))
        return first[0] * DAY_SLOTS + start, last[0] * DAY_SLOTS + end

    def _neighbour(self, school: str, device: str, slot: int, end: str, side: str) -> Sighting | None:
        key = (self.names.school(school), self.names.device(device))
        query = f"SELECT {end}(slot) FROM sightings WHERE school_no = ? AND device_no = ? AND slot {side} ?"  # noqa: S608
        (found,) = self._db.execute(query, (*key, slot)).fetchone()
        if found is None:
            return None
        here = self._of_device(school, device, "slot = ?", found)
        return max(here) if end == "max" else min(here)

    def _of_device(self, school: str, device: str, condition: str, *values: int) -> list[Sighting]:
        key = (self.names.school(school), self.names.device(device))
        rows = self._db.execute(f"{_OF_DEVICE} AND {condition}", (*key, *values)).fetchall()
        session_of, said = self.names.session_of, self.names.said
        found = []
        for _, _, slot, session_no, seq, at_ms, until_ms, mono_ms, basis, fact_no in rows:
            session, boot = session_of(session_no)
            found.append(
                Sighting(slot, at_ms, until_ms, device, session, seq, boot, mono_ms, basis, said(fact_no))
            )
        return found

    def _placed(self, condition: str, *values: int) -> Placed | None:
        query = f"SELECT {_COLUMNS} FROM sightings WHERE {condition}"  # noqa: S608  # ours
        row = self._db.execute(query, values).fetchone()
        if row is None:
            return None
        school_no, device_no, slot, session_no, seq, at_ms, until_ms, mono_ms, basis, fact_no = row
        session, boot = self.names.session_of(session_no)
        device, fact = self.names.device_id(device_no), self.names.said(fact_no)
        one = Sighting(slot, at_ms, until_ms, device, session, seq, boot, mono_ms, basis, fact)
        return Placed(self.names.school_id(school_no), one)

    def _days(self, school: str, first: int, last: int) -> dict[int, tuple[bytes, bytes]]:
        query = "SELECT day, classes, rules FROM days WHERE school_no = ? AND day BETWEEN ? AND ?"
        key = (self.names.school(school), first // DAY_SLOTS, last // DAY_SLOTS)
        return {day: (classes, rules) for day, classes, rules in self._db.execute(query, key)}

    def _note_habit(self, school_no: int, device_no: int, one: Sighting, count: int) -> None:
        habit = habit_of(one)
        if habit is None:
            return
        key = (school_no, device_no, one.slot // DAY_SLOTS)
        if len(self._heard) > _MOST_DAYS:
            self._heard.clear()
        if habit:
            (self._heard.add if count > 0 else self._heard.discard)(key)
        self._db.execute(
            "INSERT INTO habits VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE"
            " SET heard = heard + excluded.heard, silent = silent + excluded.silent",
            (*key, count if habit else 0, 0 if habit else count),
        )
        if count < 0:
            query = "DELETE FROM habits WHERE (school_no, device_no, day, heard, silent) = (?, ?, ?, 0, 0)"
            self._db.execute(query, key)

    def _forget(self, school: str, device: str) -> None:
        self._devices.pop(school, None)
        self._schools.pop(device, None)

    def _school(self, school: str) -> int:
        return self.names.school(school, make=True) or 0

    def _device(self, device: str) -> int:
        return self.names.device(device, make=True) or 0
