# SPDX-License-Identifier: Apache-2.0
"""What was the agent told about the school's data plan and hours? The table `[plan]`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from agent.contract.decoder import DecodeError
from agent.contract.option import option
from agent.plan import windows
from agent.plan.windows import WHOLE_DAY, Span


@dataclass(frozen=True, kw_only=True)
class PlanOptions:
    """The table `[plan]`: when tests may load the line, and how much."""

    month_bytes: int | None = option(
        "what the school may use in a month, both ways; unset: no limit, and tests are only counted",
        None,
        low=1_000_000,
        example=10_000_000_000,
    )
    reset_day: int = option(
        "day on which the plan's month begins; the last one where a month is shorter", 1, low=1, high=31
    )
    test_share_ratio: float = option("largest part of it that all tests together may use", 0.1, low=0, high=1)
    shrink_ratio: float = option(
        "when so much of the tests' part or of the whole plan is used, each test may only use an even share "
        "of what is left",
        0.8,
        low=0,
        high=1,
    )
    interface: str = option(
        "interface whose counters say what was used and whether others use the line; empty for that of the "
        "default route",
        "",
    )
    windows: tuple[str, ...] = option(
        "times of the day, by the school's clock, in which tests may begin: `08:00-18:00`; empty for any",
        (),
    )
    time_zone: str = option(
        "IANA name of the school's time zone, like `Asia/Almaty`; empty for the device's own", ""
    )
    busy_bps: int = option("a test waits while others use more than so many bits per second", 200_000, low=1)
    wait_s: float = option(
        "longest wait; then it measures all the same and says `cross_traffic`", 1800.0, low=0, high=86400
    )
    look_s: float = option("time over which the use of the line is measured", 5.0, low=0.1, high=600)

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        for key, read in (("windows", self._spans), ("time_zone", lambda: self.zone)):
            try:
                read()
            except ValueError as e:
                raise DecodeError(key, str(e)) from e
        if "/" in self.interface:
            raise DecodeError("interface", f"{self.interface!r} is no name of an interface")

    @property
    def share_bytes(self) -> int | None:
        """What tests may use in a month; None without a plan."""
        return None if self.month_bytes is None else int(self.month_bytes * self.test_share_ratio)

    @property
    def spans(self) -> tuple[Span, ...]:
        """The windows in seconds of the day."""
        return self._spans() or (WHOLE_DAY,)

    @property
    def zone(self) -> dt.tzinfo:
        """The school's time zone."""
        return windows.zone(self.time_zone)

    def _spans(self) -> tuple[Span, ...]:
        return windows.joined([span for text in self.windows for span in windows.parse(text)])
