# SPDX-License-Identifier: Apache-2.0
"""What is promised of an outage that is played, and was it kept?

Within a second of both ends where it lasts 5 s, within two where it lasts 2 s, within the resolution that is
told, and the cause right. What docs/outages.md says cannot be promised is excepted here by name.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from tests.linkbed.outages.played import Found, Played
from tests.linkbed.outages.scenarios import DROPS_ECHOES, LINKS, Line
from tests.linkbed.watching import Told

BUSY_S = 0.3
"""The watch and the test's own echo are programs of a busy machine: each may send and read so much later."""
BY_CHANCE_S = 0.5
"""On a lossy link a request or two may be lost just before the begin or, 0.25 s apart, just after the end. A
router that looks for its neighbour holds connections back near the end, some of them not for long."""

_LONG_S = 5.0


@dataclass(frozen=True, slots=True)
class Missed:
    """These scenarios may stay untold on this profile or link; what is told of them is judged."""

    line: str
    scenarios: tuple[str, ...]
    reason: str


MAY_BE_MISSED = (
    Missed("metered", ("names dead",), "a resolver is asked each 240 s"),
    Missed(
        "metered",
        ("2 s, line", "2 s, operator", "3 s, down"),
        "to be sure takes 3 s at 50 ms, 4 s at 600 ms: an echo each 1.68 s, its time-out, enough others",
    ),
    Missed(
        "50 ms, no echoes",
        ("2 s, line", "2 s, operator", "3 s, down"),
        "to be sure takes 4 s: a connection each 1.8 s, its time-out, enough others",
    ),
)
COARSE = {"dns": "a resolver is asked each 2 s, or each 240 s, by the profile"}
"""Causes whose begin is promised within the resolution told only, and why."""


def why_excepted(found: Found, line: Line) -> str | None:
    """Why it is no fault that nothing was told of it, when nothing was."""
    if found.last is not None:
        return None
    return next(
        (m.reason for m in MAY_BE_MISSED if m.line in line and found.scenario.name in m.scenarios), None
    )


def broken(played: Played, line: Line) -> list[str]:
    """What was promised and not kept, a sentence each."""
    told = [f"{line}: {f.scenario.name}: {fault}" for f in played.found for fault in _faults(f, line)]
    return told + [f"{line}: told, but nothing was cut: {t}" for t in played.imagined]


def _faults(found: Found, line: Line) -> Iterator[str]:
    last, cause = found.last, found.scenario.cause
    if last is None:
        if cause is not None and why_excepted(found, line) is None:
            yield "not told"
    elif cause is None:
        yield f"told as {last.cause}, but is no outage"
    else:
        if last.cause != cause:
            yield f"told as {last.cause} ({last.evidence}), was {cause}"
        is_rough = bool(LINKS[line].loss_ratio) or line in DROPS_ECHOES
        yield from _misdated(found, last, BUSY_S + (BY_CHANCE_S if is_rough else 0.0))


def _misdated(found: Found, last: Told, margin_s: float) -> Iterator[str]:
    promised_s = 1.0 if found.scenario.lasts_s >= _LONG_S else 2.0
    begin_s = math.inf if found.scenario.cause in COARSE else promised_s
    for end, error_s, told_s, most_s in (
        ("begin", found.begin_error_s, last.opened_resolution_s, begin_s),
        ("end", found.end_error_s, last.closed_resolution_s, promised_s),
    ):
        if error_s is None or told_s is None:
            yield f"{end} or its resolution not told"
        elif abs(error_s) > min(told_s, most_s) + margin_s:
            yield f"{end} is {error_s:+.2f} s off, told are ± {told_s:.2f} s, promised ± {most_s:.2f} s"
