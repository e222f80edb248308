# SPDX-License-Identifier: Apache-2.0
"""Killed before any statement of the storage: is each thing told once, and all of it?

The journal is a list, the cursor a place in it, and a crash leaves what was committed. Before every single
one: SCHOOLPULSE_TEST_ALERT_CRASHES=1.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agent.contract.kinds import Host, Reach
from collector.alerts.signature import new_secret
from collector.alerts.watchman import Watchman
from collector.alerts.word import Acknowledgement
from collector.sinks.base import Measurement
from tests.unit.collector.alerts.day import MINUTE_MS
from tests.unit.collector.alerts.test_watchman import Post

_DOWN, _UP = Reach(up=False, hint="down_provider"), Reach(up=True, hint="up")
_STORY = [_UP] * 2 + [_DOWN] * 7 + [_UP] * 5
_EVERY = int(os.environ.get("SCHOOLPULSE_TEST_ALERT_CRASHES", "13"))


class Killed(BaseException):
    """As nobody can catch it."""


class Mortal:
    """A base that dies before its n-th statement, and takes no more."""

    def __init__(self, inner: sqlite3.Connection, statements: int) -> None:
        self.inner = inner
        self.left = statements

    @property
    def in_transaction(self) -> bool:
        return self.inner.in_transaction

    def execute(self, sql: str, *more: Any) -> sqlite3.Cursor:
        self._live()
        return self.inner.execute(sql, *more)

    def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:
        self._live()
        return self.inner.executemany(sql, rows)

    def close(self) -> None:
        self.inner.close()

    def _live(self) -> None:
        self.left -= 1
        if self.left <= 0:
            raise Killed


class Life:
    """A watchman, the journal it reads, and who kills it."""

    def __init__(self, directory: Path, secret: Path) -> None:
        self.post = Post(directory / "alerts")
        hook = {"url": "https://noc.example.org", "secret_file": str(secret)}
        self.post.hooks = {"noc": hook, "chief": {**hook, "after_s": 120}}
        self.post.killed()
        self.journal: list[Sequence[Measurement]] = []

    def live(self, statements: int) -> int:
        """The whole story, killed once before so many statements; how many there were until then."""
        self._doom(statements)
        for fields in _STORY:
            self.post.now_ms += MINUTE_MS
            self.journal.append([self.post.record(fields), self.post.record(Host(spool_writable=fields.up))])
            try:
                self._minute()
            except Killed:
                self._rise()
        return statements - self.watchman_base.left

    @property
    def watchman_base(self) -> Mortal:
        base: Any = self.post.watchman.outbox._base
        assert isinstance(base, Mortal)
        return base

    def _doom(self, statements: int) -> None:
        base: Any = Mortal(self.post.watchman.outbox._base, statements)
        self.post.watchman.outbox._base = base

    def _rise(self) -> None:
        """A new process: what was committed is all there is."""
        self.watchman_base.inner.close()
        self.post.watchman = self.post.made()
        self._doom(10**9)
        self._minute()

    def _minute(self) -> None:
        watchman: Watchman = self.post.watchman
        place = watchman.memory.noted("cursor")
        self.post.place = int(place.partition(":")[2]) if place else 0
        for batch in self.journal[self.post.place :]:
            self.post.write(*batch)
        watchman.tick()
        for event in watchman.firing:
            if event.rule == "outage" and event.owner is None:
                said = Acknowledgement(alert=event.alert, owner="Aigerim", until_ms=self.post.now_ms + 10**9)
                watchman.words.acknowledge(said, self.post.now_ms)


def told(life: Life, hook: str) -> dict[str, list[str]]:
    """States of each rule, in the order in which a hook is told of them."""
    asked = """SELECT e.body FROM delivery d JOIN event e ON e.number = d.event
               WHERE d.hook = ? ORDER BY e.number"""
    found: dict[str, list[str]] = {}
    ids = set()
    with life.post.watchman.outbox.transaction() as base:
        rows = base.execute(asked, (hook,)).fetchall()
    for (body,) in rows:
        event = json.loads(body)
        found.setdefault(event["rule"], []).append(event["state"])
        ids.add(event["alert"])
    assert len(ids) == len(found)
    return found


@pytest.mark.timeout(120)
def test_killed_before_any_statement_all_is_told_once(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(new_secret())
    expected = {"outage": ["firing", "acknowledged", "resolved"], "card_failed": ["firing", "resolved"]}
    whole = Life(tmp_path / "whole", secret)
    with contextlib.closing(whole.post.watchman.outbox):
        count = whole.live(10**9)
        assert told(whole, "noc") == expected
        late = told(whole, "chief")
        assert late == {"card_failed": ["firing", "resolved"]}
    kills = range(1, count, _EVERY)
    for kill in kills:
        life = Life(tmp_path / str(kill), secret)
        life.live(kill)
        with contextlib.closing(life.post.watchman.outbox):
            assert (kill, told(life, "noc")) == (kill, expected)
            assert (kill, told(life, "chief")) == (kill, late)
    print(f"\n{count} statements, killed before {len(kills)} of them")
