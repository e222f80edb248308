# SPDX-License-Identifier: Apache-2.0
"""What of one file's content is durable, and what could a power cut leave of the rest?

Durable is what a sync has covered. Each write since then may have arrived whole, in parts torn at 512 or 4096
bytes, as garbage, as zeros, or not at all; the bytes beside it are safe. The length of the file is whatever
the parts that arrived make it, or more, filled with zeros.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

TEARS = (512, 4096)
FATES = ("nothing", "all", "prefix", "subset", "garbage", "zeros", "mixed")


class Inode:
    """Content as programs see it, content as it is on the medium, and writes between the two."""

    def __init__(self, durable: bytes = b"") -> None:
        self.content = bytearray(durable)
        self.durable = bytearray(durable)
        self._unsynced: list[tuple[int, bytes | None]] = []

    def write(self, offset: int, data: bytes) -> None:
        """Write into the cache."""
        _put(self.content, offset, data)
        self._unsynced.append((offset, bytes(data)))

    def truncate(self, size: int) -> None:
        """Cut or extend in the cache."""
        _cut(self.content, size)
        self._unsynced.append((size, None))

    def sync(self) -> None:
        """Bring everything to the medium."""
        for offset, data in self._unsynced:
            _apply(self.durable, offset, data)
        self._unsynced.clear()

    def fail_sync(self, dice: random.Random) -> None:
        """Bring some of it to the medium; the rest counts as clean and never gets there by itself.

        That is what Linux does after a write error: the next fsync succeeds without having written it.
        """
        self.durable = bytearray(self.survivor(dice))
        self._unsynced.clear()

    def survivor(self, dice: random.Random, fate: str | None = None) -> bytes:
        """One of the contents a power cut could leave."""
        image = bytearray(self.durable)
        for offset, data in self._unsynced:
            chosen = fate or dice.choice(FATES)
            if data is not None:
                for at, part in _parts(offset, data, chosen, dice):
                    _put(image, at, part)
            elif chosen != "nothing" and dice.random() < 0.5:
                _cut(image, offset)
        return bytes(image)


def _parts(offset: int, data: bytes, fate: str, dice: random.Random) -> Iterator[tuple[int, bytes]]:
    """Where something of a write arrived, and what."""
    if fate in ("nothing", "all"):
        yield from [(offset, data)] if fate == "all" else []
        return
    pieces = list(_torn(offset, data, dice.choice(TEARS)))
    if fate == "prefix":
        yield from pieces[: dice.randrange(len(pieces) + 1)]
        return
    for at, part in pieces:
        kind = dice.choice(("whole", "none", "garbage", "zeros")) if fate == "mixed" else fate
        if kind == "whole" or (kind == "subset" and dice.random() < 0.5):
            yield at, part
        elif kind == "garbage":
            yield at, dice.randbytes(len(part))
        elif kind == "zeros":
            yield at, bytes(len(part))


def _torn(offset: int, data: bytes, limit: int) -> Iterator[tuple[int, bytes]]:
    """Pieces of a write between multiples of `limit`."""
    at, end = offset, offset + len(data)
    while at < end:
        stop = min(end, (at // limit + 1) * limit)
        yield at, data[at - offset : stop - offset]
        at = stop


def _apply(image: bytearray, offset: int, data: bytes | None) -> None:
    if data is None:
        _cut(image, offset)
    else:
        _put(image, offset, data)


def _put(image: bytearray, offset: int, data: bytes) -> None:
    if len(image) < offset:
        image.extend(bytes(offset - len(image)))
    image[offset : offset + len(data)] = data


def _cut(image: bytearray, size: int) -> None:
    image.extend(bytes(max(0, size - len(image))))
    del image[size:]
