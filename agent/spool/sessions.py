# SPDX-License-Identifier: Apache-2.0
"""Which starts of the agent were there before this one, and how far did each count?

One page, written in place: at the start, every half hour, and at the end; where the agent's death leaves a
directory alone (`$RUNTIME_DIRECTORY`, a tmpfs) there is a copy that is never old. After a power cut a session
may have gone further than is known here; it never went less far. A page that is torn is as none.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import zlib
from pathlib import Path

log = logging.getLogger("agent.spool")

_NAME = "sessions"
_PAGE_BYTES = 4096
_MOST = 4
_SAVE_EVERY_MS = 1_800_000
_TOO_OLD_MS = 30 * 86_400_000
"""Collectors forget sessions that have been silent for 100 days."""

Known = dict[str, tuple[int, int]]
"""Session → last number, and the wall clock (ms) when that was noted; oldest first."""


class Sessions:
    """The page, and its copy; never raises `OSError`."""

    def __init__(self, directory: Path, early: Path | None = None) -> None:
        self._page = directory / _NAME
        self._copy = None if early is None else early / _NAME
        self._saved_ms: int | None = None
        self._known: Known = _read(self._page)
        for session, (last_seq, wall_ms) in ({} if self._copy is None else _read(self._copy)).items():
            if last_seq >= self._known.get(session, (0, 0))[0]:
                self._known[session] = last_seq, wall_ms

    def ended(self, now_ms: int) -> dict[str, int]:
        """The last few sessions and how far they counted, as of a wall clock."""
        newest = list(self._known.items())[-_MOST:]
        return {s: last_seq for s, (last_seq, at_ms) in newest if 0 <= now_ms - at_ms <= _TOO_OLD_MS}

    def note(self, session: str, last_seq: int, *, wall_ms: int, mono_ms: int, at_once: bool = False) -> None:
        """This session has come so far."""
        self._known[session] = last_seq, wall_ms
        content = _content(self._known)
        if self._copy is not None:
            _try(self._copy, content, is_synced=False)
        if at_once or self._saved_ms is None or mono_ms - self._saved_ms >= _SAVE_EVERY_MS:
            self._saved_ms = mono_ms
            _try(self._page, content, is_synced=True)


def _content(known: Known) -> bytes:
    newest = [[s, last_seq, wall_ms] for s, (last_seq, wall_ms) in list(known.items())[-_MOST - 1 :]]
    body = json.dumps(newest, separators=(",", ":")).encode()
    return (b"%08x " % zlib.crc32(body) + body).ljust(_PAGE_BYTES, b"\0")


def _read(path: Path) -> Known:
    try:
        crc, _, body = path.read_bytes()[:_PAGE_BYTES].rstrip(b"\0").partition(b" ")
    except OSError:
        return {}
    if crc != b"%08x" % zlib.crc32(body):
        return {}
    with contextlib.suppress(ValueError, TypeError, RecursionError):
        return {str(s): (int(last_seq), int(wall_ms)) for s, last_seq, wall_ms in json.loads(body)}
    return {}


def _try(path: Path, content: bytes, *, is_synced: bool) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o640)
    except OSError as e:
        log.debug("sessions.not_kept file=%s problem=%s", path, e)
        return
    try:
        os.pwrite(descriptor, content, 0)
        if is_synced:
            os.fdatasync(descriptor)
    except OSError as e:
        log.debug("sessions.not_kept file=%s problem=%s", path, e)
    finally:
        os.close(descriptor)
