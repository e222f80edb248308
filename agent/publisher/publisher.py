# SPDX-License-Identifier: Apache-2.0
"""What is sent when, and when is it forgotten?

    connected → greeting (an empty batch) → the collector answers → live reports, and the backlog beside them
                    ↑                                                     │
                    └──────── connection lost, or an asked-for acknowledgement did not come

While the collector does not answer, nothing but a greeting now and then is spent on the link. What was sent
and not acknowledged, or made while there was no conversation for long, is backlog: it follows behind the live
reports, one batch at a time, at its share of the link.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from agent.config import MqttOptions
from agent.contract.codec import encode
from agent.contract.record import MAX_SPAN, Ack, Batch, ClockState
from agent.publisher.link import Link
from agent.publisher.past import Past
from agent.scheduler import next_start_s, phase_ratio
from agent.spool.reading import Position, Run
from agent.spool.spool import Spool

log = logging.getLogger("agent.publisher")

Learn = Callable[[int, int, int], None]
"""Takes the collector's wall_ms, and this device's mono_ms of question and answer."""

_BATCH_RECORDS = 200
_MAX_SESSIONS_GREETED = 20
_LIVE_INTERVALS = 2
_GREETING_S = 10.0
_FIRST_PAUSE_S = 2.0
_LONGEST_PAUSE_S = 300.0
_LONGEST_HOLD_S = 3600


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Somebody waits for an acknowledgement of a session that covers a number."""

    session: str
    seq: int
    answered: asyncio.Event


class Publisher:
    """Brings the spool to the collector."""

    def __init__(
        self,
        device: str,
        spool: Spool,
        link: Link,
        options: MqttOptions,
        now: Callable[[], ClockState],
        *,
        learn: Learn = lambda _wall_ms, _asked_ms, _answered_ms: None,
        past: Past | None = None,
    ) -> None:
        self._device = device
        self._spool = spool
        self._link = link
        self._options = options
        self._now = now
        self._learn = learn
        self._past = past or Past(spool.session)
        self._first_sent: tuple[int, int] | None = None
        self._live_after: Position | None = spool.end()
        self._backlog_until: Position | None = self._live_after
        self._talked_at_s = time.monotonic()
        self._asked_at_s = -float("inf")
        self._hold_until_s = -float("inf")
        self._ack_timer: asyncio.TimerHandle | None = None
        self._has_forgotten = False
        self._has_ever_forgotten = False
        self._talking = asyncio.Event()
        self._silent = asyncio.Event()
        self._more_backlog = asyncio.Event()
        self._waiting: list[_Waiting] = []
        self._urgent = asyncio.Event()
        self.on_time: Callable[[int], None] = lambda _wall_ms: None
        self.seal: Callable[[bytes, Batch], bytes] = lambda payload, _batch: payload
        link.on_ack = self._on_ack
        link.on_connection = self._on_connection

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._link.run(), name="link")
            group.create_task(self._converse(), name="converse")
            group.create_task(self._report(), name="report")
            group.create_task(self._drain(), name="drain")

    def hurry(self) -> None:
        """Something was measured that cannot wait for the next report."""
        self._urgent.set()

    async def _converse(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            await self._link.connected.wait()
            self._has_forgotten = False
            if await self._greet():
                await self._talk()
            if self._has_forgotten:
                pause_s = _FIRST_PAUSE_S
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 -- spreads a fleet
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _talk(self) -> None:
        """Report and drain until the collector falls silent."""
        self._begin()
        await self._silent.wait()
        self._spool.sent(None)
        self._talked_at_s = time.monotonic()
        self._talking.clear()

    async def _greet(self) -> bool:
        """Ask what the collector has of each session; True when it answered for this one."""
        older = [s for s in self._spool.pending_sessions() if s != self._spool.session]
        for session in [*self._past.unsettled(), *older[-_MAX_SESSIONS_GREETED:], self._spool.session]:
            self._send(self._question(session))
        return await self._answer_to(self._spool.session, 0, min(_GREETING_S, self._options.ack_timeout_s))

    def _begin(self) -> None:
        """Part what is live from what is backlog, and talk."""
        interval_s = self._options.report_every_s
        if time.monotonic() - self._talked_at_s > _LIVE_INTERVALS * interval_s:
            self._live_after = self._spool.end() or self._live_after
        self._backlog_until = self._live_after
        self._silent.clear()
        self._more_backlog.set()
        self._talking.set()

    async def _report(self) -> None:
        interval_s = self._options.report_every_s
        phase = phase_ratio(self._device, "report")
        while True:
            due_s = next_start_s(time.monotonic(), interval_s, phase) - time.monotonic()
            is_urgent = await _happens(self._urgent, due_s)
            await self._talking.wait()
            if self._hold_s() > 0 and not is_urgent:
                continue
            self._urgent.clear()
            self._send_live(is_urgent=is_urgent)

    def _send_live(self, *, is_urgent: bool) -> None:
        while found := self._next_batch(after=self._live_after):
            run, batch = found
            want_ack = is_urgent or self._is_ack_due()
            batch = replace(batch, want_ack=want_ack)
            if not self._send(batch):
                return
            self._live_after = run.end
            self._spool.sent(run.end)
            if want_ack:
                self._first_sent = batch.last_seq, batch.clock.mono_ms
                self._expect_ack()
        if self._is_ack_due() and self._spool.end() is not None:
            self._send(self._question(self._spool.session))
            self._expect_ack()

    def _is_ack_due(self) -> bool:
        half_interval_s = self._options.report_every_s / 2
        return time.monotonic() - self._asked_at_s >= self._options.asks_every_s - half_interval_s

    def _expect_ack(self) -> None:
        self._asked_at_s = time.monotonic()
        if self._ack_timer is None:
            loop = asyncio.get_running_loop()
            self._ack_timer = loop.call_later(self._options.ack_timeout_s, self._went_silent)

    def _went_silent(self) -> None:
        log.warning("publisher.unanswered after_s=%g", self._options.ack_timeout_s)
        self._drop_timer()
        self._silent.set()

    async def _drain(self) -> None:
        while True:
            await asyncio.sleep(self._hold_s())
            await self._talking.wait()
            self._more_backlog.clear()
            until = self._backlog_until
            again = self._past.next(self._device, self._now())
            if again is not None:
                if await self._send_backlog(again):
                    self._past.told()
            elif found := until and self._next_batch(after=None, until=until):
                await self._send_backlog(replace(found[1], want_ack=True, backlog=True))
            elif unsettled := self._past.unsettled():
                await self._send_backlog(self._question(unsettled[0]))
            else:
                await self._more_backlog.wait()

    async def _send_backlog(self, batch: Batch) -> bool:
        payload_bytes = self._send(batch)
        seq = batch.records[-1].seq if batch.records else batch.last_seq
        if payload_bytes and await self._answer_to(batch.session, seq, self._options.ack_timeout_s):
            await asyncio.sleep(payload_bytes * 8 / self._options.backlog_bps)
            return True
        self._silent.set()
        await asyncio.sleep(_FIRST_PAUSE_S)
        return False

    async def _answer_to(self, session: str, seq: int, within_s: float) -> bool:
        """Wait for an acknowledgement of the session that covers `seq`; False when none comes in time."""
        waiting = _Waiting(session, seq, asyncio.Event())
        self._waiting.append(waiting)
        try:
            return await _happens(waiting.answered, within_s)
        finally:
            self._waiting.remove(waiting)

    def _on_ack(self, ack: Ack) -> None:
        if ack.session == self._spool.session and ack.newest > self._spool.last_seq:
            # Believed, it would make this agent call numbers gone that it has yet to use.
            log.warning("publisher.bad_ack newest=%d made=%d", ack.newest, self._spool.last_seq)
            return
        self.on_time(ack.wall_ms)
        if ack.session == self._spool.session:
            self._drop_timer()
            self._learn_time(ack)
        self._hold_until_s = time.monotonic() + min(ack.pause_s or 0, _LONGEST_HOLD_S)
        if self._past.answered(ack):
            self._silent.set()
        lost_until = self._spool.newest_covered(ack)
        self._note_progress(self._spool.acknowledge(ack))
        if lost_until and lost_until > (self._backlog_until or (0, 0)):
            self._backlog_until = lost_until
        self._more_backlog.set()
        for waiting in self._waiting:
            if waiting.session == ack.session and _covers(ack, waiting.seq):
                waiting.answered.set()

    def _note_progress(self, forgotten: int) -> None:
        """Only what was taken in shortens the pauses; a collector may answer greetings and nothing else."""
        if forgotten and not self._has_ever_forgotten:
            log.info("publisher.acknowledged records=%d", forgotten)
        self._has_forgotten |= forgotten > 0
        self._has_ever_forgotten |= forgotten > 0

    def _hold_s(self) -> float:
        """How long the collector still wants what can wait to be held back."""
        return max(0.0, self._hold_until_s - time.monotonic())

    def _learn_time(self, ack: Ack) -> None:
        """What covers a number was made after that number first left, however long it was under way."""
        if self._first_sent is not None and _covers(ack, self._first_sent[0]):
            self._learn(ack.wall_ms, self._first_sent[1], self._now().mono_ms)
            self._first_sent = None

    def _on_connection(self, is_up: bool) -> None:
        if not is_up:
            self._drop_timer()
            self._silent.set()

    def _drop_timer(self) -> None:
        if self._ack_timer is not None:
            self._ack_timer.cancel()
            self._ack_timer = None

    def _next_batch(
        self, *, after: Position | None, until: Position | None = None
    ) -> tuple[Run, Batch] | None:
        """The next records, as many as fit into one message."""
        limit = _BATCH_RECORDS
        while run := self._spool.next_run(after=after, until=until, limit=limit):
            if len(run.records) == 1 or self._fits(run):
                return run, self._batch(run)
            limit = len(run.records) // 2
        return None

    def _fits(self, run: Run) -> bool:
        if run.records[-1].seq - run.records[0].seq >= MAX_SPAN:
            return False
        return len(self._encode(self._batch(run))) <= self._link.largest_payload

    def _batch(self, run: Run) -> Batch:
        first_seq = self._past.first_seq(run.session, run.first_seq, run.records[0].seq)
        return Batch(
            device=self._device,
            session=run.session,
            first_seq=max(first_seq, run.records[-1].seq - MAX_SPAN + 1),
            clock=self._now(),
            records=run.records,
        )

    def _encode(self, batch: Batch) -> bytes:
        return encode(batch, self._options.payload)

    def _question(self, session: str) -> Batch:
        """An empty batch, which only asks what the collector has of a session."""
        return Batch(device=self._device, session=session, first_seq=1, clock=self._now())

    def _send(self, batch: Batch) -> int:
        """Bytes of the payload, 0 when there is no connection."""
        if not self._link.connected.is_set():
            return 0
        inner = self._encode(batch)
        payload = self.seal(inner, batch)
        if not self._link.publish(payload):
            return 0
        self._past.keep(batch, inner)
        return len(payload)


def _covers(ack: Ack, seq: int) -> bool:
    return seq <= ack.up_to_seq or any(low <= seq <= high for low, high in ack.ranges)


async def _happens(event: asyncio.Event, within_s: float) -> bool:
    """Whether the event is set before the time is over."""
    try:
        async with asyncio.timeout(max(0.0, within_s)):
            await event.wait()
    except TimeoutError:
        return False
    return True
