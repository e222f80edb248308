# SPDX-License-Identifier: Apache-2.0
"""Which words does a report use, in which language?

One TOML file a language in `catalogues/`, with the same keys in each: a word that is missing is an error,
never another language's. Numbers and dates are written without the machine's locale.
"""

from __future__ import annotations

import functools
import tomllib
import zoneinfo
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

LANGUAGES = ("en", "ru", "kk")
FOLDER = Path(__file__).with_name("catalogues")
ABSENT = "–"
NO_BREAK = "\u00a0"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Words:
    """One language.

    Attributes:
        text: every sentence by its key, such as `page.title`, with `{names}` to be filled in.
    """

    language: str
    text: Mapping[str, str]

    def say(self, key: str, /, **values: object) -> str:
        """A sentence.

        Raises:
            KeyError: it has no such key, or the sentence wants a value that is not given.
        """
        return self.text[key].format_map(values)

    def number(self, value: Decimal | float | Fraction | None, places: int = 0) -> str:
        """`12,345.6` or `12 345,6`; halves go away from nought; a dash for None."""
        return ABSENT if value is None else self._grouped(_rounded(value, places), places)

    def share(self, ratio: Fraction | float | None, places: int = 2) -> str:
        """`98.99 %`: cut, not rounded, so that what is below a target never reads as if it had reached it."""
        if ratio is None:
            return ABSENT
        cut = (_exact(ratio) * 100).quantize(_step(places), rounding=ROUND_DOWN)
        return f"{self._grouped(cut, places)}{NO_BREAK}%"

    def hours(self, minutes: int | None) -> str:
        """`2 h 05 min`, out of minutes."""
        if minutes is None:
            return ABSENT
        if minutes < 60:  # noqa: PLR2004 - an hour
            return self.say("unit.minutes", n=self.number(minutes))
        return self.say("unit.hours_minutes", h=self.number(minutes // 60), m=f"{minutes % 60:02}")

    def month(self, month: str) -> str:
        """`November 2026`, of `2026-11`."""
        year, _, number = month.partition("-")
        return self.say("date.month", name=self.text[f"month.m{number}"], year=year)

    def time(self, at_ms: int | None, zone: zoneinfo.ZoneInfo) -> str:
        """`22.11.2026 14:05`, local."""
        if at_ms is None:
            return ABSENT
        at = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(zone)
        return self.say("date.time", d=f"{at.day:02}", m=f"{at.month:02}", y=f"{at.year:04}", t=f"{at:%H:%M}")

    def _grouped(self, value: Decimal, places: int) -> str:
        sign = "−" if value < 0 else ""
        whole, _, rest = f"{abs(value):.{places}f}".partition(".")
        groups = [whole[max(0, end - 3) : end] for end in range(len(whole), 0, -3)]
        joined = self.text["number.thousands"].join(reversed(groups))
        return sign + joined + (self.text["number.decimal"] + rest if rest else "")


@functools.cache
def words(language: str) -> Words:
    """The words of one of `LANGUAGES`."""
    content = (FOLDER / f"{language}.toml").read_text(encoding="utf-8")
    flat = dict(_flat(tomllib.loads(content)))
    units = {key: said.replace(" ", NO_BREAK) for key, said in flat.items() if key.startswith("unit.")}
    return Words(language=language, text={**flat, **units})


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", str(value)


def _exact(value: Decimal | float | Fraction) -> Decimal:
    """Far more digits than are ever shown."""
    if isinstance(value, Fraction):
        return Decimal(value.numerator) / Decimal(value.denominator)
    return value if isinstance(value, Decimal) else Decimal(repr(value))


def _rounded(value: Decimal | float | Fraction, places: int) -> Decimal:
    exact, step = _exact(value), _step(places)
    return (
        (abs(exact) / step + Decimal("0.5")).to_integral_value(rounding=ROUND_DOWN)
        * step
        * (-1 if exact < 0 else 1)
    )


def _step(places: int) -> Decimal:
    return Decimal(1).scaleb(-places)
