# SPDX-License-Identifier: Apache-2.0
"""How does the page stay quick and current without reading a day of every school at each visit?

The board keeps one small `Day` per school. Every pass reads what is new of the schools that sent something,
and then, within a time budget, whole days: never-read ones first, then the oldest. Late evidence so always
arrives. All reading happens on one thread beside the event loop.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from collector.web.day import Day, read_day, read_tail
from collector.web.view import LastSeen, View

T = TypeVar("T")

AT_ONCE = 50
"""Schools read before a page's own question may come in between."""

BUDGET_S = 0.5
"""Time per pass for reading whole days again."""

REST = 4
"""Rest after a pass, in times its length: the page never takes more than a fifth of a processor."""

log = logging.getLogger("collector.web.board")


class Board:
    """The days of all schools, and whether the store could be read."""

    def __init__(self, view: View, *, refresh_every_s: float, budget_s: float = BUDGET_S) -> None:
        self.days: dict[str, Day] = {}
        self.last_seen: Mapping[str, LastSeen] = {}
        self.records: int | None = None
        self.lost: Mapping[str, int] = {}
        self.problem: str | None = None
        self.ready = asyncio.Event()
        self._view = view
        self._refresh_every_s = refresh_every_s
        self._budget_s = budget_s
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="web-reader")

    async def run(self) -> None:
        """Read for ever."""
        while True:
            began_s = time.monotonic()
            await self.refresh()
            rest_s = (time.monotonic() - began_s) * REST
            is_behind = self.problem is None and any(not d.read_ms for d in self.days.values())
            await asyncio.sleep(max(rest_s, self._budget_s if is_behind else self._refresh_every_s))

    async def ask(self, question: Callable[[], T]) -> T:
        """Run a question to the store on the reading thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, question)

    def close(self) -> None:
        """Let the thread end after the question it is at."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def refresh(self) -> None:
        """One pass; a store that cannot be read leaves what was known before, and is logged once."""
        try:
            await self._pass()
        except Exception as e:
            if not self.problem:
                log.exception("store.unreadable")
            self.problem = f"{type(e).__name__}: {e}"
            return
        if self.problem:
            log.info("store.readable")
        self.problem = None
        self.ready.set()

    async def _pass(self) -> None:
        self.last_seen = await self.ask(self._view.reader.last_seen)
        self.records = await self.ask(self._view.reader.count)
        self.lost = await self.ask(self._view.reader.lost)
        news = [s for s, seen in self.last_seen.items() if self._is_news(s, seen)]
        for some in _groups(news, AT_ONCE):
            await self.ask(functools.partial(self._read_tails, some))
        until = time.monotonic() + self._budget_s
        oldest = sorted(self.days, key=lambda s: self.days[s].read_ms)
        for some in _groups(oldest, AT_ONCE):
            if not await self.ask(functools.partial(self._read_days, some, until)):
                break

    def _is_news(self, school_id: str, seen: LastSeen) -> bool:
        day = self.days.get(school_id)
        return day is None or day.received_ms != seen.received_ms

    def _read_tails(self, school_ids: Iterable[str]) -> None:
        now_ms = self._view.now_ms()
        for each in school_ids:
            day, received_ms = self.days.get(each), self.last_seen[each].received_ms
            self.days[each] = read_tail(self._view.reader, each, day, now_ms=now_ms, received_ms=received_ms)

    def _read_days(self, school_ids: Iterable[str], until: float) -> bool:
        """Read whole days while there is time; false when there is none left."""
        now_ms = self._view.now_ms()
        for each in school_ids:
            if time.monotonic() >= until:
                return False
            received_ms = self.last_seen[each].received_ms if each in self.last_seen else 0
            self.days[each] = read_day(self._view.reader, each, now_ms=now_ms, received_ms=received_ms)
        return True


def _groups(items: Iterable[str], size: int) -> Iterable[tuple[str, ...]]:
    left = iter(items)
    while group := tuple(itertools.islice(left, size)):
        yield group
