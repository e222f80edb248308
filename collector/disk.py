# SPDX-License-Identifier: Apache-2.0
"""What little of a file system does the journal need?

Everything the journal writes goes through these two classes, so that a test can put a disk in their place
that fails, tears and forgets as real ones do.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from pathlib import Path


class AppendFile:
    """A file that only grows at its end, or is cut back to what is known to be whole."""

    def __init__(self, path: Path, *, new: bool) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(path, flags | (os.O_CREAT | os.O_EXCL if new else 0), 0o640)
        self.size = os.fstat(self._fd).st_size

    def append(self, data: bytes) -> None:
        """Hand data to the kernel; it survives a crash of the program, not yet a power cut."""
        view = memoryview(data)
        while view:
            written = os.write(self._fd, view)
            self.size += written
            view = view[written:]

    def sync(self) -> None:
        """Make everything appended survive a power cut; a file whose name is gone would not."""
        os.fdatasync(self._fd)
        if os.fstat(self._fd).st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, "was removed while in use")

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

    def open(self, path: Path, *, new: bool = False) -> AppendFile:
        """Open for appending; a new file's name is durable only after `sync_directory`."""
        return AppendFile(path, new=new)

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

    def free(self, directory: Path) -> int:
        """Bytes left for this user where the folder is."""
        stat = os.statvfs(directory)
        return stat.f_bavail * stat.f_frsize

    def lock(self, path: Path) -> int:
        """Hold a file for this process alone until it is closed or the process ends, however it ends."""
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise
        return fd

    def unlock(self, fd: int) -> None:
        """Let go of a lock."""
        os.close(fd)
