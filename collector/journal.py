# SPDX-License-Identifier: Apache-2.0
"""Where is everything kept that the schools ever sent, so that every view can be rebuilt from it?

A directory of append-only segments. A group of entries enters with one write and one fdatasync; only then
is it committed, accounted for and may be acknowledged. Nothing in memory ever knows more than the disk
does: after a failed write the next one begins by cutting the file back to what was committed.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from collector.coverage import Coverage
from collector.disk import AppendFile, Disk
from collector.entry import Header, NewEntry, entry_body, header_body
from collector.errors import JournalLocked, JournalUnavailable
from collector.recovery import recover
from collector.seen import Seen
from collector.segment import MAGIC, Damage, End, Position, make_frame
from collector.shelf import Shelf, segment_path

log = logging.getLogger("collector.journal")

SEGMENT_BYTES = 64 * 1024 * 1024


class Journal:
    """The one writer of a journal directory; not to be used by two threads at once.

    Attributes:
        shelf: all its segments, those in the archive included.
        seen: what is accounted for by what is committed.
        coverage: what of that no signature holds for yet.
        damages: what could not be read at the start.
        torn: how many torn ends were ever put aside.
    """

    def __init__(self, shelf: Shelf, *, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.directory = shelf.directory
        self.shelf = shelf
        self._disk = shelf.disk
        self._segment_bytes = segment_bytes
        self._file: AppendFile | None = None
        self._lock: int | None = None
        self._half_begun: Path | None = None
        self._bytes_before: dict[int, int] = {}
        self.torn = 0
        self.seen = Seen()
        self.coverage = Coverage()
        self.damages: list[Damage] = []

    @classmethod
    def open(
        cls,
        directory: Path,
        *,
        archive: Path | None = None,
        disk: Disk | None = None,
        segment_bytes: int = SEGMENT_BYTES,
    ) -> Self:
        """Take the directory, recover from whatever happened before, go on.

        Raises:
            JournalLocked: another process has it.
            JournalUnavailable: the disk does not let us.
        """
        journal = cls(Shelf(directory, archive=archive, disk=disk), segment_bytes=segment_bytes)
        try:
            journal._open()
        except OSError as e:
            journal.close()
            raise JournalUnavailable(f"{directory}: {e}") from e
        except BaseException:
            journal.close()
            raise
        return journal

    @property
    def committed(self) -> Position:
        """Everything before this place is on the disk."""
        return self._end.at

    @property
    def entries(self) -> int:
        """Entries since the journal began."""
        return self._end.next_number - 1

    @property
    def size_bytes(self) -> int:
        """Bytes of all segments that are not archived."""
        return sum(self._bytes_before.copy().values()) + self._end.at.offset

    @property
    def end(self) -> End:
        """The end of what is committed; may be asked for by any thread."""
        return self._end

    def free_bytes(self) -> int | None:
        """Space left on its disk for this user, None when that cannot be told."""
        try:
            return self._disk.free(self.directory)
        except OSError:
            return None

    def retired(self, number: int) -> None:
        """A closed segment is in the archive now, and no longer here."""
        self._bytes_before.pop(number, None)

    def write(self, entries: Sequence[NewEntry]) -> None:
        """Commit a group: all of it is on the disk and accounted for when this returns.

        Raises:
            JournalUnavailable: none of it is; the caller acknowledges nothing.
        """
        if not entries:
            return
        frames, end = self._framed(entries)
        try:
            file = self._writable()
            file.append(frames)
            file.sync()
        except OSError as e:
            self._release_file()
            raise JournalUnavailable(f"{self.directory}: {e}") from e
        self._end = end
        for entry in entries:
            self.seen.add(entry.device, entry.session, entry.new, at_ms=entry.received_ms)
            self.coverage.take(entry)
        if self._end.at.offset >= self._segment_bytes:
            self._roll()

    def close(self) -> None:
        """Let go of the directory."""
        self._release_file()
        if self._lock is not None:
            self._disk.unlock(self._lock)
            self._lock = None

    def _open(self) -> None:
        self._disk.make_directory(self.directory)
        try:
            self._lock = self._disk.lock(self.directory / "lock")
        except BlockingIOError as e:
            raise JournalLocked(f"{self.directory}: another collector writes this journal") from e
        standing = recover(self.shelf)
        self.seen, self.damages, self.torn = standing.seen, standing.damages, standing.torn
        self.coverage = standing.coverage
        if standing.end is None:
            self._end = self._begin_segment(
                End(Position(standing.archived, 0), standing.chain, standing.next_number)
            )
        else:
            self._end = End(standing.end, standing.chain, standing.next_number)
        self._bytes_before = {
            n: self._disk.size(segment_path(self.directory, n))
            for n in self.shelf.local()
            if n < self._end.at.segment
        }

    def _framed(self, entries: Sequence[NewEntry]) -> tuple[bytes, End]:
        at, chain, number = self._end.at, self._end.chain, self._end.next_number
        frames = []
        for place, entry in enumerate(entries):
            frame, chain = make_frame(entry_body(entry, number, place), at, chain)
            frames.append(frame)
            at, number = Position(at.segment, at.offset + len(frame)), number + 1
        return b"".join(frames), End(at, chain, number)

    def _writable(self) -> AppendFile:
        self._forget_half_begun()
        if self._file is None:
            self._file = self._disk.open(segment_path(self.directory, self._end.at.segment))
            self._file.truncate(self._end.at.offset)
        return self._file

    def _forget_half_begun(self) -> None:
        """A segment that could not begin must be gone, durably, before more enters the one before it."""
        if self._half_begun is None:
            return
        try:
            self._disk.remove(self._half_begun)
        except FileNotFoundError:
            self._disk.sync_directory(self.directory)
        self._half_begun = None

    def _roll(self) -> None:
        """Begin the next segment; where the disk refuses, this one grows and the next commit tries again."""
        try:
            begun = self._begin_segment(self._end)
        except OSError as e:
            self._half_begun = segment_path(self.directory, self._end.at.segment + 1)
            log.warning("journal.not_rolled segment=%d problem=%s", self._end.at.segment, e)
            return
        self._release_file()
        self._bytes_before[self._end.at.segment] = self._end.at.offset
        self._end = begun
        log.info("journal.rolled segment=%d entries=%d", begun.at.segment, self.entries)

    def _begin_segment(self, after: End) -> End:
        number = after.at.segment + 1
        path = segment_path(self.directory, number)
        with contextlib.suppress(FileNotFoundError):
            self._disk.remove(path)
        began_ms = int(time.time() * 1000)
        self.seen.forget_silent(began_ms)
        seen = self.seen.to_plain()
        self.coverage.keep_only(seen)
        header = Header(
            next_number=after.next_number,
            began_ms=began_ms,
            seen=seen,
            heard_ms=self.seen.heard_ms,
            opened=self.coverage.to_plain(),
        )
        frame, chain = make_frame(header_body(header), Position(number, len(MAGIC)), after.chain)
        file = self._disk.open(path, new=True)
        try:
            file.append(MAGIC + frame)
            file.sync()
        finally:
            file.close()
        self._disk.sync_directory(self.directory)
        return End(Position(number, len(MAGIC) + len(frame)), chain, after.next_number)

    def _release_file(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
