# SPDX-License-Identifier: Apache-2.0
"""What did the visitor ask for in the query string? Odd values are never an error, they are left out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from collector.web.fleet import SchoolNow
from collector.web.state import State

LONGEST = 80
"""Characters of a value that are looked at."""

LABELS = ("region", "operator", "technology")

_URGENCY = {State.DOWN: 0, State.DEGRADED: 1, State.UNKNOWN: 2, State.PENDING: 3, State.UP: 4}


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Filters, order and page of the overview; empty means all."""

    state: str = ""
    region: str = ""
    operator: str = ""
    technology: str = ""
    q: str = ""
    sort: str = ""
    page: int = 1
    tz: str = ""

    @classmethod
    def of(cls, plain: Mapping[str, str]) -> Query:
        """Read what was sent."""
        labels = {name: _text(plain.get(name)) for name in (*LABELS, "q")}
        return cls(
            state=_one_of(plain.get("state"), tuple(State)),
            sort=_one_of(plain.get("sort"), tuple(_ORDERS)),
            tz=_one_of(plain.get("tz"), ("utc",)),
            page=_page(plain.get("page")),
            **labels,
        )

    @property
    def is_filtered(self) -> bool:
        """Whether any school may be left out."""
        return bool(self.state or self.q or any(getattr(self, name) for name in LABELS))

    def matches(self, school: SchoolNow) -> bool:
        """Whether the school is to be listed."""
        if self.state and school.state != self.state:
            return False
        if any(getattr(self, name) not in ("", getattr(school, name)) for name in LABELS):
            return False
        return self.q.casefold() in f"{school.name} {school.id}".casefold()

    def order(self, schools: list[SchoolNow]) -> list[SchoolNow]:
        """As asked; most urgent first otherwise, longest first among equals."""
        return sorted(schools, key=_ORDERS[self.sort])

    def link(self, **changes: object) -> str:
        """Address of the overview with some of it changed; a changed filter begins at page 1."""
        changed = replace(self, **{"page": 1, **changes})  # type: ignore[arg-type]
        sent = {name: getattr(changed, name) for name in self.__slots__}
        return "/?" + urlencode({k: str(v) for k, v in sent.items() if v not in ("", 1)})


def _by_urgency(school: SchoolNow) -> tuple[object, ...]:
    return _URGENCY[school.state], school.since_ms or 0, _natural(school.name), school.id


def _by_name(school: SchoolNow) -> tuple[object, ...]:
    return _natural(school.name), school.id


def _natural(name: str) -> list[str | int]:
    """`№5` before `№15`."""
    parts = re.split("([0-9]{1,9})", name.casefold())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)]


def _by_latency(school: SchoolNow) -> tuple[object, ...]:
    return -(school.rtt_median_ms or -1.0), school.id


def _by_loss(school: SchoolNow) -> tuple[object, ...]:
    return -(-1.0 if school.loss_ratio is None else school.loss_ratio), school.id


def _by_age(school: SchoolNow) -> tuple[object, ...]:
    return -(-1.0 if school.data_age_s is None else school.data_age_s), school.id


_ORDERS = {"": _by_urgency, "name": _by_name, "latency": _by_latency, "loss": _by_loss, "age": _by_age}

SORTS = tuple(_ORDERS)


def _text(value: str | None) -> str:
    return "".join(c for c in (value or "")[:LONGEST] if c.isprintable()).strip()


def _one_of(value: str | None, known: tuple[str, ...]) -> str:
    return str(value) if value in known else ""


def _page(value: str | None) -> int:
    is_number = value is not None and value.isascii() and value.isdigit() and len(value) <= 6  # noqa: PLR2004 - six digits are pages enough
    return max(1, int(value)) if is_number and value else 1
