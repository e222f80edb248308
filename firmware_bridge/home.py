# SPDX-License-Identifier: Apache-2.0
"""Is a receiver still where it was first seen? The only file with a position, and it never leaves the device.

    {"latitude": 0.0, "longitude": 0.0}

Taking the file away makes the place where the receiver is then its home.
"""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger("firmware_bridge.home")

_EARTH_M = 6_371_000.0
_POLE = 90
_MODE = 0o600


@dataclass(frozen=True, slots=True, repr=False)
class Position:
    """Degrees, north and east above 0; not shown by repr or logs."""

    latitude: float
    longitude: float

    def metres_to(self, other: Position) -> float:
        """Along a great circle (haversine)."""
        first, second = math.radians(self.latitude), math.radians(other.latitude)
        half = math.radians(other.longitude - self.longitude) / 2
        bow = math.sin((second - first) / 2) ** 2 + math.cos(first) * math.cos(second) * math.sin(half) ** 2
        return 2 * _EARTH_M * math.asin(math.sqrt(min(1.0, bow)))


class Home:
    """The place where a receiver was first seen.

    Args:
        path: of the file; the folder is made if need be.
        moved_m: how far away counts as moved.
    """

    def __init__(self, path: Path, moved_m: float) -> None:
        self._path = path
        self._moved_m = moved_m

    def has_moved(self, seen: Sequence[Position]) -> bool | None:
        """Whether every position is too far away; None without one, and where home was just learnt."""
        if not seen:
            return None
        home = self._load()
        if home is None:
            self._learn(_middle(seen))
            return None
        return all(home.metres_to(position) > self._moved_m for position in seen)

    def _load(self) -> Position | None:
        try:
            plain = json.loads(self._path.read_bytes())
            home = Position(float(plain["latitude"]), float(plain["longitude"]))
            if abs(home.latitude) <= _POLE and abs(home.longitude) <= 2 * _POLE:
                return home
        except FileNotFoundError:
            return None
        except OSError as e:
            # Not to be read now is no reason to forget it.
            log.warning("gnss.home_unreadable errno=%s", e.errno)
            return None
        except (ValueError, TypeError, KeyError, RecursionError):
            pass
        log.warning("gnss.home_damaged file=%s", self._path.name)
        with contextlib.suppress(OSError):
            self._path.replace(self._path.with_suffix(".damaged"))
        return None

    def _learn(self, position: Position) -> None:
        if self._path.exists():
            return
        text = json.dumps({"latitude": position.latitude, "longitude": position.longitude})
        beside = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _MODE)
            with os.fdopen(fd, "w") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as e:
            log.warning("gnss.home_not_kept errno=%s", e.errno)


def _middle(seen: Sequence[Position]) -> Position:
    return Position(statistics.median(p.latitude for p in seen), statistics.median(p.longitude for p in seen))
