# SPDX-License-Identifier: Apache-2.0
"""What was used this month, over restarts and power cuts? One page on the card, now and then.

Written before and after each test; besides, when much has passed, at most every ten minutes, and every hour
when anything has. What passed between the last page and a power cut is not counted.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.contract.record import ClockState
from agent.pages import Pages
from agent.plan import month, windows
from agent.plan.counters import Counted, Counters
from agent.plan.options import PlanOptions
from agent.plan.usage import Left, Usage, in_month, reserved, settled, with_look

log = logging.getLogger("agent.plan")

_MAGIC = b"SPPLAN1 "
SAVE_MUCH_EVERY_MS = 10 * 60_000
SAVE_EVERY_MS = 60 * 60_000
_MUCH_BYTES, _MUCH_RATIO = 10_000_000, 0.001
_MAX_BYTES = 2**64


class Ledger:
    """Of this device."""

    def __init__(
        self, path: Path | None, options: PlanOptions, counters: Counters, now: Callable[[], ClockState]
    ) -> None:
        self._pages = None if path is None else Pages(path, _MAGIC)
        self._options = options
        self._counters = counters
        self._now = now
        self._zone = options.zone
        plain = None if self._pages is None else self._pages.load()
        self.usage = _read(plain) if plain is not None else Usage()
        self._saved = self.usage
        self._saved_at_ms = now().mono_ms
        self._problem: str | None = None
        # What a test was allowed that a power cut ended.
        self.usage = settled(self.usage, None)

    def look(self) -> Counted | None:
        """Count what has passed, and turn the page of the month; None where no counter can be read."""
        counted = self._counters.read()
        if counted is not None:
            self.usage = with_look(self.usage, counted)
        clock = self._now()
        if clock.age_s is not None or not self.usage.month:
            today = windows.day_of(clock.wall_ms / 1000, self._zone)
            self.usage = in_month(self.usage, month.begin_of(today, self._options.reset_day).isoformat())
        self._save_if_due(clock.mono_ms)
        return counted

    def begin(self, most_bytes: int) -> None:
        """A test that may move so much begins: on the card before its first packet."""
        self.usage = reserved(self.usage, most_bytes)
        self.save()

    def end(self, moved_bytes: int | None) -> None:
        """It has ended; None when nobody knows what it moved."""
        self.usage = settled(self.usage, moved_bytes)
        self.save()

    def save(self) -> None:
        """Make what is known survive a power cut."""
        self._saved, self._saved_at_ms = self.usage, self._now().mono_ms
        if self._pages is None:
            return
        try:
            self._pages.save(*_plain(self.usage))
        except OSError as e:
            if self._problem is None:
                log.warning("plan.not_saved problem=%s", e)
            self._problem = str(e)
        else:
            self._problem = None

    def _save_if_due(self, mono_ms: int) -> None:
        if self.usage == self._saved:
            return
        since_ms = mono_ms - self._saved_at_ms
        grown = self.usage.line_bytes - self._saved.line_bytes
        is_much = grown >= max(_MUCH_BYTES, (self._options.month_bytes or 0) * _MUCH_RATIO)
        is_new = self.usage.month != self._saved.month
        if since_ms >= SAVE_EVERY_MS or (since_ms >= SAVE_MUCH_EVERY_MS and (is_much or is_new)):
            self.save()


def _plain(usage: Usage) -> list[Any]:
    numbers = [usage.line_bytes, usage.test_bytes, usage.reserved_bytes]
    looks = [dataclasses.astuple(look) for look in usage.looks.values()]
    return [usage.month, usage.first_epoch, *numbers, looks, dataclasses.astuple(usage.left)]


def _read(plain: list[Any]) -> Usage:
    """What was saved; nothing when it makes no sense."""
    try:
        # Pages of older agents end with the looks.
        month_begin, first_epoch, line_bytes, test_bytes, reserved_bytes, looks, *rest = plain
        found = [_read_look(*look) for look in looks]
        left = _read_left(*rest[0]) if rest else Left()
    except (ValueError, TypeError):
        return Usage()
    numbers = (line_bytes, test_bytes, reserved_bytes)
    if not _are_texts(month_begin, first_epoch) or not _are_counts(*numbers):
        return Usage()
    return Usage(
        month=month_begin,
        line_bytes=line_bytes,
        test_bytes=test_bytes,
        reserved_bytes=reserved_bytes,
        first_epoch=first_epoch,
        looks={look.interface: look for look in found},
        left=left,
    )


def _read_left(month_begin: Any, line_bytes: Any, test_bytes: Any) -> Left:
    if not _are_texts(month_begin) or not _are_counts(line_bytes, test_bytes):
        raise ValueError("no month that was left")
    return Left(month_begin, line_bytes, test_bytes)


def _read_look(epoch: Any, line: Any, *numbers: Any) -> Counted:
    if not _are_texts(epoch, line) or not _are_counts(*numbers):
        raise ValueError("no look at counters")
    rx_bytes, tx_bytes, mono_ms, wraps_at = numbers
    return Counted(
        epoch=epoch, line=line, rx_bytes=rx_bytes, tx_bytes=tx_bytes, mono_ms=mono_ms, wraps_at=wraps_at
    )


def _are_texts(*values: Any) -> bool:
    return all(isinstance(value, str) for value in values)


def _are_counts(*values: Any) -> bool:
    return all(type(value) is int and 0 <= value <= _MAX_BYTES for value in values)
