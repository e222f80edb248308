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
from dataclasses import dataclass

from agent.config import MqttOptions
from agent.contract.codec import encode
from agent.contract.record import Ack, Batch, ClockState
from agent.publisher.link import Link
from agent.scheduler import next_start_s, phase_ratio
from agent.spool.reading import Position, Run
from agent.spool.spool import Spool

log = logging.getLogger("agent.publisher")

_BATCH_RECORDS = 200
_MAX_SESSIONS_GREETED = 20
_LIVE_INTERVALS = 2
_GREETING_S = 10.0
_FIRST_PAUSE_S = 2.0
_LONGEST_PAUSE_S = 300.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Somebody waits for an acknowledgement of a session that covers a number."""

    session: str
    seq: int
    answered: asyncio.Event


class Publisher:
    """Brings the spool to the collector."""

    def __init__(
        self, device: str, spool: Spool, link: Link, options: MqttOptions, now: Callable[[], ClockState]
    ) -> None:
        self._device = device
        self._spool = spool
        self._link = link
        self._options = options
        self._now = now
        self._live_after: Position | None = spool.end()
        self._backlog_until: Position | None = self._live_after
        self._talked_at_s = time.monotonic()
        self._asked_at_s = -float("inf")
        self._ack_timer: asyncio.TimerHandle | None = None
        self._talking = asyncio.Event()
        self._silent = asyncio.Event()
        self._more_backlog = asyncio.Event()
        self._waiting: list[_Waiting] = []
        self._urgent = asyncio.Event()
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
            if await self._greet():
                pause_s = _FIRST_PAUSE_S
                self._begin()
                await self._silent.wait()
                self._spool.sent(None)
                self._talked_at_s = time.monotonic()
                self._talking.clear()
            else:
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 -- spreads a fleet, guards nothing
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _greet(self) -> bool:
        """Ask what the collector has of each session; True when it answered for this one."""
        older = [s for s in self._spool.pending_sessions() if s != self._spool.session]
        for session in [*older[-_MAX_SESSIONS_GREETED:], self._spool.session]:
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
            self._urgent.clear()
            self._send_live(is_urgent=is_urgent)

    def _send_live(self, *, is_urgent: bool) -> None:
        while run := self._spool.next_run(after=self._live_after, limit=_BATCH_RECORDS):
            want_ack = is_urgent or self._is_ack_due()
            if not self._send(self._batch(run, want_ack=want_ack, backlog=False)):
                return
            self._live_after = run.end
            self._spool.sent(run.end)
            if want_ack:
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
            await self._talking.wait()
            self._more_backlog.clear()
            until = self._backlog_until
            run = until and self._spool.next_run(after=None, until=until, limit=_BATCH_RECORDS)
            if run:
                await self._send_backlog(run)
            else:
                await self._more_backlog.wait()

    async def _send_backlog(self, run: Run) -> None:
        payload_bytes = self._send(self._batch(run, want_ack=True, backlog=True))
        if payload_bytes and await self._answer_to(
            run.session, run.records[-1].seq, self._options.ack_timeout_s
        ):
            await asyncio.sleep(payload_bytes * 8 / self._options.backlog_bps)
        else:
            self._silent.set()
            await asyncio.sleep(_FIRST_PAUSE_S)

    async def _answer_to(self, session: str, seq: int, within_s: float) -> bool:
        """Wait for an acknowledgement of the session that covers `seq`; False when none comes in time."""
        waiting = _Waiting(session, seq, asyncio.Event())
        self._waiting.append(waiting)
        try:
            return await _happens(waiting.answered, within_s)
        finally:
            self._waiting.remove(waiting)

    def _on_ack(self, ack: Ack) -> None:
        if ack.session == self._spool.session:
            self._drop_timer()
        lost_until = self._spool.newest_covered(ack)
        self._spool.acknowledge(ack)
        if lost_until and lost_until > (self._backlog_until or (0, 0)):
            self._backlog_until = lost_until
        self._more_backlog.set()
        for waiting in self._waiting:
            if waiting.session == ack.session and _covers(ack, waiting.seq):
                waiting.answered.set()

    def _on_connection(self, is_up: bool) -> None:
        if not is_up:
            self._drop_timer()
            self._silent.set()

    def _drop_timer(self) -> None:
        if self._ack_timer is not None:
            self._ack_timer.cancel()
            self._ack_timer = None

    def _batch(self, run: Run, *, want_ack: bool, backlog: bool) -> Batch:
        return Batch(
            device=self._device,
            session=run.session,
            first_seq=run.first_seq,
            clock=self._now(),
            records=run.records,
            want_ack=want_ack,
            backlog=backlog,
        )

    def _question(self, session: str) -> Batch:
        """An empty batch, which only asks what the collector has of a session."""
        return Batch(device=self._device, session=session, first_seq=1, clock=self._now())

    def _send(self, batch: Batch) -> int:
        """Bytes of the payload, 0 when there is no connection."""
        payload = encode(batch, self._options.payload)
        return len(payload) if self._link.publish(payload) else 0


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
