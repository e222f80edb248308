# SPDX-License-Identifier: Apache-2.0
"""How does the page stay quick and current without reading a day of every school at each visit?

The board keeps one small `Day` per school. Every pass reads what is new of the schools that sent something,
and then, within a time budget, whole days: never-read ones first, then the oldest. Late evidence so always
arrives. Passes and visitors' questions share one thread beside the event loop; which schools were heard of
and how many records there are is looked up on another, every few seconds however long a pass takes.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from collector.web.day import Day, read_day, read_tails
from collector.web.view import LastSeen, View

T = TypeVar("T")

AT_ONCE = 50
"""Schools read before a page's own question may come in between."""

BUDGET_S = 0.5
"""Time per pass for reading whole days again."""

LOOK_EVERY_S = 5.0
"""Time between two looks at who was heard of: two queries over one small table, 30 ms for 7,378 schools."""

REST = 4
"""Rest after a pass, in times its length: the page never takes more than a fifth of a processor."""

log = logging.getLogger("collector.web.board")


class Board:
    """The days of all schools, and whether the store could be read.

    Attributes:
        looked_ms: when `last_seen` and `records` were looked up; None for not yet.
        read_ms: from when on what is new is not in `days`; None for not yet read.
    """

    def __init__(self, view: View, *, refresh_every_s: float, budget_s: float = BUDGET_S) -> None:
        self.days: dict[str, Day] = {}
        self.last_seen: Mapping[str, LastSeen] = {}
        self.records: int | None = None
        self.looked_ms: int | None = None
        self.read_ms: int | None = None
        self.lost: Mapping[str, int] = {}
        self.ready = asyncio.Event()
        self._problems: dict[str, str] = {}
        self._view = view
        self._refresh_every_s = refresh_every_s
        self._budget_s = budget_s
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="web-reader")

    @property
    def problem(self) -> str | None:
        """Why the store could not be looked at or read the last time; None when it could."""
        return next(iter(self._problems.values()), None)

    async def run(self) -> None:
        """Look and read for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._look_for_ever(), name="web-look")
            tasks.create_task(self._read_for_ever(), name="web-read")

    async def _look_for_ever(self) -> None:
        while True:
            await asyncio.sleep(min(LOOK_EVERY_S, self._refresh_every_s))
            await self.look()

    async def _read_for_ever(self) -> None:
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
        """Look, and make one pass."""
        if await self.look() and await self._try("read", self._pass):
            self.ready.set()

    async def look(self) -> bool:
        """See who was heard of and count the records; false when the store could not be read."""
        return await self._try("look", self._look)

    async def _try(self, part: str, work: Callable[[], Awaitable[None]]) -> bool:
        """A store that cannot be read leaves what was known before, and is logged once."""
        try:
            await work()
        except Exception as e:
            if not self._problems:
                log.exception("store.unreadable")
            self._problems[part] = f"{type(e).__name__}: {e}"
            return False
        if self._problems.pop(part, None) and not self._problems:
            log.info("store.readable")
        return True

    async def _look(self) -> None:
        looked_ms, reader = self._view.now_ms(), self._view.reader
        found = await asyncio.to_thread(lambda: (reader.last_seen(), reader.count(), reader.lost()))
        self.last_seen, self.records, self.lost = found
        self.looked_ms = looked_ms

    async def _pass(self) -> None:
        began_ms, seen = self._view.now_ms(), self.last_seen
        news = [i for i, each in seen.items() if self._is_news(i, each)]
        for some in _groups(news, AT_ONCE):
            await self.ask(functools.partial(self._read_tails, some, seen))
        self.read_ms = began_ms
        until = time.monotonic() + self._budget_s
        oldest = sorted(self.days, key=lambda s: self.days[s].read_ms)
        for some in _groups(oldest, AT_ONCE):
            if not await self.ask(functools.partial(self._read_days, some, seen, until)):
                break

    def _is_news(self, school_id: str, seen: LastSeen) -> bool:
        day = self.days.get(school_id)
        return day is None or day.received_ms != seen.received_ms

    def _read_tails(self, school_ids: Iterable[str], seen: Mapping[str, LastSeen]) -> None:
        known = {i: self.days.get(i) for i in school_ids}
        self.days |= read_tails(self._view.reader, known, seen, now_ms=self._view.now_ms())

    def _read_days(self, school_ids: Iterable[str], seen: Mapping[str, LastSeen], until: float) -> bool:
        """Read whole days while there is time; false when there is none left."""
        now_ms = self._view.now_ms()
        for each in school_ids:
            if time.monotonic() >= until:
                return False
            received_ms = seen[each].received_ms if each in seen else 0
            self.days[each] = read_day(self._view.reader, each, now_ms=now_ms, received_ms=received_ms)
        return True


def _groups(items: Iterable[str], size: int) -> Iterable[tuple[str, ...]]:
    left = iter(items)
    while group := tuple(itertools.islice(left, size)):
        yield group
