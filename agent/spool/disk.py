# SPDX-License-Identifier: Apache-2.0
"""What little of a file system does the spool need?

Everything the spool does to files goes through these two classes, so that a test can put a disk in their
place that is cut off, tears and refuses.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class OpenFile:
    """A file open for writing."""

    def __init__(self, path: Path, *, new: bool) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if new else 0), 0o640)
        self.size = os.fstat(self._fd).st_size

    def append(self, data: bytes) -> None:
        """Write at the end; it survives a crash of the program, not yet a power cut."""
        self.overwrite(self.size, data)

    def overwrite(self, offset: int, data: bytes) -> None:
        """Write at a place."""
        view = memoryview(data)
        while view:
            written = os.pwrite(self._fd, view, offset)
            offset += written
            self.size = max(self.size, offset)
            view = view[written:]

    def sync(self) -> None:
        """Make the content survive a power cut."""
        os.fdatasync(self._fd)

    def truncate(self, size: int) -> None:
        """Forget what is beyond `size`, durably."""
        os.ftruncate(self._fd, size)
        os.fsync(self._fd)
        self.size = size

    def close(self) -> None:
        """Release the file."""
        os.close(self._fd)


class Disk:
    """The operating system's files; every method raises `OSError` where the disk does not take it."""

    def make_directory(self, directory: Path) -> None:
        """Create it and what is above it, durably."""
        missing = [p for p in (directory, *directory.parents) if not p.exists()]
        directory.mkdir(parents=True, exist_ok=True)
        for made in missing:
            self.sync_directory(made.parent)

    def names(self, directory: Path) -> list[str]:
        """Names of the files there, sorted."""
        return sorted(path.name for path in directory.iterdir())

    def size(self, path: Path) -> int:
        """Bytes of a file."""
        return path.stat().st_size

    def read(self, path: Path, offset: int = 0, size: int | None = None) -> bytes:
        """Up to `size` bytes from `offset`; fewer only at the end of the file."""
        with path.open("rb", buffering=0) as file:
            file.seek(offset)
            return file.read(-1 if size is None else size) or b""

    def open(self, path: Path, *, new: bool = False) -> OpenFile:
        """Open for writing; a new file's name is durable only after `sync_directory`."""
        return OpenFile(path, new=new)

    def replace(self, path: Path, content: bytes) -> None:
        """Put a whole file in place: a power cut leaves the old content or the new, nothing between."""
        beside = path.with_name(path.name + ".new")
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()
        file = self.open(beside, new=True)
        try:
            file.append(content)
            file.sync()
        finally:
            file.close()
        beside.rename(path)
        self.sync_directory(path.parent)

    def rename(self, path: Path, to: Path) -> None:
        """Change a name, durable only after `sync_directory`; what had the new name before is gone."""
        path.rename(to)

    def remove(self, path: Path) -> None:
        """Remove a file, durably."""
        path.unlink()
        self.sync_directory(path.parent)

    def sync_directory(self, directory: Path) -> None:
        """Make names created or removed there survive a power cut."""
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)
