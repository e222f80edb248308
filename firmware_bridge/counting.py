# SPDX-License-Identifier: Apache-2.0
"""What have a device's counters come to, and did they begin anew? (RFC 2863 §3.1.5)

A counter that shows less than before has wrapped or begun anew. It has wrapped only where it is 32 bits wide,
the agent says that it ran on, and no more passed than the line carries. All else is a begin.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

_NARROW = 1 << 32
_TICKS_PER_S = 100
_SLACK_S, _SLACK_RATIO = 15.0, 0.02
"""How much less than our clock a device's may have gone on without having started anew."""
_FASTEST_MBPS = 1000
_HEADROOM = 1.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Uptimes:
    """What a device says of how long it has been up, and when it was asked.

    Attributes:
        agent_ticks: sysUpTime, hundredths of a second since the agent started; wraps after 497 days.
        host_ticks: hrSystemUptime, the same of the whole device.
        boots: snmpEngineBoots.
        engine_s: snmpEngineTime, seconds since the agent started; does not wrap.
        at_s: our monotonic clock.
    """

    agent_ticks: int | None = None
    host_ticks: int | None = None
    boots: int | None = None
    engine_s: int | None = None
    at_s: float = 0.0

    @property
    def uptime_s(self) -> int | None:
        """Of the device; no less than its agent's."""
        known = [ticks for ticks in (self.agent_ticks, self.host_ticks) if ticks is not None]
        return max(known) // _TICKS_PER_S if known else None


def has_agent_restarted(before: Uptimes, now: Uptimes) -> bool | None:
    """Whether the agent, so all its counters, began anew; None where nothing tells."""
    if before.boots is not None and now.boots is not None and before.boots != now.boots:
        return True
    elapsed_s = now.at_s - before.at_s
    if before.engine_s is not None and now.engine_s is not None and now.engine_s != before.engine_s:
        return _is_late(now.engine_s - before.engine_s, elapsed_s)
    return _have_ticks_restarted(before.agent_ticks, now.agent_ticks, elapsed_s)


def has_device_restarted(before: Uptimes, now: Uptimes) -> bool | None:
    """Whether the device began anew, not just its agent."""
    of_host = _have_ticks_restarted(before.host_ticks, now.host_ticks, now.at_s - before.at_s)
    return has_agent_restarted(before, now) if of_host is None else of_host


def _have_ticks_restarted(before: int | None, now: int | None, elapsed_s: float) -> bool | None:
    if before is None or now is None:
        return None
    if now == before:
        # A clock that stands still tells nothing.
        return None if _is_late(0, elapsed_s) else False
    if now > before:
        return _is_late((now - before) / _TICKS_PER_S, elapsed_s)
    wrapped_s = (now + _NARROW - before) / _TICKS_PER_S
    return _is_late(wrapped_s, elapsed_s) or wrapped_s - elapsed_s > _slack_s(elapsed_s)


def _is_late(passed_s: float, elapsed_s: float) -> bool:
    """Less time has passed on the device than here: it does not count from the same begin."""
    return passed_s < elapsed_s - _slack_s(elapsed_s)


def _slack_s(elapsed_s: float) -> float:
    return _SLACK_S + elapsed_s * _SLACK_RATIO


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """What the counters of one interface show.

    Attributes:
        rx_bytes: received.
        tx_bytes: sent.
        is_narrow: whether they are 32 bits wide.
        discontinuity_ticks: ifCounterDiscontinuityTime.
        speed_mbps: what the line carries; None where that is not told.
    """

    rx_bytes: int | None
    tx_bytes: int | None
    is_narrow: bool = False
    discontinuity_ticks: int | None = None
    speed_mbps: float | None = None


@dataclass(frozen=True, slots=True)
class Total:
    """Bytes since the counters began, and whether that was since the last look; None at the first look."""

    rx_bytes: int | None
    tx_bytes: int | None
    restarted: bool | None


@dataclass(frozen=True, slots=True)
class _Last:
    shown: Shown
    uptimes: Uptimes
    rx_wraps: int = 0
    tx_wraps: int = 0


class Ledger:
    """The counters of one device, by interface."""

    def __init__(self) -> None:
        self._last: dict[str, _Last] = {}

    def follow(self, shown: Mapping[str, Shown], uptimes: Uptimes) -> dict[str, Total]:
        """What they have come to; interfaces that are gone are forgotten."""
        told = {line: _followed(self._last.get(line), now, uptimes) for line, now in shown.items()}
        self._last = {line: last for line, (last, _) in told.items()}
        return {line: total for line, (_, total) in told.items()}


def _followed(before: _Last | None, now: Shown, uptimes: Uptimes) -> tuple[_Last, Total]:
    if before is None:
        return _Last(now, uptimes), Total(now.rx_bytes, now.tx_bytes, None)
    wraps = None if _has_begun(before, now, uptimes) else _wraps(before, now, uptimes)
    rx_wraps, tx_wraps = wraps or (0, 0)
    total = Total(_unwound(now.rx_bytes, rx_wraps), _unwound(now.tx_bytes, tx_wraps), wraps is None)
    return _Last(now, uptimes, rx_wraps, tx_wraps), total


def _has_begun(before: _Last, now: Shown, uptimes: Uptimes) -> bool:
    if before.shown.is_narrow != now.is_narrow or has_agent_restarted(before.uptimes, uptimes):
        return True
    was, since = before.shown.discontinuity_ticks, now.discontinuity_ticks
    if was is None or since is None or was == since:
        return False
    # Some agents write the time of the question there.
    return uptimes.agent_ticks is None or abs(uptimes.agent_ticks - since) > _TICKS_PER_S


def _wraps(before: _Last, now: Shown, uptimes: Uptimes) -> tuple[int, int] | None:
    """How often each has wrapped in all; None where one must have begun anew."""
    runs_on = has_agent_restarted(before.uptimes, uptimes) is False
    elapsed_s = uptimes.at_s - before.uptimes.at_s
    most_bytes = (now.speed_mbps or _FASTEST_MBPS) * 1e6 / 8 * elapsed_s * _HEADROOM
    found = []
    for was, shows, wraps in (
        (before.shown.rx_bytes, now.rx_bytes, before.rx_wraps),
        (before.shown.tx_bytes, now.tx_bytes, before.tx_wraps),
    ):
        if was is None or shows is None or shows >= was:
            found.append(wraps)
        elif now.is_narrow and runs_on and shows + _NARROW - was <= most_bytes:
            found.append(wraps + 1)
        else:
            return None
    return found[0], found[1]


def _unwound(shows: int | None, wraps: int) -> int | None:
    return None if shows is None else shows + wraps * _NARROW
