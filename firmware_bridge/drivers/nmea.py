# SPDX-License-Identifier: Apache-2.0
"""What time is it by a GNSS receiver, does it have a fix, and where? (NMEA 0183: RMC, GGA, GSA, ZDA)

The positions serve to see whether the receiver was moved and are not part of the record. A date before this
software was written is that of a receiver whose count of weeks rolled over (every 1024 weeks) or whose clock
was never set, and is refused.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from agent.contract.devices import Gnss
from agent.contract.reason import Reason
from firmware_bridge.checking import checked
from firmware_bridge.home import Home, Position
from firmware_bridge.links.listening import Talk, wall_ms
from firmware_bridge.meaning import told
from firmware_bridge.protocols.nmea import Sentence, Sentences
from firmware_bridge.reading import DeviceFailed, DeviceReading

_EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)
_LATEST_YEAR = 2079
_TIME = re.compile(r"(\d\d)(\d\d)(\d\d)(?:\.(\d{1,9}))?")
_DATE = re.compile(r"(\d\d)(\d\d)(\d\d)")
_PLACE = re.compile(r"(\d{2,3})(\d\d(?:\.\d{1,8})?)")
_NUMBER = re.compile(r"\d{1,4}(?:\.\d{1,6})?")
_NO_FIX_MODES = frozenset("NEMS")
"""Of RMC: not valid, estimated, put in by hand, simulated."""
_FIX_QUALITIES = frozenset("123459")
"""Of GGA: but for 0 none, 6 estimated, 7 put in by hand, 8 simulated."""
_GOOD_HDOP, _GOOD_SATELLITES = 5.0, 4
_ROUNDS = 3
_JITTER_MS = 1500


@dataclass(repr=False)
class Heard:
    """What was heard in one round of listening."""

    fix: bool | None = None
    satellites: int | None = None
    hdop: float | None = None
    offsets_ms: list[int] = field(default_factory=list)
    positions: list[Position] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    rounds: int = 0
    sentences: int = 0
    is_good: bool = False


class Nmea:
    """Listens until a few fixes were heard.

    Args:
        home: where the receiver should be; None where nobody wants to know.
        now_ms: the device's clock, Unix time.
    """

    name: ClassVar[str] = "nmea"
    scheme: ClassVar[str] = "nmea"

    def __init__(self, now_ms: Callable[[], int] = wall_ms, home: Home | None = None) -> None:
        self._now_ms = now_ms
        self._home = home

    def read(self, link: Talk, device: str) -> DeviceReading:
        """What it tells by itself.

        Raises:
            DeviceFailed: nothing came, or no sentence whose sum is right.
        """
        heard, bytes_heard = gather(link.pieces(), self._now_ms)
        if heard.sentences:
            return self._reading(heard, device)
        if not bytes_heard:
            raise DeviceFailed(
                link.path, Reason.TIMEOUT, "nothing comes from here: is NMEA switched on at this port?"
            )
        raise DeviceFailed(
            link.path, Reason.BAD_ANSWER, f"{bytes_heard} bytes came, no whole sentence: is the speed right?"
        )

    def _reading(self, heard: Heard, device: str) -> DeviceReading:
        moved = None if self._home is None else self._home.has_moved(heard.positions)
        meanings = ["moved"] if moved else []
        values = {
            "driver": self.name,
            "meaning": told(meanings),
            "fix": heard.fix,
            "satellites": heard.satellites,
            "hdop": heard.hdop,
            "clock_offset_ms": offset_ms(heard.offsets_ms),
            "moved": moved,
        }
        fields, refused = checked(Gnss, {"receiver": device}, values)
        return DeviceReading((fields,), tuple(meanings), refused + tuple(heard.refused[:1]))


def gather(pieces: Iterable[bytes], now_ms: Callable[[], int]) -> tuple[Heard, int]:
    """What was heard, and how many bytes came."""
    sentences, heard, bytes_heard = Sentences(), Heard(), 0
    for data in pieces:
        at_ms = now_ms()
        bytes_heard += len(data)
        for sentence in sentences.feed(data):
            heard.sentences += 1
            _READERS.get(sentence.type, _ignore)(sentence, heard, at_ms)
        if heard.rounds >= _ROUNDS:
            break
    return heard, bytes_heard


def offset_ms(offsets_ms: Sequence[int]) -> int | None:
    """That of the sentence that came with the least delay; one far from the others was damaged and passed."""
    if not offsets_ms:
        return None
    middle_ms = statistics.median(offsets_ms)
    return max((o for o in offsets_ms if abs(o - middle_ms) <= _JITTER_MS), default=round(middle_ms))


def _ignore(_: Sentence, __: Heard, ___: int) -> None:
    """Others tell nothing that is wanted."""


def _take_rmc(sentence: Sentence, heard: Heard, at_ms: int) -> None:
    """1 time, 2 status, 3-6 position, 9 date, 12 mode."""
    heard.rounds += 1
    is_valid = sentence.field(2) == "A" and sentence.field(12) not in _NO_FIX_MODES
    heard.fix = is_valid
    if not is_valid:
        return
    _take_time(heard, _moment(sentence.field(1), _date(sentence.field(9))), sentence.field(9), at_ms)
    _take_position(sentence, 3, heard)


def _take_gga(sentence: Sentence, heard: Heard, _: int) -> None:
    """2-5 position, 6 quality, 7 satellites, 8 HDOP."""
    heard.fix = sentence.field(6) in _FIX_QUALITIES
    satellites, hdop = sentence.field(7), _number(sentence.field(8))
    heard.satellites = int(satellites) if re.fullmatch(r"\d{1,2}", satellites) else None
    heard.hdop = hdop if heard.fix else None
    few = heard.satellites is None or heard.satellites < _GOOD_SATELLITES
    heard.is_good = heard.fix and not few and hdop is not None and hdop <= _GOOD_HDOP
    if heard.fix:
        _take_position(sentence, 2, heard)


def _take_gsa(sentence: Sentence, heard: Heard, _: int) -> None:
    """2 dimensions of the fix, 16 HDOP."""
    if sentence.field(2) in {"2", "3"} and heard.hdop is None:
        heard.hdop = _number(sentence.field(16))


def _take_zda(sentence: Sentence, heard: Heard, at_ms: int) -> None:
    """1 time, 2 day, 3 month, 4 year of four digits; a receiver without a fix may tell its own clock's."""
    if not heard.fix:
        return
    words = [sentence.field(at) for at in (2, 3, 4)]
    if all(re.fullmatch(r"\d{1,4}", word) for word in words):
        day, month, year = (int(word) for word in words)
        _take_time(heard, _moment(sentence.field(1), (year, month, day)), "".join(words), at_ms)


_READERS: dict[str, Callable[[Sentence, Heard, int], None]] = {
    "RMC": _take_rmc,
    "GGA": _take_gga,
    "GSA": _take_gsa,
    "ZDA": _take_zda,
}


def _take_time(heard: Heard, moment: datetime | None, said: str, at_ms: int) -> None:
    if moment is None:
        return
    if moment < _EARLIEST or moment.year > _LATEST_YEAR:
        heard.refused.append(f"date={said}")
        return
    heard.offsets_ms.append(round(moment.timestamp() * 1000) - at_ms)


def _date(text: str) -> tuple[int, int, int] | None:
    """ddmmyy; 80 to 99 are years of the last century."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    day, month, year = (int(part) for part in found.groups())
    return year + (1900 if year >= 80 else 2000), month, day


def _moment(text: str, date: tuple[int, int, int] | None) -> datetime | None:
    """hhmmss.ss of a day; a leap second is the 60th."""
    found = _TIME.fullmatch(text)
    if found is None or date is None:
        return None
    hours, minutes, seconds = (int(part) for part in found.groups()[:3])
    if hours > 23 or minutes > 59 or seconds > 60:
        return None
    try:
        day = datetime(*date, tzinfo=UTC)
    except ValueError:
        return None
    return day + timedelta(hours=hours, minutes=minutes, seconds=seconds + float(f"0.{found[4] or 0}"))


def _take_position(sentence: Sentence, at: int, heard: Heard) -> None:
    """Only while the receiver says itself that its fix is good."""
    latitude = _degrees(sentence.field(at), sentence.field(at + 1), "NS", 90)
    longitude = _degrees(sentence.field(at + 2), sentence.field(at + 3), "EW", 180)
    if heard.is_good and latitude is not None and longitude is not None:
        heard.positions.append(Position(latitude, longitude))


def _degrees(text: str, side: str, sides: str, most: float) -> float | None:
    """dddmm.mmmm and a letter."""
    found = _PLACE.fullmatch(text)
    if found is None or len(side) != 1 or side not in sides or float(found[2]) >= 60:
        return None
    degrees = int(found[1]) + float(found[2]) / 60
    return None if degrees > most else degrees if side == sides[0] else -degrees


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text) else None


DRIVER = Nmea()
