# SPDX-License-Identifier: Apache-2.0
"""Up to where has a sink been fed, also after the power failed?

A sink that can keep the position in its own transaction (`write_at`, `cursor`) does so; for any other a
small file is replaced after each write: the position and its CRC-32, since a digit changed by a bad disk
would skip what the sink never got. Should the file lag behind, or be damaged, the sink gets some measurements
again, which changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from collector.disk import Disk
from collector.segment import Position
from collector.sinks.base import Gap, Measurement, Sink

log = logging.getLogger("collector.cursor")


@runtime_checkable
class KeepsCursor(Protocol):
    """A sink that stores the position together with measurements and gaps, all or nothing."""

    async def write_at(self, batch: Sequence[Measurement], cursor: str, gaps: Sequence[Gap] = ()) -> None: ...
    async def cursor(self) -> str | None: ...


class Cursor(Protocol):
    """Writes to a sink and remembers up to where; `keep` comes after `write`, and after its dead letters."""

    async def load(self) -> Position | None: ...
    async def write(
        self, batch: Sequence[Measurement], after: Position, /, gaps: Sequence[Gap] = ()
    ) -> None: ...
    async def keep(self, after: Position, /) -> None: ...


class OwnCursor:
    """The sink keeps it."""

    def __init__(self, sink: KeepsCursor) -> None:
        self._sink = sink

    async def load(self) -> Position | None:
        """Where to go on; None to begin at the beginning."""
        return _parse(await self._sink.cursor())

    async def write(self, batch: Sequence[Measurement], after: Position, gaps: Sequence[Gap] = ()) -> None:
        """Store all three."""
        await self._sink.write_at(batch, str(after), gaps)

    async def keep(self, _after: Position) -> None:
        """Nothing more to do."""


class FileCursor:
    """A file keeps it."""

    def __init__(self, sink: Sink, path: Path, disk: Disk | None = None) -> None:
        self._sink = sink
        self._path = path
        self._disk = disk or Disk()

    async def load(self) -> Position | None:
        """Where to go on; None to begin at the beginning."""
        return read_file(self._path, self._disk)

    async def write(
        self,
        batch: Sequence[Measurement],
        _after: Position,
        gaps: Sequence[Gap] = (),  # noqa: ARG002  # only a sink that keeps its own cursor has a place for them
    ) -> None:
        """Store the measurements."""
        if batch:
            await self._sink.write(batch)

    async def keep(self, after: Position) -> None:
        """Remember the position."""
        await asyncio.to_thread(self.save, after)

    def save(self, after: Position) -> None:
        """Replace the file; should that fail, the sink gets some measurements again after a restart."""
        try:
            self._disk.make_directory(self._path.parent)
            self._disk.replace(self._path, _sealed(after).encode())
        except OSError as e:
            log.warning("cursor.not_saved path=%s problem=%s", self._path, e)


def read_file(path: Path, disk: Disk) -> Position | None:
    """What a file of a `FileCursor` says, None where it says nothing."""
    try:
        return _unseal(disk.read(path).decode("ascii", errors="replace"))
    except FileNotFoundError:
        return None


def cursor_of(sink: Sink, directory: Path) -> Cursor:
    """The best a sink can do; files go into `directory`."""
    return OwnCursor(sink) if isinstance(sink, KeepsCursor) else FileCursor(sink, directory / sink.name)


def _parse(text: str | None) -> Position | None:
    if text is None:
        return None
    try:
        return Position.parse(text)
    except ValueError as e:
        log.warning("cursor.unreadable problem=%s", e)
        return None


def _sealed(at: Position) -> str:
    return f"{at} {zlib.crc32(str(at).encode()):08x}\n"


def _unseal(text: str) -> Position | None:
    at = _parse(text.partition(" ")[0])
    if at is None or _sealed(at) != text:
        log.warning("cursor.damaged text=%r", text[:40])
        return None
    return at
