# SPDX-License-Identifier: Apache-2.0
"""Whose turn is it to load the line? One test at a time, at its own time, within the plan, beside pupils.

A test waits for its start, for the tests before it, and, for a while, for a quiet line. One that may not run
gives a record that says why. Other devices at the same school and the server's other guests are the
reflector's business: it refuses a test too many, and the test comes back a little later.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field

from agent.contract.kinds import Event
from agent.contract.reason import Reason
from agent.contract.record import ClockState
from agent.plan import month, windows
from agent.plan.budget import Allowance, State, allowance
from agent.plan.counters import Counters, growth
from agent.plan.ledger import Ledger
from agent.plan.line import Sleep, is_quiet
from agent.plan.options import PlanOptions
from agent.plan.times import Start, Times, chance
from agent.probes.base import CostsData
from agent.probes.host import throttled
from agent.round import Failed, Outcome
from agent.throughput.agreement import Agreement
from agent.throughput.validity import Around, moved_bytes, settle

log = logging.getLogger("agent.plan")

_LOOK_AGAIN_S = 30.0
"""So often a waiting test looks whether the clock was set meanwhile."""
_MISSED_S = 60.0
_NEVER_S = 86_400.0
_LONGEST_QUEUE_S = 7200.0
"""A test before it may wait long for pupils, but one that hangs must not silence all others."""
_SAMPLE_S = 1.0
_AGAIN_S, _AGAIN_TIMES = 120.0, 3
"""After a server that was busy: within so long, twice that the next time; so often."""
_LONGEST_MONTH_DAYS = 31


@dataclass(kw_only=True)
class Turn:
    """One test's permission to run, or why it has none.

    Attributes:
        probe: what may run: told to move no more than is left.
        refused: it may not.
    """

    probe: CostsData
    refused: Failed | None = None
    was_busy: bool = False
    was_throttled: bool = False
    line_bytes: Callable[[], int | None] = lambda: None
    moved_bytes: int | None = None
    agreement: Agreement = field(default_factory=Agreement)
    outcome: Outcome | None = field(default=None, init=False)

    def settle(self, outcome: Outcome | None) -> Outcome | None:
        """What the test gave, after a last look at it."""
        if outcome is None or isinstance(outcome, Failed):
            self.outcome = outcome
            return outcome
        line_bytes = self.line_bytes()
        around = Around(line_bytes=line_bytes, was_busy=self.was_busy, was_throttled=self.was_throttled)
        self.moved_bytes = moved_bytes(outcome)
        self.outcome = self.agreement.judged(settle(outcome, around), time.monotonic())
        return self.outcome


class Turns:
    """Of one device."""

    def __init__(
        self,
        device: str,
        options: PlanOptions,
        tests: Sequence[CostsData],
        *,
        ledger: Ledger,
        counters: Counters,
        now: Callable[[], ClockState],
        note: Callable[[Event], None] = lambda _event: None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._options = options
        self._ledger = ledger
        self._counters = counters
        self._now = now
        self._note = note
        self._sleep = sleep
        self._times = {test.table: times_of(device, options, test) for test in tests}
        self._starts: dict[str, Start] = {}
        self._busy_times: dict[str, int] = {}
        self._lock = asyncio.Lock()
        self._state = State.AMPLE
        self._is_loading = False
        self._loaded_until_s = -math.inf
        self._agreement = Agreement()

    async def start(self, test: CostsData) -> None:
        """Wait until the test's next start."""
        while True:
            asked_s = self._wall_s()
            start = self._again(test, asked_s) or self._times[test.table].next(asked_s)
            if start is None:
                await self._sleep(_NEVER_S)
            elif await self._reached(start, asked_s):
                self._starts[test.table] = start
                return
            else:
                self._busy_times.pop(test.table, None)

    async def _reached(self, start: Start, asked_s: float) -> bool:
        """Wait for it; False when the clock was set meanwhile, so that another may be the next."""
        while (left_s := start.at_s - self._wall_s()) > 0:
            await self._sleep(min(left_s, _LOOK_AGAIN_S))
            if self._wall_s() < asked_s:
                return False
        return left_s > -_MISSED_S

    @contextlib.asynccontextmanager
    async def turn(self, test: CostsData) -> AsyncIterator[Turn]:
        """Alone on this device, for as long as the block lasts."""
        start = self._starts.get(test.table) or Start(self._wall_s(), math.inf)
        if not await self._is_first(start):
            yield Turn(probe=test, refused=Failed(Reason.BUSY, "its turn did not come: another test runs"))
            return
        try:
            quiet = await self._is_quiet(start)
            turn = self._turn(test, was_busy=quiet is False)
            if turn.refused is not None:
                yield turn
                return
            async with self._loading(turn):
                yield turn
        finally:
            self._lock.release()

    @contextlib.asynccontextmanager
    async def _loading(self, turn: Turn) -> AsyncIterator[None]:
        """The test runs: on the ledger before its first packet, watched, and settled behind its last."""
        self._ledger.begin(turn.probe.estimate_bytes())
        self._is_loading = True
        sampler = asyncio.create_task(_sample(turn), name="sampler")
        try:
            yield
        finally:
            sampler.cancel()
            self._is_loading, self._loaded_until_s = False, time.monotonic()
            self._end(turn)

    async def _is_first(self, start: Start) -> bool:
        """Wait for the tests before this one; False when its window ends first, or they never end."""
        left_s = min(start.until_s - self._wall_s(), _LONGEST_QUEUE_S)
        try:
            async with asyncio.timeout(max(0.0, left_s)):
                await self._lock.acquire()
        except TimeoutError:
            return False
        if self._wall_s() < start.until_s:
            return True
        self._lock.release()
        return False

    def has_loaded_since(self, mono_s: float) -> bool:
        """Whether a test of this device loaded the line at any time since."""
        return self._is_loading or self._loaded_until_s > mono_s

    def _wall_s(self) -> float:
        return self._now().wall_ms / 1000

    async def _is_quiet(self, start: Start) -> bool | None:
        options = self._options
        until_s = min(start.at_s + options.wait_s, start.until_s)
        # A clock set back since the start makes its end a long way off.
        wait_s = min(options.wait_s, max(0.0, until_s - self._wall_s()))
        return await is_quiet(
            self._counters,
            self._sleep,
            busy_bps=options.busy_bps,
            look_s=options.look_s,
            wait_s=wait_s,
        )

    def _turn(self, test: CostsData, *, was_busy: bool) -> Turn:
        before = self._ledger.look()
        allowed = allowance(
            self._options,
            self._ledger.usage,
            least_bytes=test.least_bytes(),
            tests_left=self._tests_left(),
        )
        self._note_state(allowed)
        probe = test if allowed.bytes is None else test.within(allowed.bytes)
        if allowed.state is State.EXHAUSTED or probe is None:
            return Turn(probe=test, refused=Failed(Reason.PLAN_EXHAUSTED, self._standing()))

        def line_bytes() -> int | None:
            now = self._counters.read()
            same = before is not None and now is not None and before.interface == now.interface
            return sum(growth(before, now)) if same and now is not None else None

        return Turn(probe=probe, was_busy=was_busy, line_bytes=line_bytes, agreement=self._agreement)

    def _end(self, turn: Turn) -> None:
        moved, known, most = turn.moved_bytes, turn.line_bytes(), turn.probe.estimate_bytes()
        if moved is None:
            # It failed, or was stopped: no more than the interface moved, no more than it was allowed.
            moved = None if known is None else min(known, most)
        elif moved > most:
            # More than it was allowed is believed as far as the interface says so.
            moved = max(most, min(moved, known or 0))
        self._ledger.end(moved)
        was_refused = _is_busy(turn.outcome)
        table = turn.probe.table
        times = self._busy_times.get(table, 0) + 1 if was_refused else 0
        self._busy_times[table] = times if times <= _AGAIN_TIMES else 0

    def _again(self, test: CostsData, now_s: float) -> Start | None:
        """When a test that the server had no room for comes back: soon, and not with all the others."""
        times, last = self._busy_times.get(test.table, 0), self._starts.get(test.table)
        if not times or last is None:
            return None
        place = chance(self._times[test.table].device, test.table, str(last.at_s), str(times))
        at_s = now_s + (0.5 + place) * _AGAIN_S * 2 ** (times - 1)
        return Start(at_s, last.until_s) if at_s < last.until_s else None

    def _tests_left(self) -> int:
        """Until the plan's month ends, this one included."""
        today = windows.day_of(self._wall_s(), self._options.zone)
        begin = month.begin_of(today, self._options.reset_day)
        days = (month.end_of(begin, self._options.reset_day) - today).days
        a_month = sum(times.a_month() for times in self._times.values())
        return max(1, math.ceil(a_month * days / _LONGEST_MONTH_DAYS))

    def _note_state(self, allowed: Allowance) -> None:
        if allowed.state is self._state:
            return
        self._state = allowed.state
        usage = self._ledger.usage
        log.info("plan.%s test_bytes=%d line_bytes=%d", self._state, usage.test_bytes, usage.line_bytes)
        self._note(Event(event=f"plan_{self._state}", count=usage.test_bytes, subject=self._standing()))

    def _standing(self) -> str:
        usage, options = self._ledger.usage, self._options
        return (
            f"since {usage.month}: tests {usage.test_bytes} of {options.share_bytes} bytes, "
            f"line {usage.line_bytes} of {options.month_bytes}"
        )


def times_of(device: str, options: PlanOptions, test: CostsData) -> Times:
    """When this test starts on this device."""
    return Times(
        device=device, test=test.table, every_s=test.every_s, windows=options.spans, zone=options.zone
    )


async def _sample(turn: Turn) -> None:
    """Look at the processor while the test runs: what it was at the end says little."""
    while True:
        turn.was_throttled |= throttled() is True
        await asyncio.sleep(_SAMPLE_S)


def _is_busy(outcome: Outcome | None) -> bool:
    """Whether the server had no room."""
    if isinstance(outcome, Failed):
        return outcome.reason is Reason.BUSY
    return bool(outcome) and all(finding.reason is Reason.BUSY for finding in outcome or ())
