# SPDX-License-Identifier: Apache-2.0
"""Where does each segment stand, in the journal or in the archive, and how is it read from there?

An archived segment is an `.xz` file of the very same bytes; every byte of that format is under a checksum.
Its name goes only after it has been read back and found equal, so a segment is at any moment in one place at
least.
"""

from __future__ import annotations

import lzma
import re
from collections.abc import Iterator
from pathlib import Path

from collector.disk import Disk
from collector.segment import MAGIC, MAX_SEGMENT, Damage, Frame, Position, scan

SUFFIX = ".journal"
ARCHIVED = ".journal.xz"
_NUMBER = re.compile(r"\d{6}|[1-9]\d{6,9}", re.ASCII)
_PRESET = 1
"""Payloads are packed already; a higher preset costs minutes and saves nothing."""


class Unreadable(OSError):
    """A segment of the archive is damaged."""


def segment_path(directory: Path, number: int) -> Path:
    """The file of a segment in the journal."""
    return directory / f"{number:06}{SUFFIX}"


def archived_path(directory: Path, number: int) -> Path:
    """The file of a segment in the archive."""
    return directory / f"{number:06}{ARCHIVED}"


def segment_numbers(directory: Path, disk: Disk, suffix: str = SUFFIX) -> list[int]:
    """Segments there are in a folder, ascending; files that are called otherwise are somebody else's."""
    stems = (n.removesuffix(suffix) for n in disk.names(directory) if n.endswith(suffix))
    numbers = (int(stem) for stem in stems if _NUMBER.fullmatch(stem))
    return sorted(n for n in numbers if 0 < n <= MAX_SEGMENT)


class Shelf:
    """Every segment there is, wherever it stands; one unpacked segment is kept in memory."""

    def __init__(self, directory: Path, *, archive: Path | None = None, disk: Disk | None = None) -> None:
        self.directory = directory
        self.archive = archive
        self.disk = disk or Disk()
        self._unpacked: tuple[int, bytes] | None = None

    def numbers(self) -> list[int]:
        """All segments, ascending."""
        return sorted({*self.archived(), *self.local()})

    def local(self) -> list[int]:
        """Segments in the journal's folder."""
        return segment_numbers(self.directory, self.disk)

    def archived(self) -> list[int]:
        """Segments in the archive."""
        if self.archive is None:
            return []
        try:
            return segment_numbers(self.archive, self.disk, ARCHIVED)
        except FileNotFoundError:
            return []

    def size(self, number: int) -> int:
        """Bytes of a segment, unpacked."""
        try:
            return self.disk.size(segment_path(self.directory, number))
        except FileNotFoundError:
            return len(self.unpacked(number))

    def read(self, number: int, offset: int, size: int | None = None) -> bytes:
        """Up to `size` bytes of a segment; fewer only at its end."""
        try:
            return self.disk.read(segment_path(self.directory, number), offset, size)
        except FileNotFoundError:
            return self.unpacked(number)[offset : None if size is None else offset + size]

    def scan(
        self, number: int, previous: bytes | None, *, offset: int = len(MAGIC), end: int | None = None
    ) -> Iterator[Frame | Damage]:
        """What stands in a segment from `offset` on."""
        start = Position(number, offset)
        stop = self.size(number) if end is None else end
        return scan(lambda o, n: self.read(number, o, n), start, stop, previous)

    def unpacked(self, number: int) -> bytes:
        """The content of an archived segment.

        Raises:
            Unreadable: its file is damaged.
            FileNotFoundError: it is not in the archive either.
        """
        if self._unpacked is None or self._unpacked[0] != number:
            if self.archive is None:
                raise FileNotFoundError(f"segment {number:06} is not in {self.directory}")
            self._unpacked = number, unpack(self.disk.read(archived_path(self.archive, number)))
        return self._unpacked[1]

    def move_to_archive(self, number: int) -> int:
        """Put a closed segment into the archive; says by how many bytes the journal shrank.

        Raises:
            OSError: it did not work; the segment is still in the journal.
        """
        if self.archive is None:
            raise FileNotFoundError("there is no archive")
        path = segment_path(self.directory, number)
        content = self.disk.read(path)
        target = archived_path(self.archive, number)
        self.disk.make_directory(self.archive)
        if target.name in self.disk.names(self.archive) and not self._is_same(target, content):
            raise FileExistsError(f"{target} holds another segment of this number; was one of them restored?")
        self.disk.replace(target, lzma.compress(content, preset=_PRESET, check=lzma.CHECK_SHA256))
        if unpack(self.disk.read(target)) != content:
            raise Unreadable(f"{target} does not read back as it was written")
        self.disk.remove(path)
        return len(content)

    def _is_same(self, target: Path, content: bytes) -> bool:
        """A damaged copy may be written again from the segment itself."""
        try:
            return unpack(self.disk.read(target)) == content
        except Unreadable:
            return True


def unpack(packed: bytes) -> bytes:
    """The content of an `.xz` file that holds exactly one stream.

    Raises:
        Unreadable: it is damaged.
    """
    decompressor = lzma.LZMADecompressor(lzma.FORMAT_XZ)
    try:
        content = decompressor.decompress(packed)
    except lzma.LZMAError as e:
        raise Unreadable(f"archived segment: {e}") from e
    if not decompressor.eof or decompressor.unused_data:
        raise Unreadable("archived segment: it is cut short, or something follows its end")
    return content
