# SPDX-License-Identifier: Apache-2.0
"""What fires, and who takes care of it: on the overview, and for another program at `/api/alerts.json`?"""

from __future__ import annotations

from dataclasses import dataclass

from collector.web.view import Firing, View

SHOWN = 20
FIELDS = {
    "alert": "its id, the same from firing to resolved; what `school-collector alerts acknowledge` takes",
    "rule": "name of the rule",
    "severity": "critical, warning or info",
    "says": "one sentence",
    "about": "a device, an operator or a region; empty where it is the school itself",
    "school": "id of the school; empty where it is about many",
    "schools": "how many schools it is about",
    "since_ms": "Unix time of its begin",
    "flaps": "whether it comes and goes",
    "owner": "who takes care of it; null while nobody does",
    "owned_until_ms": "Unix time until when",
}
"""Each key of an alert and its sentence."""


@dataclass(frozen=True, slots=True)
class Row:
    """One alert and the name of its school."""

    firing: Firing
    name: str


@dataclass(frozen=True, slots=True)
class Alerts:
    """What the overview shows; `more` of them are not shown."""

    rows: tuple[Row, ...]
    total: int

    @property
    def more(self) -> int:
        """How many are not shown."""
        return self.total - len(self.rows)


def make(view: View) -> Alerts:
    """The first `SHOWN`."""
    found = view.firing() or ()
    names = {school.id: school.name for school in view.registry.schools()} if found else {}
    rows = tuple(Row(f, names.get(f.school) or f.school) for f in found[:SHOWN])
    return Alerts(rows, len(found))


def answer(view: View) -> dict[str, object]:
    """All of them; `made` is false where no alerts are made."""
    found = view.firing()
    plain = [{name: getattr(f, name) for name in FIELDS} for f in found or ()]
    return {"generated_at_ms": view.now_ms(), "made": found is not None, "alerts": plain}
