# SPDX-License-Identifier: Apache-2.0
"""How are figures and times written for people? A value that is not known is a dash, never a nought."""

from __future__ import annotations

import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

ABSENT = "–"

STATES = {"up": "Up", "degraded": "Degraded", "down": "Down", "unknown": "Unknown", "pending": "Pending"}
TIME_BASES = {
    "corrected": "time corrected",
    "arrival": "time by its arrival",
    "unknown": "time not known, at the latest this",
}
CAUSES = {"down_provider": "provider side", "down_other": "at the school"}

OUTAGE_CAUSES = {
    "lan": "the device's own cable or interface",
    "power": "no power at the school",
    "gateway": "router of the school",
    "modem": "modem",
    "sim": "SIM of the modem",
    "line": "way to the operator",
    "operator": "operator, behind its first hop",
    "upstream": "behind the operator",
    "portal": "held by a portal",
    "quota": "account or data used up",
    "dns": "names only",
    "slow": "answers came too late",
    "unknown": "beyond the router, not known where",
}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_STEPS = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 0, ""))


@dataclass(frozen=True)
class Times:
    """Times of one zone."""

    zone: zoneinfo.ZoneInfo

    EMPTY: ClassVar[str] = ABSENT

    def stamp(self, at_ms: int | None) -> str:
        """`22 Nov 2026 19:26:05`."""
        return self._written(at_ms, "%d %b %Y %H:%M:%S")

    def brief(self, at_ms: int | None) -> str:
        """`22 Nov 19:26`."""
        return self._written(at_ms, "%d %b %H:%M")

    def clock(self, at_ms: int | None) -> str:
        """`19:26`."""
        return self._written(at_ms, "%H:%M")

    def offset(self, at_ms: int) -> str:
        """`UTC+5`."""
        moment = _moment(at_ms)
        shift = (moment.astimezone(self.zone).utcoffset() if moment else None) or timedelta()
        hours, rest = divmod(round(abs(shift).total_seconds() / 60), 60)
        sign = "−" if shift < timedelta() else "+"
        return "UTC" if not shift else f"UTC{sign}{hours}" + (f":{rest:02}" if rest else "")

    def _written(self, at_ms: int | None, form: str) -> str:
        moment = _moment(at_ms)
        try:
            return moment.astimezone(self.zone).strftime(form) if moment else self.EMPTY
        except OverflowError:
            return self.EMPTY


def iso(at_ms: int | None) -> str:
    """RFC 3339 in UTC, for machines."""
    moment = _moment(at_ms)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else ""


def duration(seconds: float | None) -> str:
    """`3 h 12 min`: the two largest units."""
    if seconds is None:
        return ABSENT
    whole = max(0, round(seconds))
    for size, unit, small, small_unit in _STEPS:
        if whole >= size:
            rest = whole % size // small if small else 0
            return f"{whole // size} {unit}" + (f" {rest} {small_unit}" if rest else "")
    return f"{whole} s"


def age(seconds: float | None) -> str:
    """`3 h`: the largest unit alone."""
    return " ".join(duration(seconds).split()[:2])


def milliseconds(value: float | None) -> str:
    """`612 ms`, `4.2 ms`, `0.31 ms`: two or three digits that count."""
    return ABSENT if value is None else f"{_digits(value)} ms"


def percent(ratio: float | None) -> str:
    """`1.3 %`; a loss that is not nought never reads `0 %`."""
    if ratio is None:
        return ABSENT
    if 0 < ratio < 0.001:  # noqa: PLR2004 - the smallest share one decimal can show
        return "< 0.1 %"
    return f"{ratio * 100:.0f} %" if ratio in {0, 1} else f"{ratio * 100:.1f} %"


def bit_rate(bytes_per_s: float | None) -> str:
    """`1.2 Mbit/s`."""
    return (
        ABSENT if bytes_per_s is None else _scaled(bytes_per_s * 8, ("bit/s", "kbit/s", "Mbit/s", "Gbit/s"))
    )


def volume(size_bytes: float | None) -> str:
    """`1.2 GB`."""
    return ABSENT if size_bytes is None else _scaled(size_bytes, ("B", "kB", "MB", "GB", "TB"))


def number(value: float | None) -> str:
    """`12 345`, with narrow spaces that do not break."""
    return ABSENT if value is None else f"{value:,.0f}".replace(",", "\u202f")


def _scaled(value: float, units: tuple[str, ...]) -> str:
    unit = units[0]
    for each in units:
        unit = each
        if value < 1000 or each == units[-1]:  # noqa: PLR2004 - SI prefixes are powers of 1000
            break
        value /= 1000
    return f"{_digits(value)} {unit}" if unit != units[0] else f"{value:.0f} {unit}"


def _digits(value: float) -> str:
    if value >= 99.5:  # noqa: PLR2004 - from here on whole numbers have three digits
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _moment(at_ms: int | None) -> datetime | None:
    """None also for what no calendar has."""
    try:
        return None if at_ms is None else _EPOCH + timedelta(milliseconds=at_ms)
    except OverflowError:
        return None
