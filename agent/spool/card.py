# SPDX-License-Identifier: Apache-2.0
"""Where on the card is which block, where is there room for the next, and how does a file become smaller?

Files have a number and a fixed size. A block is written into a free slot of the newest file and synced;
the slot of a block that is live is never written to. A file is made smaller only as a whole, by putting a
new one in its place in one step, so that what was dropped can never come back beside the record of its drop.

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

log = logging.getLogger("agent.spool")

SUFFIX = ".blocks"


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
        spoiled: slots to be emptied before the next block is written.
    """

    def __init__(self, disk: Disk, directory: Path, file_bytes: int) -> None:
        self._disk = disk
        self._directory = directory
        self._file_bytes = -(-file_bytes // SLOT_BYTES) * SLOT_BYTES
        self._slots: dict[int, int] = {}
        self._live: dict[int, set[int]] = {}
        self._current: int | None = None
        self._open: OpenFile | None = None
        self.damaged_bytes = 0
        self.is_unread = False
        self.spoiled: set[Place] = set()
        self._newest = 0

    @property
    def size_bytes(self) -> int:
        """Of all files."""
        return sum(self._slots.values()) * SLOT_BYTES

    @property
    def file_bytes(self) -> int:
        """Of a new file."""
        return self._file_bytes

    @property
    def current(self) -> int | None:
        """The file that is written to."""
        return self._current

    def recover(self) -> Iterator[tuple[Place, bytes]]:
        """Every whole block; the newest file is gone on with."""
        try:
            self._disk.make_directory(self._directory)
            numbers = file_numbers(self._disk, self._directory)
        except OSError:
            self.is_unread = True
            raise
        for number in numbers:
            self._newest = number
            yield from self._read(number)
        self._go_on()

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
            self._empty_spoiled()
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
        self._empty_spoiled()
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

    def rewrite(self, number: int, payloads: Sequence[bytes]) -> list[Place]:
        """Put a file with these blocks in the place of another, in one step."""
        if number == self._current:
            self._leave()
        places, slot = [], 0
        for payload in payloads:
            places.append(Place(number, slot, slots_of(payload)))
            slot += slots_of(payload)
        self._disk.replace(self._path(number), b"".join(map(frame, payloads)))
        self._slots[number], self._live[number] = slot, set(range(slot))
        self.spoiled = {p for p in self.spoiled if p.file != number}
        return places

    def tidy(self) -> None:
        """Remove files that hold nothing wanted."""
        for number in [n for n, live in self._live.items() if not live and n != self._current]:
            with contextlib.suppress(FileNotFoundError):
                self._disk.remove(self._path(number))
            del self._live[number], self._slots[number]
            self.spoiled = {p for p in self.spoiled if p.file != number}

    def close(self) -> None:
        """Release the open file."""
        if self._open is not None:
            with contextlib.suppress(OSError):
                self._open.close()
            self._open = None

    def _read(self, number: int) -> Iterator[tuple[Place, bytes]]:
        path = self._path(number)
        self._live[number] = set()
        try:
            data = self._disk.read(path)
        except OSError as e:
            self.is_unread = True
            self._slots[number] = 0
            self._live[number].add(0)
            log.error("spool.unreadable file=%s problem=%s", path, e)  # noqa: TRY400 -- no traceback needed
            return
        self._slots[number] = len(data) // SLOT_BYTES
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
        self._newest = max([self._newest, *file_numbers(self._disk, self._directory)]) + 1
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

    def _empty_spoiled(self) -> None:
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
        return file_path(self._directory, number)


def file_path(directory: Path, number: int) -> Path:
    """A file by its number."""
    return directory / f"{number:08d}{SUFFIX}"


def file_numbers(disk: Disk, directory: Path) -> list[int]:
    """Files there are, oldest first."""
    stems = (n.removesuffix(SUFFIX) for n in disk.names(directory) if n.endswith(SUFFIX))
    return sorted(int(stem) for stem in stems if stem.isascii() and stem.isdigit())
