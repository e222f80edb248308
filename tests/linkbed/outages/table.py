# SPDX-License-Identifier: Apache-2.0
"""How is what was found of the outages written down, for the page and for a terminal?"""

from __future__ import annotations

from tests.linkbed.outages.played import Found, Played
from tests.linkbed.outages.scenarios import Line


def table(line: Line, played: Played) -> str:
    """A heading, a row for each scenario, and what was told of nothing."""
    rows = (
        f"### {line}\n",
        "| scenario | truth | begin | told ± | end | told ± | cause | right |",
        "|---|---:|---:|---:|---:|---:|---|---|",
        *map(_row, played.found),
        f"\nOutages told that were none: {len(played.imagined)}.\n",
    )
    return "\n".join(rows)


def _row(found: Found) -> str:
    truth = f"{found.truth.lasted_s:.2f} s"
    verdict = "yes" if found.is_right else "**no**"
    last = found.last
    if last is None:
        return f"| {found.scenario.name} | {truth} | – | – | – | – | no outage | {verdict} |"
    cells = [
        _signed(found.begin_error_s),
        _plain(last.opened_resolution_s),
        _signed(found.end_error_s),
        _plain(last.closed_resolution_s),
    ]
    return f"| {found.scenario.name} | {truth} | {' | '.join(cells)} | {last.cause} | {verdict} |"


def _signed(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:+.2f}"


def _plain(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.2f}"
