# SPDX-License-Identifier: Apache-2.0
"""Which devices were invited, enrolled and revoked, with which keys and certificates?

SQLite: the program that runs and the commands an operator types use it at the same time, and a token is used
up in the transaction that keeps its certificate. Of a token only the hash is here. Nothing is ever deleted:
old keys are what old signatures are verified with.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SCHEMA = """
CREATE TABLE IF NOT EXISTS token (
    hash BLOB PRIMARY KEY, device TEXT NOT NULL, expires_s INTEGER NOT NULL, used_by BLOB, withdrawn INTEGER);
CREATE TABLE IF NOT EXISTS signing_key (
    public BLOB PRIMARY KEY, device TEXT NOT NULL, from_s INTEGER NOT NULL, until_s INTEGER);
CREATE TABLE IF NOT EXISTS certificate (
    serial TEXT PRIMARY KEY, device TEXT NOT NULL, public BLOB NOT NULL, pem TEXT NOT NULL,
    not_before_s INTEGER NOT NULL, not_after_s INTEGER NOT NULL, revoked_s INTEGER);
CREATE INDEX IF NOT EXISTS certificate_of ON certificate (device, not_after_s);
CREATE TABLE IF NOT EXISTS device (id TEXT PRIMARY KEY, revoked_s INTEGER);
CREATE TABLE IF NOT EXISTS counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


@dataclass(frozen=True, kw_only=True)
class Token:
    """An invitation; `used_by` is the fingerprint of the keys that used it."""

    device: str
    expires_s: int
    used_by: bytes | None
    withdrawn: bool


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A certificate that was issued."""

    serial: int
    device: str
    public: bytes
    pem: str
    not_before_s: int
    not_after_s: int


@dataclass(frozen=True, kw_only=True)
class Line:
    """One device, for people."""

    device: str
    state: str
    certificate_until_s: int | None
    token_until_s: int | None


class Ledger:
    """One connection; one thread at a time."""

    def __init__(self, file: Path) -> None:
        self._db = sqlite3.connect(file, isolation_level=None, check_same_thread=False, timeout=10)
        self._db.executescript("PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;" + _SCHEMA)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    @contextlib.contextmanager
    def changing(self) -> Iterator[None]:
        """All or nothing, and nobody else meanwhile."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def version(self) -> tuple[int, int]:
        """Something that differs after every change, whoever made it."""
        return int(self._one("PRAGMA data_version")[0]), self._db.total_changes

    def add_token(self, token: str, device: str, expires_s: int) -> None:
        """Invite; earlier invitations of the device no longer hold."""
        self._db.execute("UPDATE token SET withdrawn=1 WHERE device=?", (device,))
        self._db.execute("INSERT INTO token VALUES (?,?,?,NULL,NULL)", (token_hash(token), device, expires_s))

    def token(self, token: str) -> Token | None:
        """An invitation, by what the device says."""
        columns = "device, expires_s, used_by, withdrawn"
        row = self._one(f"SELECT {columns} FROM token WHERE hash=?", token_hash(token))  # noqa: S608 -- constant
        if row is None:
            return None
        return Token(device=row[0], expires_s=row[1], used_by=row[2], withdrawn=bool(row[3]))

    def use_token(self, token: str, used_by: bytes) -> None:
        """Used up."""
        self._db.execute("UPDATE token SET used_by=? WHERE hash=?", (used_by, token_hash(token)))

    def set_signing_key(self, device: str, public: bytes, now_s: int) -> None:
        """The device signs with this key from now on, and with no other."""
        self._db.execute(
            "UPDATE signing_key SET until_s=? WHERE device=? AND public<>? AND until_s IS NULL",
            (now_s, device, public),
        )
        self._db.execute("INSERT OR IGNORE INTO signing_key VALUES (?,?,?,NULL)", (public, device, now_s))
        self._db.execute("INSERT OR REPLACE INTO device VALUES (?,NULL)", (device,))

    def owner_of(self, public: bytes) -> tuple[str, bool] | None:
        """Whose signing key it is or was, and whether it still holds."""
        row = self._one("SELECT device, until_s IS NULL FROM signing_key WHERE public=?", public)
        return None if row is None else (row[0], bool(row[1]))

    def signing_keys(self) -> list[tuple[str, bytes]]:
        """Every key that holds, with its device."""
        return self._db.execute("SELECT device, public FROM signing_key WHERE until_s IS NULL").fetchall()

    def all_keys(self) -> dict[str, list[bytes]]:
        """Every key that holds or held, by device."""
        found: dict[str, list[bytes]] = {}
        for device, public in self._db.execute("SELECT device, public FROM signing_key ORDER BY from_s"):
            found.setdefault(device, []).append(bytes(public))
        return found

    def signing_key_of(self, device: str) -> bytes | None:
        """The key a device signs with."""
        row = self._one("SELECT public FROM signing_key WHERE device=? AND until_s IS NULL", device)
        return None if row is None else bytes(row[0])

    def add_certificate(self, kept: Kept) -> None:
        """Issued."""
        row = (str(kept.serial), kept.device, kept.public, kept.pem, kept.not_before_s, kept.not_after_s)
        self._db.execute("INSERT INTO certificate VALUES (?,?,?,?,?,?,NULL)", row)

    def newest_certificate(self, device: str) -> Kept | None:
        """The last one issued that was not revoked."""
        row = self._one(
            "SELECT serial, public, pem, not_before_s, not_after_s FROM certificate"
            " WHERE device=? AND revoked_s IS NULL ORDER BY not_after_s DESC, rowid DESC LIMIT 1",
            device,
        )
        if row is None:
            return None
        return Kept(
            serial=int(row[0]),
            device=device,
            public=row[1],
            pem=row[2],
            not_before_s=row[3],
            not_after_s=row[4],
        )

    def lives(self) -> dict[str, tuple[int, int]]:
        """From when until when the newest certificate of each device that may speak holds; Unix times."""
        rows = self._db.execute(
            "SELECT c.device, c.not_before_s, MAX(c.not_after_s) FROM certificate c JOIN device d"
            " ON d.id = c.device AND d.revoked_s IS NULL WHERE c.revoked_s IS NULL GROUP BY c.device"
        )
        return {device: (begin_s, end_s) for device, begin_s, end_s in rows}

    def revoke(self, device: str, now_s: int) -> int:
        """Nothing the device has holds any more; how many certificates that were still good."""
        self._db.execute("INSERT OR REPLACE INTO device VALUES (?,?)", (device, now_s))
        self._db.execute("UPDATE token SET withdrawn=1 WHERE device=?", (device,))
        self._db.execute(
            "UPDATE signing_key SET until_s=? WHERE device=? AND until_s IS NULL", (now_s, device)
        )
        return self._db.execute(
            "UPDATE certificate SET revoked_s=? WHERE device=? AND revoked_s IS NULL AND not_after_s>=?",
            (now_s, device, now_s),
        ).rowcount

    def supersede(self, device: str, public: bytes, now_s: int) -> int:
        """Only certificates for this key hold from now on; how many others did."""
        return self._db.execute(
            "UPDATE certificate SET revoked_s=?"
            " WHERE device=? AND public<>? AND revoked_s IS NULL AND not_after_s>=?",
            (now_s, device, public, now_s),
        ).rowcount

    def revoked_devices(self) -> list[str]:
        """Who may not speak any more."""
        return [row[0] for row in self._db.execute("SELECT id FROM device WHERE revoked_s IS NOT NULL")]

    def revoked_certificates(self, now_s: int) -> list[tuple[int, int]]:
        """Serials, with when they were revoked, of those that would hold otherwise."""
        rows = self._db.execute(
            "SELECT serial, revoked_s FROM certificate WHERE revoked_s IS NOT NULL AND not_after_s>=?",
            (now_s,),
        )
        return [(int(serial), at_s) for serial, at_s in rows]

    def next_number(self, name: str) -> int:
        """1, 2, 3 …"""
        self._db.execute("INSERT OR IGNORE INTO counter VALUES (?,0)", (name,))
        self._db.execute("UPDATE counter SET value=value+1 WHERE name=?", (name,))
        return int(self._one("SELECT value FROM counter WHERE name=?", name)[0])

    def lines(self, now_s: int) -> list[Line]:
        """Everybody."""
        rows = self._db.execute(
            "SELECT id, MAX(revoked_s), MAX(until_s), MAX(token_s) FROM ("
            " SELECT id, revoked_s, NULL AS until_s, NULL AS token_s FROM device"
            " UNION ALL SELECT device, NULL, not_after_s, NULL FROM certificate WHERE revoked_s IS NULL"
            " UNION ALL SELECT device, NULL, NULL, expires_s FROM token"
            "  WHERE used_by IS NULL AND withdrawn IS NULL AND expires_s>=?"
            ") GROUP BY id ORDER BY id",
            (now_s,),
        )
        return [
            Line(device=d, state=_state(r, u, t, now_s), certificate_until_s=u, token_until_s=t)
            for d, r, u, t in rows
        ]

    def _one(self, sql: str, *values: object) -> Any:
        return self._db.execute(sql, values).fetchone()


def token_hash(token: str) -> bytes:
    """What is kept of a token; it has 256 random bits, so a plain hash tells nothing."""
    return hashlib.sha256(token.encode()).digest()


def _state(revoked_s: int | None, until_s: int | None, token_s: int | None, now_s: int) -> str:
    if token_s is not None:
        return "invited"
    if revoked_s is not None:
        return "revoked"
    if until_s is None:
        return "invitation expired"
    return "enrolled" if until_s >= now_s else "expired"
