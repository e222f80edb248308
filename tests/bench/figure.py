# SPDX-License-Identifier: Apache-2.0
"""What is one measured figure?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A figure, its unit, and what it should be at most.

    Attributes:
        goal: largest good value, None where there is none.
        note: how it was come by, where that is not plain.
    """

    name: str
    value: float
    unit: str
    goal: float | None = None
    note: str = ""

    def __str__(self) -> str:
        verdict = (
            ""
            if self.goal is None
            else f"  (goal ≤ {self.goal:g}: {'met' if self.value <= self.goal else 'MISSED'})"
        )
        return f"{self.name:<44} {self.value:>12,.3f} {self.unit}{verdict}  {self.note}".rstrip()

    def as_json(self, command: str) -> dict[str, Any]:
        """One row of bench.json."""
        row = {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "goal": self.goal,
            "command": command,
        }
        return row | ({"note": self.note} if self.note else {})
