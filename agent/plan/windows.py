# SPDX-License-Identifier: Apache-2.0
"""When, in true time, does the school's clock show a time within the windows of one day?

A window is a span of what the clock on the wall shows. Where the clock is set forward in one, it is shorter
by that; where it is set back, the hour that comes twice belongs to it twice.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

_DAY_S = 86_400
_AROUND_S = 15 * 3600
"""No zone is further from UTC."""
_LOOK_EVERY_S = 3600
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()
_WINDOW = re.compile(r"([01]\d|2[0-4]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)")
_LOCALTIME = Path("/etc/localtime")


@dataclass(frozen=True, slots=True)
class Span:
    """From `begin_s` up to but not including `end_s`: Unix time, or seconds of a day."""

    begin_s: float
    end_s: float

    @property
    def seconds(self) -> float:
        """How long."""
        return self.end_s - self.begin_s


WHOLE_DAY = Span(0, _DAY_S)


def parse(text: str) -> tuple[Span, ...]:
    """Seconds of the day of `08:00-18:00`; `22:00-06:00` is the end and the beginning of each day.

    Raises:
        ValueError: it is no window.
    """
    found = _WINDOW.fullmatch(text)
    if found is None:
        raise ValueError(f"window {text!r} must be like 08:00-18:00")
    hours, minutes, end_hours, end_minutes = (int(number) for number in found.groups())
    begin_s, end_s = hours * 3600 + minutes * 60, end_hours * 3600 + end_minutes * 60
    if max(begin_s, end_s) > _DAY_S or begin_s in (end_s, _DAY_S):
        raise ValueError(f"window {text!r} must begin and end at different times of 00:00 to 24:00")
    if begin_s < end_s:
        return (Span(begin_s, end_s),)
    return tuple(span for span in (Span(0, end_s), Span(begin_s, _DAY_S)) if span.seconds)


def joined(spans: Sequence[Span]) -> tuple[Span, ...]:
    """The same times, in order, none twice."""
    made: list[Span] = []
    for span in sorted(spans, key=lambda s: s.begin_s):
        if made and span.begin_s <= made[-1].end_s:
            made[-1] = Span(made[-1].begin_s, max(made[-1].end_s, span.end_s))
        else:
            made.append(span)
    return tuple(made)


def zone(name: str) -> dt.tzinfo:
    """A time zone by its IANA name; empty for the device's own.

    Raises:
        ValueError: there is none of that name.
    """
    if not name:
        return _own_zone()
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError) as e:
        raise ValueError(f"time zone {name!r} is not known") from e


def _own_zone() -> dt.tzinfo:
    try:
        with _LOCALTIME.open("rb") as file:
            return ZoneInfo.from_file(file)
    except (OSError, ValueError):
        return dt.UTC


def day_of(at_s: float, where: dt.tzinfo) -> dt.date:
    """The date that the school's clock shows."""
    return dt.datetime.fromtimestamp(at_s, where).date()


def of_day(day: dt.date, windows: Sequence[Span], where: dt.tzinfo) -> tuple[Span, ...]:
    """Unix times at which the clock shows this date and a time within the windows."""
    midnight_s = (day.toordinal() - _EPOCH_DAY) * _DAY_S
    found = []
    for piece, offset_s in _pieces(midnight_s - _AROUND_S, midnight_s + _DAY_S + _AROUND_S, where):
        for window in windows:
            begin_s = max(piece.begin_s, midnight_s + window.begin_s - offset_s)
            end_s = min(piece.end_s, midnight_s + window.end_s - offset_s)
            if begin_s < end_s:
                found.append(Span(begin_s, end_s))
    return joined(found)


def _pieces(begin_s: int, end_s: int, where: dt.tzinfo) -> Iterator[tuple[Span, float]]:
    """Spans within which the clock is not set, each with its offset from UTC."""
    piece_s, offset_s = begin_s, _offset_s(begin_s, where)
    for at_s in range(begin_s + _LOOK_EVERY_S, end_s + 1, _LOOK_EVERY_S):
        if _offset_s(at_s, where) != offset_s:
            set_s = _first_other(at_s - _LOOK_EVERY_S, at_s, where)
            yield Span(piece_s, set_s), offset_s
            piece_s, offset_s = set_s, _offset_s(at_s, where)
    yield Span(piece_s, end_s), offset_s


def _first_other(low_s: int, high_s: int, where: dt.tzinfo) -> int:
    """The second at which the clock is set between these two."""
    before_s = _offset_s(low_s, where)
    while high_s - low_s > 1:
        middle_s = (low_s + high_s) // 2
        if _offset_s(middle_s, where) == before_s:
            low_s = middle_s
        else:
            high_s = middle_s
    return high_s


def _offset_s(at_s: float, where: dt.tzinfo) -> float:
    offset = dt.datetime.fromtimestamp(at_s, where).utcoffset()
    return offset.total_seconds() if offset else 0.0
