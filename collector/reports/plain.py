# SPDX-License-Identifier: Apache-2.0
"""How do figures become plain data that says each of them exactly?

A fraction is written `"25911/26400"`, a decimal as its digits, a verdict as its word; field names stay.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from collector.sla.period import Month

_DIGITS = 9
"""Of a number that is not exact; the last ones of a logarithm differ from one machine to another."""
_NAMES = ("id", "school", "day", "name", "rule", "operator")


def to_plain(value: Any) -> Any:
    """What JSON can hold."""
    if dataclasses.is_dataclass(value) and not isinstance(value, Month):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, Fraction):
        return f"{value.numerator}/{value.denominator}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    return str(value) if isinstance(value, dt.date | Month) else value


def flat(plain: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Each number and word of plain data, by its path; items of a list by their name, else by their place."""
    if isinstance(plain, dict):
        for key, item in plain.items():
            yield from flat(item, f"{path}.{key}" if path else key)
    elif isinstance(plain, list):
        seen: Counter[str] = Counter()
        for place, item in enumerate(plain):
            name = _named(item, place)
            seen[name] += 1
            name += f"#{seen[name]}" if seen[name] > 1 else ""
            yield from flat(item, f"{path}[{name}]")
    else:
        yield path, plain


def _named(item: Any, place: int) -> str:
    if isinstance(item, dict):
        return str(next((item[key] for key in _NAMES if key in item), place))
    return str(place)
