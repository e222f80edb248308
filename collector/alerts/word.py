# SPDX-License-Identifier: Apache-2.0
"""What did people say of alerts: who takes care of one, and of whom nothing is to be told for a while?

A word is stored by the command that says it and heard by the collector that runs, some seconds later.
"""

from __future__ import annotations

from dataclasses import dataclass

from collector.alerts.outbox import Outbox
from collector.registry import School
from collector.sla.exclusion import Act, Exclusion, ExclusionType, Scope, ScopeKind, Verb

_TABLES = """
CREATE TABLE IF NOT EXISTS acknowledgement (
    alert TEXT PRIMARY KEY, owner TEXT NOT NULL, until_ms INTEGER NOT NULL, said_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS mute (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    scope TEXT NOT NULL CHECK (scope IN ('school', 'operator', 'region', 'all')),
    name TEXT NOT NULL,
    from_ms INTEGER NOT NULL,
    to_ms INTEGER NOT NULL,
    said_ms INTEGER NOT NULL,
    owner TEXT NOT NULL,
    reason TEXT NOT NULL,
    ended_ms INTEGER
);
"""
_SCOPES = {
    "school": ScopeKind.SITE,
    "operator": ScopeKind.OPERATOR,
    "region": ScopeKind.REGION,
    "all": ScopeKind.ALL,
}
SCOPES = tuple(_SCOPES)
_COLUMNS = "id, scope, name, from_ms, to_ms, said_ms, owner, reason, ended_ms"


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledgement:
    """Who takes care of an alert, and until when."""

    alert: str
    owner: str
    until_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """Maintenance: of whom nothing is told for a while, who said so, and why; alone it excludes nothing."""

    id: int = 0
    scope: str
    name: str
    from_ms: int
    to_ms: int
    said_ms: int
    owner: str
    reason: str
    ended_ms: int | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.to_ms <= self.from_ms:
            raise ValueError("it must end after it begins")
        if (self.scope == "all") == bool(self.name):
            raise ValueError("name one school, operator or region; with `all`, nobody")

    @property
    def ends_ms(self) -> int:
        """When it ends, or ended because somebody said so."""
        return self.to_ms if self.ended_ms is None else min(self.to_ms, self.ended_ms)

    @property
    def proposal(self) -> Act:
        """The exclusion that it proposes, for somebody else to approve."""
        return self._propose(f"mute-{self.id}", self.to_ms, self.said_ms)

    def correction(self, now_ms: int) -> Act:
        """What takes the place of that once it was ended before its time; withdrawn if it never held."""
        if self.ends_ms <= self.from_ms:
            return Act(verb=Verb.WITHDRAW, id=f"mute-{self.id}", by=self.owner, at_ms=now_ms)
        return self._propose(f"mute-{self.id}-ended", self.ends_ms, now_ms, supersedes=f"mute-{self.id}")

    def _propose(self, name: str, to_ms: int, now_ms: int, supersedes: str | None = None) -> Act:
        exclusion = Exclusion(
            id=name,
            type=ExclusionType.PLANNED_MAINTENANCE,
            scope=Scope(kind=_SCOPES[self.scope], name=self.name),
            from_ms=self.from_ms,
            to_ms=to_ms,
            declared_at_ms=now_ms,
            declared_by=self.owner,
            reason=self.reason,
            supersedes=supersedes,
        )
        return Act(
            verb=Verb.PROPOSE, id=name, by=self.owner, at_ms=now_ms, reason=self.reason, proposed=exclusion
        )

    def holds(self, school: School, now_ms: int) -> bool:
        """Whether nothing is told of a school now."""
        if not self.from_ms <= now_ms < self.ends_ms:
            return False
        of = {"school": school.id, "operator": school.operator, "region": school.region}
        return self.scope == "all" or of[self.scope] == self.name


class Words:
    """Beside the outbox, in its file."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        outbox.make(_TABLES)

    def acknowledge(self, said: Acknowledgement, now_ms: int) -> None:
        """Somebody takes care of an alert; the last word holds."""
        with self._outbox.transaction() as base:
            base.execute(
                "INSERT OR REPLACE INTO acknowledgement VALUES (?, ?, ?, ?)",
                (said.alert, said.owner, said.until_ms, now_ms),
            )

    def acknowledgements(self, now_ms: int) -> list[Acknowledgement]:
        """Those that hold."""
        with self._outbox.transaction() as base:
            rows = base.execute(
                "SELECT alert, owner, until_ms FROM acknowledgement WHERE until_ms > ?", (now_ms,)
            ).fetchall()
        return [Acknowledgement(alert=a, owner=o, until_ms=u) for a, o, u in rows]

    def mute(self, said: Mute) -> int:
        """Tell nothing of somebody for a while; its number."""
        row = (said.scope, said.name, said.from_ms, said.to_ms, said.said_ms, said.owner, said.reason)
        columns = "scope, name, from_ms, to_ms, said_ms, owner, reason"
        with self._outbox.transaction() as base:
            made = base.execute(f"INSERT INTO mute ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)  # noqa: S608 -- constant
        return int(made.lastrowid or 0)

    def unmute(self, number: int, now_ms: int) -> bool:
        """End it before its time; nothing is deleted. False where there is no such mute that is not over."""
        with self._outbox.transaction() as base:
            made = base.execute(
                "UPDATE mute SET ended_ms = ? WHERE id = ? AND ended_ms IS NULL AND to_ms > ?",
                (now_ms, number, now_ms),
            )
        return made.rowcount == 1

    def mutes(self, since_ms: int = 0) -> list[Mute]:
        """Those that were not over at a time, oldest first."""
        asked = f"SELECT {_COLUMNS} FROM mute WHERE min(to_ms, coalesce(ended_ms, to_ms)) > ? ORDER BY id"  # noqa: S608 -- constant
        with self._outbox.transaction() as base:
            rows = base.execute(asked, (since_ms,)).fetchall()
        return [Mute(**dict(zip(_COLUMNS.split(", "), row, strict=True))) for row in rows]
