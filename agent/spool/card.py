# SPDX-License-Identifier: Apache-2.0
"""Where on the card is which block, where is there room for the next, and how does a file become smaller?

Files have a number and a fixed size. A block is written into a free slot of the newest file and synced;
the slot of a block that is live is never written to. A file is made smaller only as a whole, by putting a
new one in its place in one step, so that what was dropped can never come back beside the record of its drop.
One file may so take the place of several neighbours: its name says of which (`agent.spool.files`), and the
others are gone for good before anything else is dropped.

Slots whose writing failed may hold what was never committed, or hold it after the next start only: they are
spoiled, and emptied before anything else is written.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent.spool.block import SLOT_BYTES, Found, frame, read_block, scan, slots_of
from agent.spool.disk import Disk, OpenFile
from agent.spool.files import SUFFIX, Name, read_names

log = logging.getLogger("agent.spool")

_HALF_MADE = f"{SUFFIX}.new"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a block is."""

    file: int
    slot: int
    slots: int = 1

    def covers(self) -> range:
        """The slots it takes."""
        return range(self.slot, self.slot + self.slots)


class Card:
    """The spool's files. Every method but `free` raises `OSError` where the disk does not take it.

    Attributes:
        damaged_bytes: bytes of slots that held nothing whole at the start.
        is_unread: whether some file could not be read at the start and may come back later.
        untouchable: files that hold what this version cannot read; they stay as they are.
        spoiled: slots to be emptied before the next block is written.
    """

    def __init__(self, disk: Disk, directory: Path, file_bytes: int) -> None:
        self._disk = disk
        self._directory = directory
        self._file_bytes = -(-file_bytes // SLOT_BYTES) * SLOT_BYTES
        self._names: dict[int, Name] = {}
        self._covered: dict[Name, int] = {}
        self._is_unsynced = False
        self._slots: dict[int, int] = {}
        self._live: dict[int, set[int]] = {}
        self._current: int | None = None
        self._open: OpenFile | None = None
        self.damaged_bytes = 0
        self.is_unread = False
        self.untouchable: set[int] = set()
        self.spoiled: set[Place] = set()
        self._newest = 0

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum((*self._slots.values(), *self._covered.values())) * SLOT_BYTES

    @property
    def numbers(self) -> list[int]:
        """All files, oldest first."""
        return sorted(self._slots)

    @property
    def file_bytes(self) -> int:
        """Of a new file."""
        return self._file_bytes

    @property
    def file_slots(self) -> int:
        """Slots of a new file."""
        return self._file_bytes // SLOT_BYTES

    def slots(self, number: int) -> int:
        """Slots of a file."""
        return self._slots[number]

    @property
    def current(self) -> int | None:
        """The file that is written to."""
        return self._current

    def recover(self) -> Iterator[tuple[Place, bytes]]:
        """Every whole block; the newest file is gone on with."""
        try:
            self._disk.make_directory(self._directory)
            there = self._disk.names(self._directory)
        except OSError:
            self.is_unread = True
            raise
        names, covered = self._that_count(there)
        self._covered = {n: self._disk.size(self._directory / str(n)) // SLOT_BYTES for n in covered}
        for name in names:
            self._newest, self._names[name.last] = name.last, name
            yield from self._read(name.last)
        with contextlib.suppress(OSError):
            for left in (n for n in there if n.endswith(_HALF_MADE)):
                self._disk.remove(self._directory / left)
        self._go_on()

    def _that_count(self, there: Sequence[str]) -> tuple[list[Name], list[Name]]:
        """Files that count, and covered ones; a file that holds nothing whole came in nobody's place."""
        names, covered = read_names(there)
        for name in names:
            if any(name.covers(c) for c in covered) and self._is_hollow(name):
                return self._that_count([n for n in there if n != str(name)])
        return names, covered

    def _is_hollow(self, name: Name) -> bool:
        try:
            data = self._disk.read(self._directory / str(name))
        except OSError:
            return False
        return all(found.payload is None for found in scan(data))

    def load(self, place: Place) -> bytes:
        """The payload of a block."""
        offset, size = place.slot * SLOT_BYTES, place.slots * SLOT_BYTES
        payload = read_block(self._disk.read(self._path(place.file), offset, size))
        if payload is None:
            raise OSError(5, "a block is damaged", str(self._path(place.file)))
        return payload

    def has_room(self, slots: int) -> bool:
        """Whether so many slots are free in the current file, one beside another."""
        return self._first_room(slots) is not None

    def store(self, payloads: Sequence[bytes]) -> list[Place]:
        """Write blocks; all are durable when this returns, none counts when it does not."""
        places: list[Place] = []
        try:
            self._settle_names()
            self.empty_spoiled()
            for payload in payloads:
                place = self._take(slots_of(payload))
                places.append(place)
                self._file(place.file).overwrite(place.slot * SLOT_BYTES, frame(payload))
            if places:
                self._file(places[-1].file).sync()
        except OSError as e:
            self._give_back(places)
            if isinstance(e, FileNotFoundError):
                self._leave()
            raise
        return places

    def probe(self) -> None:
        """Find out whether a block could be written now."""
        self.empty_spoiled()
        number = self._current if self.has_room(1) else self._begin(1)
        self._file(number or 0).sync()

    def spoil(self, place: Place) -> None:
        """A block found at the start does not count."""
        self._live[place.file].difference_update(place.covers())
        self.spoiled.add(place)

    def free(self, place: Place) -> None:
        """A block is no longer wanted; its slots may be written to."""
        self._live[place.file].difference_update(place.covers())
        if place.slots > 1:
            self.spoiled.add(place)

    def merge(self, numbers: Sequence[int], payloads: Sequence[bytes]) -> list[Place]:
        """Put one file with these blocks in the place of neighbours, in one step."""
        self._settle_names()
        self.empty_spoiled()
        name = Name(numbers[-1], self._names[numbers[0]].first)
        path = self._directory / str(name)
        beside = path.with_name(f"{name.last:08d}{_HALF_MADE}")
        self._write(beside, b"".join(map(frame, payloads)))
        if self._current in numbers:
            self._leave()
        self._disk.rename(beside, path)
        # It has happened, though a power cut may still undo it as a whole.
        self._is_unsynced = True
        for number in numbers:
            if self._names[number] != name:
                self._covered[self._names[number]] = self._slots[number]
            self._forget(number)
        places = _one_after_another(name.last, payloads)
        slots = sum(p.slots for p in places)
        self._names[name.last], self._slots[name.last], self._live[name.last] = name, slots, set(range(slots))
        with contextlib.suppress(OSError):
            self._settle_names()
        return places

    def tidy(self) -> None:
        """Remove files that hold nothing wanted."""
        self._settle_names()
        for number in [n for n, live in self._live.items() if not live and n != self._current]:
            self._remove(self._path(number))
            self._forget(number)

    def close(self) -> None:
        """Release the open file."""
        if self._open is not None:
            with contextlib.suppress(OSError):
                self._open.close()
            self._open = None

    def _forget(self, number: int) -> None:
        del self._live[number], self._slots[number], self._names[number]
        self.spoiled = {p for p in self.spoiled if p.file != number}

    def _settle_names(self) -> None:
        """What a file came in the place of must be gone before more changes."""
        if self._is_unsynced:
            self._disk.sync_directory(self._directory)
            self._is_unsynced = False
        for name in sorted(self._covered):
            self._remove(self._directory / str(name))
            del self._covered[name]

    def _remove(self, path: Path) -> None:
        """Durably, also where an earlier try came only half the way."""
        try:
            self._disk.remove(path)
        except FileNotFoundError:
            with contextlib.suppress(FileNotFoundError):
                self._disk.sync_directory(self._directory)

    def _write(self, path: Path, content: bytes) -> None:
        """A new file, durable but for its name."""
        with contextlib.suppress(FileNotFoundError):
            self._disk.remove(path)
        file = self._disk.open(path, new=True)
        try:
            file.append(content)
            file.sync()
        except OSError:
            with contextlib.suppress(OSError):
                self._disk.remove(path)
            raise
        finally:
            file.close()

    def _read(self, number: int) -> Iterator[tuple[Place, bytes]]:
        path = self._path(number)
        self._live[number] = set()
        try:
            data = self._disk.read(path)
        except OSError as e:
            self.is_unread = True
            self.untouchable.add(number)
            self._slots[number] = 0
            self._live[number].add(0)
            log.error("spool.unreadable file=%s problem=%s", path, e)  # noqa: TRY400 -- no traceback needed
            return
        self._slots[number] = len(data) // SLOT_BYTES
        if any(data[self._slots[number] * SLOT_BYTES :]):
            self.damaged_bytes += len(data) % SLOT_BYTES
        for found in scan(data[: self._slots[number] * SLOT_BYTES]):
            place = Place(number, found.slot, found.slots)
            if found.payload is None:
                self._note_damage(found, place)
                continue
            self._live[number].update(place.covers())
            yield place, found.payload

    def _note_damage(self, found: Found, place: Place) -> None:
        self.damaged_bytes += found.slots * SLOT_BYTES
        self.spoiled.add(place)

    def _go_on(self) -> None:
        """What only the kernel has of the newest file may not count as committed."""
        numbers = sorted(self._slots)
        if not numbers:
            return
        if self._slots[numbers[-1]]:
            self._current = numbers[-1]
            self._file(numbers[-1]).sync()
        self._disk.sync_directory(self._directory)
        with contextlib.suppress(OSError):
            self._settle_names()

    def _take(self, slots: int) -> Place:
        number, at = self._current, self._first_room(slots)
        if number is None or at is None:
            number, at = self._begin(slots), 0
        place = Place(number, at, slots)
        self._live[number].update(place.covers())
        return place

    def _first_room(self, slots: int) -> int | None:
        return None if self._current is None else self._room(self._current, slots)

    def _room(self, number: int, slots: int) -> int | None:
        live = self._live[number]
        for at in range(self._slots[number] - slots + 1):
            if not live.intersection(range(at, at + slots)):
                return at
        return None

    def _begin(self, slots: int) -> int:
        if self._current is not None:
            self._file(self._current).sync()
        self._leave()
        self._disk.make_directory(self._directory)
        names, _ = read_names(self._disk.names(self._directory))
        self._newest = max([self._newest, *(n.last for n in names)]) + 1
        self._names[self._newest] = Name(self._newest, self._newest)
        path, size = self._path(self._newest), max(self._file_bytes, slots * SLOT_BYTES)
        try:
            file = self._disk.open(path, new=True)
            self._open = file
            file.append(bytes(size))
            file.sync()
            self._disk.sync_directory(self._directory)
        except OSError:
            self.close()
            with contextlib.suppress(OSError):
                self._disk.remove(path)
            del self._names[self._newest]
            raise
        self._current = self._newest
        self._slots[self._newest], self._live[self._newest] = size // SLOT_BYTES, set()
        return self._newest

    def _leave(self) -> None:
        self.close()
        self._current = None

    def _file(self, number: int) -> OpenFile:
        """The current file, open."""
        if self._open is None:
            self._open = self._disk.open(self._path(number))
        return self._open

    def _give_back(self, places: Sequence[Place]) -> None:
        for place in places:
            self._live[place.file].difference_update(place.covers())
        self.spoiled.update(places)
        self.close()

    def empty_spoiled(self) -> None:
        """Fill spoiled slots with zeros."""
        for number in sorted({p.file for p in self.spoiled}):
            wanted = {p for p in self.spoiled if p.file == number}
            with contextlib.suppress(FileNotFoundError):
                self._empty(number, {slot for p in wanted for slot in p.covers()} - self._live[number])
            self.spoiled -= wanted

    def _empty(self, number: int, slots: set[int]) -> None:
        file = self._disk.open(self._path(number))
        try:
            for slot in slots:
                file.overwrite(slot * SLOT_BYTES, bytes(SLOT_BYTES))
            file.sync()
        finally:
            file.close()

    def _path(self, number: int) -> Path:
        return self._directory / str(self._names[number])


def _one_after_another(number: int, payloads: Sequence[bytes]) -> list[Place]:
    places, slot = [], 0
    for payload in payloads:
        places.append(Place(number, slot, slots_of(payload)))
        slot += slots_of(payload)
    return places
