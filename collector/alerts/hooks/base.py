# SPDX-License-Identifier: Apache-2.0
"""What is a hook? One way to tell somebody; it sends one event and says how that went."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Protocol

from collector.alerts.event import AlertEvent


class HookFailed(Exception):
    """It did not arrive.

    Attributes:
        permanent: whether the same event will never be taken there.
        retry_after_s: what the other side asked for.
        pauses: whether nothing else should be tried there until then.
    """

    def __init__(
        self,
        problem: str,
        *,
        permanent: bool = False,
        retry_after_s: float | None = None,
        pauses: bool = False,
    ) -> None:
        super().__init__(problem)
        self.permanent = permanent
        self.retry_after_s = retry_after_s
        self.pauses = pauses


class HookGone(HookFailed):
    """The other side wants nothing more, ever."""


class Hook(Protocol):
    """One destination. Its `OPTIONS` are its table `[hooks.NAME]`; called by one thread only.

    Attributes:
        refresh_s: how often `refresh` wants to be called; None for never.
    """

    OPTIONS: ClassVar[Any]
    refresh_s: ClassVar[float | None]

    def send(self, event: AlertEvent, sequence: int) -> None:
        """Until it was taken.

        Raises:
            HookFailed: it was not.
        """
        ...

    def refresh(self, firing: Sequence[AlertEvent]) -> None:
        """Tell again what holds, where the other side forgets.

        Raises:
            HookFailed: it was not taken.
        """
        ...
