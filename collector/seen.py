# SPDX-License-Identifier: Apache-2.0
"""Which records of which device are accounted for, so that sending twice never means storing twice?

Per device the newest `SESSIONS_PER_DEVICE` sessions are remembered (one session is one start of an agent),
and of those beyond, up to `MOST_SESSIONS`, each that brought something new within `RECENT_MS`: an agent may
drain what a hundred starts left while it seldom reports, and must not hear that its numbers are not known.
A session of which nothing new came for `SILENT_MS` is forgotten too: an agent keeps nothing for longer than
90 days. Should a record of a forgotten one come again, it enters the journal again; every sink still knows it
by its identity.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.contract.ranges import Range, RangeSet

SESSIONS_PER_DEVICE = 64
MOST_SESSIONS = 1024
RECENT_MS = 2 * 86_400_000
SILENT_MS = 100 * 86_400_000

Plain = dict[str, dict[str, tuple[Range, ...]]]
"""Device → session → accounted ranges, as JSON can hold it."""

PlainOpen = dict[str, dict[str, tuple[tuple[str, tuple[Range, ...]], ...]]]
"""Device → session → digest of each batch that no signature holds for yet, with what it brought."""

HeardMs = dict[str, dict[str, int]]
"""Device → session → Unix time at which something new of it last entered."""


class Seen:
    """Accounted sequence numbers by device and session."""

    def __init__(self, plain: Plain | None = None, heard_ms: HeardMs | None = None) -> None:
        self._devices: dict[str, dict[str, RangeSet]] = {}
        self.heard_ms: HeardMs = {device: dict(sessions) for device, sessions in (heard_ms or {}).items()}
        for device, sessions in (plain or {}).items():
            self._devices[device] = {session: RangeSet(ranges) for session, ranges in sessions.items()}

    def new_ranges(self, device: str, session: str, low: int, high: int) -> tuple[Range, ...]:
        """The parts of `low … high` not accounted for yet."""
        known = self._devices.get(device, {}).get(session)
        if known is not None:
            return tuple(known.missing(low, high))
        return ((low, high),) if low <= high else ()

    def add(self, device: str, session: str, ranges: Iterable[Range], *, at_ms: int) -> None:
        """Account for these, which entered at `at_ms`, from now on."""
        sessions = self._devices.setdefault(device, {})
        known = sessions.pop(session, None) or RangeSet()
        for low, high in ranges:
            known.add(low, high)
        sessions[session] = known
        self.heard_ms.setdefault(device, {})[session] = at_ms
        oldest = next(iter(sessions))
        is_recent = at_ms - self.heard_ms[device].get(oldest, 0) < RECENT_MS
        if len(sessions) > (MOST_SESSIONS if is_recent else SESSIONS_PER_DEVICE):
            self._forget(device, oldest)

    def forget_silent(self, now_ms: int) -> int:
        """Forget sessions that have been silent for too long; says how many."""
        silent = [
            (device, session)
            for device, sessions in self.heard_ms.items()
            for session, at_ms in sessions.items()
            if now_ms - at_ms > SILENT_MS
        ]
        for device, session in silent:
            self._forget(device, session)
        return len(silent)

    def _forget(self, device: str, session: str) -> None:
        for known in (self._devices, self.heard_ms):
            known.get(device, {}).pop(session, None)
            if not known.get(device):
                known.pop(device, None)

    def __len__(self) -> int:
        """How many sessions are remembered."""
        return sum(map(len, self._devices.values()))

    def ranges(self, device: str, session: str) -> tuple[Range, ...]:
        """Everything that is accounted for of a session, ascending."""
        return tuple(self._devices.get(device, {}).get(session, ()))

    def to_plain(self) -> Plain:
        """Everything; sessions from the longest untouched to the last touched."""
        return {
            device: {session: tuple(known) for session, known in sessions.items()}
            for device, sessions in self._devices.items()
        }
