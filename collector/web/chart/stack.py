# SPDX-License-Identifier: Apache-2.0
"""Which share of a group of schools is in trouble?"""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from collector.web.chart.svg import element, share
from collector.web.state import State
from collector.web.wording import STATES

ORDER = (State.DOWN, State.DEGRADED, State.UNKNOWN, State.PENDING, State.UP)


def stack(by_state: Mapping[State, int]) -> Markup:
    """One bar, worst at the left. The page must define the pattern `#hatch`."""
    total = sum(by_state.values())
    said = ", ".join(f"{n} {STATES[s].lower()}" for s, n in by_state.items() if n)
    bars, left = [], 0
    for state in ORDER:
        if by_state[state]:
            width = by_state[state] / total
            bars.append(
                element(
                    "rect", class_=state.value, x=share(left / total), width=share(width), y=0, height="100%"
                )
            )
            left += by_state[state]
    return element("svg", element("title", said or "no schools"), *bars, class_="stack", role="img")
