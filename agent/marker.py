# SPDX-License-Identifier: Apache-2.0
"""How did the agent end the last time: stopped, killed, or did the power go, and for how long was it away?

A file says in which boot the agent runs and when it was last sure to; it is written in place, one page each
five minutes. A proper end says so in it. After another boot, an end that was not proper was a power cut, a
reset or a crash of the kernel: nothing that survives tells these apart. It is called a brown-out when the
supply was too low at the last look, or when the boot before was cut short as well.
"""

from __future__ import annotations

import contextlib
import json
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from agent.contract.record import BOOT, ClockState
from agent.pages import sync_directory

BEAT_EVERY_S = 300.0
_BYTES = 512
"""One sector: written whole or not at all by any disk known."""

_SHORT_MS = 10 * 60_000
_MAX_MS = 2**53

End = Literal["first", "stopped", "shut_down", "killed", "power_cut", "brown_out"]

SUBJECTS: dict[End, str] = {
    "killed": "agent killed",
    "power_cut": "power cut or reset",
    "brown_out": "brown-out: power cut or reset with too low a supply, or again after minutes",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What the file says.

    Attributes:
        wall_ms: when it was written; None when the clock was not known.
        is_low: the supply voltage was too low then.
        short_boots: boots in a row, before this one, that were cut short.
    """

    boot: str
    has_stopped: bool = False
    mono_ms: int | None = None
    wall_ms: int | None = None
    is_low: bool = False
    short_boots: int = 0


@dataclass(frozen=True, slots=True)
class Away:
    """How the last run ended, and how long nobody watched; None is not known (yet)."""

    end: End
    last_seen_wall_ms: int | None = None
    lasted_s: float | None = None
    resolution_s: float | None = None


def away(before: Mark | None, now: ClockState) -> Away:
    """What the mark that was found means now; may know more when the clock does."""
    if before is None:
        return Away("first")
    end = _end(before, now)
    lasted_s = _lasted_s(before, now)
    is_exact = before.has_stopped or before.mono_ms is None or lasted_s is None
    return Away(end, before.wall_ms, lasted_s, None if is_exact else min(BEAT_EVERY_S, lasted_s or 0.0))


def next_mark(before: Mark | None, now: ClockState) -> Mark:
    """The first mark of this run."""
    is_cut = before is not None and _end(before, now) in {"power_cut", "brown_out"}
    was_short = is_cut and before is not None and before.mono_ms is not None and before.mono_ms < _SHORT_MS
    short_boots = before.short_boots + 1 if was_short and before is not None else 0
    if before is not None and before.boot == now.boot:
        short_boots = before.short_boots
    return mark(now, short_boots=short_boots)


def mark(now: ClockState, *, short_boots: int = 0, is_low: bool = False, has_stopped: bool = False) -> Mark:
    """What is to be written now."""
    return Mark(
        boot=now.boot,
        has_stopped=has_stopped,
        mono_ms=now.mono_ms,
        wall_ms=None if now.age_s is None else now.wall_ms,
        is_low=is_low,
        short_boots=short_boots,
    )


def _end(before: Mark, now: ClockState) -> End:
    if before.boot == now.boot:
        return "stopped" if before.has_stopped else "killed"
    if before.has_stopped:
        return "shut_down"
    is_short = before.mono_ms is not None and before.mono_ms < _SHORT_MS and before.short_boots > 0
    return "brown_out" if before.is_low or is_short else "power_cut"


def _lasted_s(before: Mark, now: ClockState) -> float | None:
    if before.boot == now.boot:
        return None if before.mono_ms is None else max(0, now.mono_ms - before.mono_ms) / 1000
    if before.wall_ms is None or now.age_s is None:
        return None
    booted_ms = now.wall_ms - now.mono_ms
    return max(0, booted_ms - before.wall_ms) / 1000


class MarkFile:
    """The file; raises `OSError` where the disk does not take it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> Mark | None:
        """What stands there; None without a file. A torn one says that the agent ran, and no more."""
        try:
            data = self._path.read_bytes()[:_BYTES]
        except OSError:
            return None
        text = data.rstrip(b"\0 \n").decode("ascii", "replace")
        if BOOT.fullmatch(text):
            return Mark(boot=text)
        return _parsed(text) or Mark(boot="00000000")

    def write(self, made: Mark) -> None:
        """Make it survive a power cut."""
        plain = [
            made.boot, made.has_stopped, made.mono_ms, made.wall_ms, made.is_low, made.short_boots,
        ]  # fmt: skip
        body = json.dumps(plain, separators=(",", ":"))
        content = f"{body} {zlib.crc32(body.encode()):08x}\n".encode().ljust(_BYTES)
        is_new = not self._path.exists()
        fd = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o640)
        try:
            os.pwrite(fd, content, 0)
            os.ftruncate(fd, _BYTES)
            os.fdatasync(fd)
        finally:
            os.close(fd)
        if is_new:
            sync_directory(self._path.parent)


def _parsed(text: str) -> Mark | None:
    body, _, crc = text.rpartition(" ")
    with contextlib.suppress(ValueError, TypeError, RecursionError):
        if crc != f"{zlib.crc32(body.encode()):08x}":
            return None
        boot, has_stopped, mono_ms, wall_ms, is_low, short_boots = json.loads(body)
        numbers = (mono_ms or 0, wall_ms or 0, short_boots)
        if BOOT.fullmatch(boot) and all(type(n) is int and abs(n) < _MAX_MS for n in numbers):
            return Mark(
                boot=boot,
                has_stopped=bool(has_stopped),
                mono_ms=mono_ms,
                wall_ms=wall_ms,
                is_low=bool(is_low),
                short_boots=short_boots,
            )
    return None
