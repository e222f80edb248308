# SPDX-License-Identifier: Apache-2.0
"""How is an act about an exclusion written down? One JSON object; its fields are those of this form."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields

from agent.contract.decoder import DecodeError
from collector.sla.exclusion import Act, Exclusion, ExclusionType, Scope, ScopeKind, Verb


@dataclass(frozen=True, kw_only=True)
class ActForm:
    """What somebody did.

    Attributes:
        at: when; RFC 3339.
        by: who, as they are called.
        account: which account of the machine they used.
        act: propose, approve, reject, withdraw or dispute.
        id: of the exclusion.
        reason: why.
        scope: `site:kz-0001`, `operator:op1`, `region:turkestan` or `all`; it and what follows only with
            `propose`.
    """

    at: str
    by: str
    account: str
    act: Verb
    id: str
    reason: str = ""
    type: ExclusionType | None = None
    scope: str | None = None
    from_at: str | None = None
    to_at: str | None = None
    evidence: tuple[str, ...] = ()
    rule_ref: str = ""
    supersedes: str | None = None

    @property
    def made(self) -> Act:
        """The same for the judge.

        Raises:
            DecodeError: it does not hold together.
        """
        proposed = self._proposed() if self.act is Verb.PROPOSE else None
        return Act(
            verb=self.act,
            id=self.id,
            by=self.by,
            at_ms=read_time(self.at, "at"),
            reason=self.reason,
            proposed=proposed,
        )

    def _proposed(self) -> Exclusion:
        for name in ("type", "scope", "from_at", "to_at"):
            if getattr(self, name) is None:
                raise DecodeError(name, "is required")
        assert self.type is not None  # noqa: S101  # looked at above
        try:
            return Exclusion(
                id=self.id,
                type=self.type,
                scope=read_scope(self.scope or ""),
                from_ms=read_time(self.from_at or "", "from_at"),
                to_ms=read_time(self.to_at or "", "to_at"),
                declared_at_ms=read_time(self.at, "at"),
                declared_by=self.by,
                reason=self.reason,
                evidence=self.evidence,
                rule_ref=self.rule_ref,
                supersedes=self.supersedes,
            )
        except DecodeError:
            raise
        except ValueError as e:
            raise DecodeError("", str(e)) from e

    @property
    def plain(self) -> dict[str, object]:
        """For JSON, without what was not said."""
        every = {f.name: getattr(self, f.name) for f in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in every.items()
            if value not in (None, "", ())
        }


def form_of(act: Act, account: str) -> ActForm:
    """An act as it is written."""
    proposed = act.proposed
    said = ActForm(
        at=write_time(act.at_ms), by=act.by, account=account, act=act.verb, id=act.id, reason=act.reason
    )
    if proposed is None:
        return said
    return ActForm(
        at=said.at,
        by=said.by,
        account=account,
        act=act.verb,
        id=act.id,
        reason=proposed.reason,
        type=proposed.type,
        scope=write_scope(proposed.scope),
        from_at=write_time(proposed.from_ms),
        to_at=write_time(proposed.to_ms),
        evidence=proposed.evidence,
        rule_ref=proposed.rule_ref,
        supersedes=proposed.supersedes,
    )


def read_scope(text: str) -> Scope:
    """`site:kz-0001`, `operator:op1`, `region:turkestan` or `all`.

    Raises:
        DecodeError: it is none of them.
    """
    kind, _, name = text.partition(":")
    try:
        return Scope(kind=ScopeKind(kind), name=name)
    except ValueError as e:
        raise DecodeError("scope", f"{text!r} is not site:SCHOOL, operator:NAME, region:NAME or all") from e


def write_scope(scope: Scope) -> str:
    """As `read_scope` reads it."""
    return f"{scope.kind}:{scope.name}" if scope.name else str(scope.kind)


def read_time(text: str, path: str = "") -> int:
    """Unix time in milliseconds of a time with its offset (RFC 3339).

    Raises:
        DecodeError: it is none.
    """
    try:
        at = dt.datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return round(at.timestamp() * 1000)
    except (ValueError, OverflowError) as e:
        raise DecodeError(path, f"{text[:40]!r} is not a time such as 2026-11-05T02:00+05:00") from e
    raise DecodeError(path, f"{text[:40]!r} needs an offset, such as {text[:16]}+05:00")


def write_time(at_ms: int) -> str:
    """RFC 3339 in UTC."""
    at = dt.datetime.fromtimestamp(at_ms / 1000, dt.UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
