# SPDX-License-Identifier: Apache-2.0
"""Which outages are played on the bed, and on which links?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tests.linkbed import place
from tests.linkbed.change import Link

PAUSE_S = 5.5


@dataclass(frozen=True, slots=True)
class Scenario:
    """One scripted outage; `cause` is None for what is none."""

    name: str
    places: tuple[str, ...]
    cause: str | None
    lasts_s: float = 5.3
    pause_s: float = PAUSE_S


class Line(NamedTuple):
    """The profile of the watch, and the name of the link it watches."""

    profile: str
    link: str

    def __str__(self) -> str:
        return ", ".join(self)


ALL = (
    Scenario("cable of the device", ("cable",), "lan"),
    Scenario("router dead", ("gateway",), "gateway"),
    Scenario("modem dead", ("modem",), "modem"),
    Scenario("line dead, both ways", ("line",), "line"),
    Scenario("only up dead", ("up",), "line"),
    Scenario("only down dead", ("down",), "line"),
    Scenario("operator dead behind its first hop", ("operator",), "operator"),
    Scenario("all anchors dead, operator well", place.ANCHORS, "upstream"),
    Scenario("one anchor dead", place.ANCHORS[:1], None),
    Scenario("names dead", ("dns",), "dns", lasts_s=8.3),
    Scenario("flapping 1", ("line",), "line", lasts_s=5.1, pause_s=2.6),
    Scenario("flapping 2", ("line",), "line", lasts_s=5.2, pause_s=2.9),
    Scenario("flapping 3", ("line",), "line", lasts_s=6.3),
    Scenario("2 s, line", ("line",), "line", lasts_s=2.1),
    Scenario("2 s, operator", ("operator",), "operator", lasts_s=2.2),
    Scenario("3 s, down", ("down",), "line", lasts_s=3.1),
    Scenario("20 s, modem", ("modem",), "modem", lasts_s=20.3),
)

TERRESTRIAL = Link(rtt_ms=50, rate_bps=5e6)
LOSSY_GEO = Link(rtt_ms=600, rate_bps=10e6, loss_ratio=0.015)
"""1.5 % are lost each way: of requests 3 % stay unanswered."""

LINKS: Mapping[Line, Link] = {
    Line("standard", "50 ms"): TERRESTRIAL,
    Line("standard", "GEO, 3 % loss"): LOSSY_GEO,
    Line("metered", "50 ms"): TERRESTRIAL,
    Line("metered", "GEO, 3 % loss"): LOSSY_GEO,
    Line("standard", "50 ms, no echoes"): TERRESTRIAL,
}
DROPS_ECHOES = frozenset({Line("standard", "50 ms, no echoes")})
"""Where echo requests get no answer and connections do."""
