# SPDX-License-Identifier: Apache-2.0
"""How does one hook get all that is for it, whatever the other side does? A thread of its own for each.

What fails is tried again by `schedule.py`; what is refused for good, or was tried for three days, goes to the
dead letters and can be sent again (`school-collector hooks replay`). That an alert is over is never given up
once it was told that it fires, and never told where that was not.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from collector.alerts.event import AlertEvent, new_id
from collector.alerts.hooks.base import Hook, HookFailed, HookGone
from collector.alerts.outbox import Delivery, Outbox
from collector.alerts.schedule import wait_s

log = logging.getLogger("collector.alerts.courier")

_LOOKS_S = 30.0
_LONGEST_PROBLEM = 300
_PAUSE_S = 60.0
"""Where a pause is asked for and not how long."""
_BEGINS = frozenset({"firing", "digest", "heartbeat", "test"})
"""States that need nothing told before."""


class Courier:
    """Carries to one hook.

    Args:
        name: of the hook.
        hook: sends.
        outbox: what is to be sent.
        heartbeat_s: a sign of life when nothing was sent for so long.
        is_well: whether there is one to be given.
        now_s: wall clock.
    """

    def __init__(
        self,
        name: str,
        hook: Hook,
        outbox: Outbox,
        *,
        heartbeat_s: float | None = None,
        is_well: Callable[[], bool] = lambda: True,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self.name = name
        self._hook, self._outbox = hook, outbox
        self._heartbeat_s, self._is_well = heartbeat_s, is_well
        self._now_s = now_s
        self._paused_until_s = 0.0
        self._sent_s = self._refreshed_s = now_s()
        self.problem: str | None = None

    def run(self, stop: threading.Event) -> None:
        """Until told to stop."""
        while not stop.is_set():
            try:
                idle_s = self.step()
            except Exception:
                log.exception("hook.failed hook=%s", self.name)
                idle_s = _LOOKS_S
            if idle_s > 0 and not stop.is_set():
                self._outbox.wait(min(idle_s, _LOOKS_S))

    def step(self) -> float:
        """Do what is due; seconds until something is."""
        if self._outbox.disabled(self.name) is not None:
            return _LOOKS_S
        self._keep_alive()
        delivery = self._outbox.first(self.name)
        now_s = self._now_s()
        if delivery is None:
            return _LOOKS_S
        due_s = max(delivery.next_ms / 1000, self._paused_until_s)
        if due_s > now_s:
            return due_s - now_s
        self._carry(delivery)
        return 0.0

    def _carry(self, delivery: Delivery) -> None:
        event = delivery.event
        if event.state not in _BEGINS and not self._outbox.is_told(self.name, event.alert):
            self._outbox.bury(delivery, "that it fires was never told here")
            return
        try:
            self._hook.send(event, delivery.number)
        except HookGone as e:
            self._outbox.disable(self.name, str(e))
            self._outbox.bury(delivery, str(e))
            self._note(f"wants nothing more: {e}")
        except HookFailed as e:
            self._put_off(delivery, e)
        except Exception as e:  # our bug; the next event is not to wait for it
            log.exception("hook.failed hook=%s event=%s", self.name, event.id)
            self._put_off(delivery, HookFailed(f"{type(e).__name__}: {e}"))
        else:
            self._outbox.deliver(delivery)
            self._sent_s = self._now_s()
            self._note(None)

    def _put_off(self, delivery: Delivery, failed: HookFailed) -> None:
        problem = str(failed)[:_LONGEST_PROBLEM]
        self._note(problem)
        is_owed = delivery.event.state == "resolved"
        planned_s = wait_s(delivery.tried + 1, retry_after_s=failed.retry_after_s, goes_on=is_owed)
        if planned_s is None or (failed.permanent and not is_owed):
            log.warning("hook.gave_up hook=%s event=%s problem=%s", self.name, delivery.event.id, problem)
            self._outbox.bury(delivery, problem)
            return
        next_s = self._now_s() + planned_s
        if failed.pauses:
            # How often this one was tried already says nothing of the others.
            self._paused_until_s = self._now_s() + min(planned_s, failed.retry_after_s or _PAUSE_S)
        self._outbox.postpone(delivery, int(next_s * 1000), problem)

    def _keep_alive(self) -> None:
        """Refreshes and signs of life; neither is tried again, for the next comes soon."""
        now_s = self._now_s()
        if self._hook.refresh_s is not None and now_s - self._refreshed_s >= self._hook.refresh_s:
            self._refreshed_s = now_s
            self._try(lambda: self._hook.refresh(self._outbox.firing(self.name)))
        is_due = self._heartbeat_s is not None and now_s - self._sent_s >= self._heartbeat_s
        if is_due and self._is_well():
            self._sent_s = now_s
            self._try(lambda: self._hook.send(heartbeat(int(now_s * 1000)), 0))

    def _try(self, work: Callable[[], None]) -> None:
        try:
            work()
        except HookFailed as e:
            self._note(str(e)[:_LONGEST_PROBLEM])
        else:
            self._note(None)

    def _note(self, problem: str | None) -> None:
        """A fault is logged when it begins and when it ends."""
        if problem is not None and self.problem is None:
            log.warning("hook.unavailable hook=%s problem=%s", self.name, problem)
        if problem is None and self.problem is not None:
            log.info("hook.available hook=%s", self.name)
        self.problem = problem


def heartbeat(at_ms: int) -> AlertEvent:
    """All is well with us."""
    return _message("heartbeat", "heartbeat", at_ms, "schoolpulse is alive")


def test_event(at_ms: int) -> AlertEvent:
    """Shows what an alert looks like there."""
    return _message("test", "test", at_ms, "a test by hand; nothing is wrong")


def _message(state: str, rule: str, at_ms: int, summary: str) -> AlertEvent:
    made: Callable[..., AlertEvent] = AlertEvent
    return made(
        id=new_id(),
        alert=rule,
        group=rule,
        state=state,
        rule=rule,
        severity="info",
        at_ms=at_ms,
        starts_at_ms=at_ms,
        summary=summary,
    )
