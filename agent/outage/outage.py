# SPDX-License-Identifier: Apache-2.0
"""What is told of an outage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from agent.outage.cause import Cause
from agent.outage.silence import Bounds

Scope = Literal["link", "dns"]

_SHORTEST_S = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """An outage as far as it is known; `closed` is None while it lasts."""

    number: int
    scope: Scope
    opened: Bounds
    cause: Cause
    evidence: str
    lost: int
    closed: Bounds | None = None
    is_settled: bool = False

    @property
    def lasted_s(self) -> float | None:
        """How long it lasted; None while it does."""
        return None if self.closed is None else max(_SHORTEST_S, self.closed.at_s - self.opened.at_s)
