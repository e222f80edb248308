# SPDX-License-Identifier: Apache-2.0
"""What stands on the overview: tiles, where the trouble is, and one row per school?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from collector.web.chart.axis import day_axis
from collector.web.chart.sparkline import sparkline
from collector.web.chart.strip import strip
from collector.web.fleet import Fleet, SchoolNow, counts
from collector.web.query import LABELS, Query
from collector.web.slots import stretches
from collector.web.state import State
from collector.web.wording import Times, milliseconds

TROUBLE = (State.DOWN, State.DEGRADED, State.UNKNOWN)
GROUPS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    school: SchoolNow
    latency: Markup
    strip: Markup


@dataclass(frozen=True, slots=True)
class Group:
    """The schools that share a label."""

    value: str
    total: int
    by_state: dict[State, int]

    @property
    def worst(self) -> State:
        """The worst state any of them is in."""
        return next((s for s in TROUBLE if self.by_state[s]), State.UP)

    @property
    def trouble(self) -> tuple[float, ...]:
        """Share of schools down, then degraded, then unknown."""
        return tuple(self.by_state[s] / self.total for s in TROUBLE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything the template prints."""

    counts: dict[State, int]
    total: int
    matching: int
    pages: int
    page: int
    rows: tuple[Row, ...]
    groups: dict[str, tuple[Group, ...]]
    choices: dict[str, tuple[str, ...]]
    axis: Markup
    newest_age_s: float | None


def make(fleet: Fleet, query: Query, times: Times, *, per_page: int) -> Overview:
    """Look at the fleet as the query asks."""
    everyone = fleet.schools()
    listed = query.order([s for s in everyone if query.matches(s)])
    pages = max(1, -(-len(listed) // per_page))
    page = min(query.page, pages)
    shown = listed[(page - 1) * per_page : page * per_page]
    return Overview(
        counts=counts(everyone),
        total=len(everyone),
        matching=len(listed),
        pages=pages,
        page=page,
        rows=tuple(row(fleet, s, times) for s in shown),
        groups={label: troubled(everyone, label) for label in LABELS},
        choices={label: _choices(everyone, label) for label in LABELS},
        axis=day_axis(fleet.window, times),
        newest_age_s=min((s.data_age_s for s in everyone if s.data_age_s is not None), default=None),
    )


def row(fleet: Fleet, school: SchoolNow, times: Times) -> Row:
    """One school with its two small pictures."""
    hourly = fleet.rtt(school.id).hourly
    where = [(fleet.window.place(hour_ms + 1_800_000), value) for hour_ms, value in hourly]
    highest = max((value for _, value in where), default=None)
    said = f"hourly median round-trip time over 24 h, at most {milliseconds(highest)}"
    return Row(
        school=school,
        latency=sparkline(where, step=1 / 24, title=said),
        strip=strip(stretches(fleet.strip(school.id), fleet.window), fleet.window, times),
    )


def troubled(schools: Iterable[SchoolNow], label: str) -> tuple[Group, ...]:
    """The groups in which something is wrong, worst share first."""
    members: dict[str, list[SchoolNow]] = defaultdict(list)
    for each in schools:
        members[getattr(each, label)].append(each)
    if len(members) < 2:  # noqa: PLR2004 - a comparison needs two
        return ()
    groups = (Group(value, len(found), counts(found)) for value, found in members.items())
    wrong = [g for g in groups if any(g.trouble)]
    return tuple(sorted(wrong, key=lambda g: (g.trouble, g.total), reverse=True)[:GROUPS_SHOWN])


def _choices(schools: Sequence[SchoolNow], label: str) -> tuple[str, ...]:
    return tuple(sorted({getattr(s, label) for s in schools} - {""}, key=str.casefold))
