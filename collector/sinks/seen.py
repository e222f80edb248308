# SPDX-License-Identifier: Apache-2.0
"""Has a record been stored before? One bit for each, whatever became of the record since."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

BLOCK = 1024
"""Sequence numbers in one row of bits: 128 bytes for ten hours of a busy agent."""

_BYTES = BLOCK // 8


def mark_new(db: sqlite3.Connection, identities: Iterable[tuple[int, int]]) -> list[bool]:
    """For each (session_no, seq) whether it is new; now it no longer is. Part of the caller's transaction."""
    blocks: dict[tuple[int, int], int] = {}
    changed = set()
    is_new = []
    for session_no, seq in identities:
        key = session_no, seq // BLOCK
        if key not in blocks:
            blocks[key] = _load(db, key)
        bit = 1 << seq % BLOCK
        is_new.append(not blocks[key] & bit)
        if is_new[-1]:
            blocks[key] |= bit
            changed.add(key)
    rows = [(*key, blocks[key].to_bytes(_BYTES, "little")) for key in sorted(changed)]
    db.executemany("INSERT OR REPLACE INTO seen (session_no, block, bits) VALUES (?, ?, ?)", rows)
    return is_new


def _load(db: sqlite3.Connection, key: tuple[int, int]) -> int:
    row = db.execute("SELECT bits FROM seen WHERE session_no = ? AND block = ?", key).fetchone()
    return 0 if row is None else int.from_bytes(row[0], "little")
