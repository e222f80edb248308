# SPDX-License-Identifier: Apache-2.0
"""Up to where had the journal certainly been whole, whatever its end looks like now?

A checkpoint and a sink's cursor are written only after the entries before them were durable. What does not
read back before such a place is damage; behind it, a power cut may have left it.
"""

from __future__ import annotations

from pathlib import Path

from collector import checkpoint
from collector.cursor import read_file
from collector.disk import Disk
from collector.segment import Position

CURSORS = "cursors"


def proven_end(directory: Path, disk: Disk) -> Position | None:
    """The farthest place that is proven, None where nothing proves any."""
    good, _ = checkpoint.check(checkpoint.read(directory / checkpoint.FILE, disk), key=None)
    places = [Position.parse(c.position) for c in good]
    try:
        names = disk.names(directory / CURSORS)
    except OSError:
        names = []
    cursors = (_cursor(directory / CURSORS / name, disk) for name in names if "." not in name)
    return max((*places, *(at for at in cursors if at is not None)), default=None)


def _cursor(path: Path, disk: Disk) -> Position | None:
    """What a cursor says; whatever else lies there, `lost+found` for one, says nothing."""
    try:
        return read_file(path, disk)
    except OSError:
        return None
