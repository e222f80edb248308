# SPDX-License-Identifier: Apache-2.0
"""Which disk can the spool and the journal be run on that is cut off at any operation and fails as told?

`MemoryDisk` has the methods of `collector.disk.Disk` and `agent.spool.disk.Disk`. Every primitive operation
(create, write, truncate, sync, rename, unlink, sync of a directory, also those inside `replace` and `remove`)
has a number from 1. At `cut_at` it raises `PowerCut`, before or after having done it, and nothing works any
more; `survivor` then gives a disk with one of the images a power cut could leave. `killed` gives the disk a
program finds after SIGKILL: nothing forgotten.

Names are durable after a sync of their directory. Each creation, rename and removal since then may have
happened or not, independently of the others and of the files' contents.
"""

from __future__ import annotations

import errno
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.powercut.inode import Inode


class PowerCut(BaseException):
    """The power is gone; not an `Exception`, since nothing may go on after it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one operation.

    Attributes:
        number: errno; ENOSPC, EIO or EROFS.
        short: bytes of a write that still get through.
    """

    number: int
    short: int = 0


@dataclass(frozen=True, slots=True)
class _NameChange:
    """A name made (`old` None), removed (`new` None) or changed."""

    old: Path | None
    new: Path | None
    inode: Inode


class MemoryFile:
    """What `open` gives."""

    def __init__(self, disk: MemoryDisk, inode: Inode, path: Path) -> None:
        self._disk, self._inode, self._path = disk, inode, path
        self._is_open = True

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return len(self._inode.content)

    @size.setter
    def size(self, size: int) -> None:
        assert size == len(self._inode.content)

    def append(self, data: bytes) -> None:
        """Write at the end."""
        self.overwrite(self.size, data)

    def overwrite(self, offset: int, data: bytes) -> None:
        """Write at a place."""
        growth = max(0, offset + len(data) - self.size)
        with _Step(self._checked(), "write", self._path, len(data), growth) as allowed:
            self._inode.write(offset, data[:allowed])
            if allowed < len(data):
                raise self._disk.refusal(self._path)

    def sync(self) -> None:
        """Make the content durable."""
        try:
            with _Step(self._checked(), "sync", self._path):
                self._inode.sync()
        except OSError:
            self._inode.fail_sync(self._disk.dice)
            raise

    def truncate(self, size: int) -> None:
        """Cut back, durably; two operations."""
        with _Step(self._checked(), "truncate", self._path):
            self._inode.truncate(size)
        self.sync()

    def close(self) -> None:
        """Forget the file."""
        self._is_open = False

    def _checked(self) -> MemoryDisk:
        if not self._is_open:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF), str(self._path))
        return self._disk


class MemoryDisk:
    """The disk.

    Attributes:
        operations: numbers given so far.
        cut_at: operation at which the power goes, None for never.
        cut_after: whether that operation is still done.
        faults: what goes wrong at which operation, unless that is in `volatile`.
        refuses: errno with which every change is refused while it is set (EROFS).
        capacity: bytes of all files together; beyond, writes are short and fail with ENOSPC.
        volatile: a directory that a power cut empties (tmpfs).
        watch: called before and after each operation; it may take survivors, as if the power went there.
        log: names of the operations, in order.
    """

    def __init__(self, *, volatile: Path | None = None, seed: int = 0) -> None:
        self.operations = 0
        self.cut_at: int | None = None
        self.cut_after = False
        self.faults: dict[int, Fault] = {}
        self.refuses: int | None = None
        self.capacity: int | None = None
        self.volatile = volatile
        self.watch: Callable[[], object] | None = None
        self.log: list[tuple[str, str]] = []
        self.is_cut = False
        self.dice = random.Random(seed)
        self._names: dict[Path, Inode] = {}
        self._durable_names: dict[Path, Inode] = {}
        self._changes: list[_NameChange] = []
        self._directories: set[Path] = set()
        self._locks: set[Path] = set()

    # -- what collector.disk.Disk has

    def make_directory(self, directory: Path) -> None:
        """Directories are never lost here: every program makes them anew at its start."""
        if directory in self._directories:
            return
        with _Step(self, "mkdir", directory):
            self._directories |= {directory, *directory.parents}

    def names(self, directory: Path) -> list[str]:
        """Names of the files there, sorted."""
        self._alive()
        if directory not in self._directories:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(directory))
        return sorted(p.name for p in self._names if p.parent == directory)

    def size(self, path: Path) -> int:
        """Bytes of a file."""
        return len(self._inode(path).content)

    def read(self, path: Path, offset: int = 0, size: int | None = None) -> bytes:
        """Up to `size` bytes from `offset`."""
        content = self._inode(path).content
        return bytes(content[offset : None if size is None else offset + size])

    def open(self, path: Path, *, new: bool = False) -> MemoryFile:
        """Open for writing."""
        self._alive()
        if new:
            if path in self._names:
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
            with _Step(self, "create", path):
                self._change(_NameChange(None, path, Inode()))
        return MemoryFile(self, self._inode(path), path)

    def replace(self, path: Path, content: bytes) -> None:
        """Put a whole file in place, by the same steps as the real one."""
        beside = path.with_name(path.name + ".new")
        if beside in self._names:
            self.unlink(beside)
        file = self.open(beside, new=True)
        try:
            file.append(content)
            file.sync()
        finally:
            file.close()
        self.rename(beside, path)
        self.sync_directory(path.parent)

    def rename(self, path: Path, to: Path) -> None:
        """Change a name, not yet durably; what had the new name before is gone."""
        inode = self._inode(path)
        with _Step(self, "rename", path):
            self._change(_NameChange(path, to, inode))

    def unlink(self, path: Path) -> None:
        """Remove a name, not yet durably."""
        inode = self._inode(path)
        with _Step(self, "unlink", path):
            self._change(_NameChange(path, None, inode))

    def remove(self, path: Path) -> None:
        """Remove a file, durably."""
        self.unlink(path)
        self.sync_directory(path.parent)

    def sync_directory(self, directory: Path) -> None:
        """Make names durable."""
        with _Step(self, "syncdir", directory):
            for change in [c for c in self._changes if _directory_of(c) == directory]:
                _rename(self._durable_names, change)
                self._changes.remove(change)

    def lock(self, path: Path) -> int:
        """Hold a file alone."""
        self._alive()
        if path in self._locks:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), str(path))
        self._locks.add(path)
        return 0

    def unlock(self, _fd: int) -> None:
        """Let go."""
        self._locks.clear()

    # -- what a test does with it

    def survivor(self, dice: random.Random) -> MemoryDisk:
        """A working disk with one of the images a power cut now could leave."""
        after = MemoryDisk(volatile=self.volatile, seed=dice.randrange(2**32))
        names = dict(self._durable_names)
        chance = dice.choice((0.0, 0.5, 0.5, 1.0))
        for change in self._changes:
            if dice.random() < chance:
                _rename(names, change)
        contents: dict[int, Inode] = {}
        for path, inode in names.items():
            if not self._is_volatile(path):
                kept = contents.setdefault(id(inode), Inode(inode.survivor(dice)))
                after._names[path] = after._durable_names[path] = kept
        after._directories = {d for d in self._directories if not self._is_volatile(d)}
        return after

    def killed(self) -> None:
        """Only the program is gone: locks are free, everything written is there."""
        self._locks.clear()

    def refusal(self, path: Path, number: int = errno.ENOSPC) -> OSError:
        """The error of a refused operation."""
        return OSError(number, os.strerror(number), str(path))

    def allowance(self) -> int | None:
        """Bytes that still fit, None for any number."""
        used = sum(len(i.content) for p, i in self._names.items() if not self._is_volatile(p))
        return None if self.capacity is None else max(0, self.capacity - used)

    def _alive(self) -> None:
        if self.is_cut:
            raise PowerCut

    def _inode(self, path: Path) -> Inode:
        self._alive()
        if path not in self._names:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        return self._names[path]

    def _change(self, change: _NameChange) -> None:
        _rename(self._names, change)
        self._changes.append(change)

    def _is_volatile(self, path: Path) -> bool:
        return self.volatile is not None and (path == self.volatile or self.volatile in path.parents)


class _Step:
    """One numbered operation: cut before or after it, or failed."""

    def __init__(self, disk: MemoryDisk, name: str, path: Path, size: int = 0, growth: int = 0) -> None:
        self._disk, self._name, self._path = disk, name, path
        self._size, self._growth = size, growth

    def __enter__(self) -> int:
        disk = self._disk
        disk._alive()
        disk.operations += 1
        disk.log.append((self._name, self._path.name))
        if disk.watch:
            disk.watch()
        if disk.cut_at == disk.operations and not disk.cut_after:
            self._cut()
        fault = None if disk._is_volatile(self._path) else disk.faults.get(disk.operations)
        if fault is None and disk.refuses is not None and not disk._is_volatile(self._path):
            fault = Fault(disk.refuses)
        if fault is not None and not (self._name == "write" and fault.short):
            raise disk.refusal(self._path, fault.number)
        return self._allowed(fault)

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._disk.watch:
            self._disk.watch()
        if self._disk.cut_at == self._disk.operations and kind is None:
            self._cut()

    def _allowed(self, fault: Fault | None) -> int:
        room = None if self._disk._is_volatile(self._path) else self._disk.allowance()
        allowed = self._size if fault is None else min(self._size, fault.short)
        return allowed if room is None else min(allowed, self._size - max(0, self._growth - room))

    def _cut(self) -> None:
        self._disk.is_cut = True
        raise PowerCut


def _directory_of(change: _NameChange) -> Path:
    path = change.new or change.old
    assert path is not None
    return path.parent


def _rename(names: dict[Path, Inode], change: _NameChange) -> None:
    if change.old is not None and names.get(change.old) is change.inode:
        del names[change.old]
    if change.new is not None:
        names[change.new] = change.inode
