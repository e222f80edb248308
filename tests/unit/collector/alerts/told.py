# SPDX-License-Identifier: Apache-2.0
"""Events to tell, and a hook that remembers what it was told and fails as it is bidden."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from collector.alerts.event import AlertEvent, new_id
from collector.alerts.hooks.base import HookFailed


def event(state: str = "firing", alert: str = "a1", at_ms: int = 1000, **more: Any) -> AlertEvent:
    """One event."""
    made: Callable[..., AlertEvent] = AlertEvent
    plain = {
        "id": new_id(),
        "alert": alert,
        "group": alert,
        "state": state,
        "rule": "outage",
        "severity": "critical",
        "at_ms": at_ms,
        "starts_at_ms": at_ms,
        "summary": f"{alert} {state}",
    }
    return made(**{**plain, **more})


class Told:
    """A hook; `answer` is called with each event and may raise."""

    OPTIONS: ClassVar = None
    refresh_s: ClassVar[float | None] = None

    def __init__(self, answer: Callable[[AlertEvent], None] = lambda _: None) -> None:
        self.answer = answer
        self.tried: list[AlertEvent] = []
        self.taken: list[AlertEvent] = []
        self.refreshed: list[list[AlertEvent]] = []

    def send(self, event: AlertEvent, sequence: int) -> None:
        """Remember, or fail."""
        del sequence
        self.tried.append(event)
        self.answer(event)
        self.taken.append(event)

    def refresh(self, firing: Sequence[AlertEvent]) -> None:
        """Remember."""
        self.refreshed.append(list(firing))


class Refreshed(Told):
    """A hook that wants to be told again each minute."""

    refresh_s: ClassVar[float | None] = 60.0


def failing(failed: HookFailed) -> Callable[[AlertEvent], None]:
    """An answer that is always the same."""

    def answer(_: AlertEvent) -> None:
        raise failed

    return answer
