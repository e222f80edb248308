# SPDX-License-Identifier: Apache-2.0
"""school-collector exclusions: how do people say that time does not count, and agree on it?"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from agent.contract.decoder import DecodeError, nearest
from collector.alerts.commands.console import account, add_common, name, show
from collector.config import Config, load_config
from collector.contracts.act_form import read_scope, read_time, write_scope, write_time
from collector.contracts.ledger import Contents, add, add_next, read_ledger
from collector.errors import CollectorError
from collector.sla.exclusion import (
    Act,
    ActRefused,
    Exclusion,
    ExclusionType,
    Scope,
    ScopeKind,
    Verb,
    in_force,
)

_HOUR_MS = 3_600_000
_LONGEST_DAYS = 366
"""Longer is a change of the contract, or another year was meant."""
_WORDS = {
    Verb.APPROVE: "agree; whoever proposed it may not",
    Verb.REJECT: "do not agree; whoever proposed it may not",
    Verb.WITHDRAW: "take back what one has proposed, before somebody decides",
    Verb.DISPUTE: "do not accept a decision; then somebody else decides again",
}


class NotAllowed(CollectorError):
    """Somebody asked for what they may not do, or named what is not there."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words after `exclusions`."""
    words = parser.add_subparsers(dest="act", required=True, metavar="WHAT")
    listed = words.add_parser("list", help="every exclusion, and what became of it")
    listed.add_argument("--acts", action="store_true", help="instead who did what, in order")
    _add_proposal(words.add_parser(Verb.PROPOSE, help="say that time does not count; it does until approved"))
    for verb, sentence in _WORDS.items():
        word = words.add_parser(verb, help=sentence)
        word.add_argument("id", metavar="ID", help="of the exclusion, as `list` shows it")
        word.add_argument("--reason", type=name, required=verb is Verb.DISPUTE, help="why")
        _add_person(word)
    for word in words.choices.values():
        add_common(word)


def _add_proposal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("type", choices=[t.value for t in ExclusionType], help="why it does not count")
    parser.add_argument(
        "scope",
        type=_checked(read_scope),
        help="whom it concerns: site:SCHOOL, operator:NAME, region:NAME or all",
    )
    for end, sentence in (
        ("from", "when it begins, such as 2026-11-05T02:00+05:00"),
        ("to", "when it is over"),
    ):
        parser.add_argument(
            f"--{end}",
            dest=f"{end}_ms",
            type=_checked(read_time),
            required=True,
            metavar="TIME",
            help=sentence,
        )
    parser.add_argument("--reason", type=name, required=True, help="why, for whoever decides")
    parser.add_argument(
        "--evidence", type=name, action="append", default=[], help="where the proof is; may be repeated"
    )
    parser.add_argument("--rule", type=name, help="clause of the contract")
    parser.add_argument(
        "--supersedes", metavar="ID", help="the one it takes the place of once it is approved"
    )
    _add_person(parser)


def _add_person(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--by", type=name, required=True, help="who says so: a person's name")


def _checked(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def checked(text: str) -> Any:
        try:
            return read(text)
        except DecodeError as e:
            raise argparse.ArgumentTypeError(e.problem) from e

    return checked


def run(options: argparse.Namespace) -> int:
    """One of the words."""
    config = load_config(options.config, with_broker=False)
    ledger = Path(config.options.contracts.exclusions_file)
    if options.act == "list":
        contents = read_ledger(ledger)
        for found in _acts(contents) if options.acts else _exclusions(contents):
            show(found, as_json=options.json)
        return 0
    try:
        if options.act == Verb.PROPOSE:
            _refuse_unknown(options.scope, config)
            _refuse_years(options.from_ms, options.to_ms)
            after = add_next(ledger, lambda contents: _proposal(options, contents), account())
        else:
            after = add(ledger, _act(options), account())
    except ValueError as e:
        raise NotAllowed(str(e)) from e
    show(_shown(after, is_in_force=None), as_json=options.json)
    return 0


def _act(options: argparse.Namespace) -> Act:
    return Act(
        verb=Verb(options.act), id=options.id, by=options.by, at_ms=_now_ms(), reason=options.reason or ""
    )


def _proposal(options: argparse.Namespace, contents: Contents) -> Act:
    """Under the next free number."""
    taken = {e.id for e in contents.exclusions}
    number = next(n for n in range(1, len(taken) + 2) if f"E-{n:04}" not in taken)
    exclusion = Exclusion(
        id=f"E-{number:04}",
        type=ExclusionType(options.type),
        scope=options.scope,
        from_ms=options.from_ms,
        to_ms=options.to_ms,
        declared_at_ms=_now_ms(),
        declared_by=options.by,
        reason=options.reason,
        evidence=tuple(options.evidence),
        rule_ref=options.rule or "",
        supersedes=options.supersedes,
    )
    return Act(
        verb=Verb.PROPOSE,
        id=exclusion.id,
        by=options.by,
        at_ms=exclusion.declared_at_ms,
        reason=exclusion.reason,
        proposed=exclusion,
    )


def _refuse_unknown(scope: Scope, config: Config) -> None:
    """A misspelt name would excuse nobody, and nobody would notice."""
    schools = config.registry.schools()
    contracts = [c for s in schools for c in config.contracts.of(s.id)]
    promised = {stretch.promise.operator for c in contracts for stretch in c.stretches}
    known = {
        ScopeKind.SITE: {s.id for s in schools},
        ScopeKind.OPERATOR: promised | {s.operator for s in schools},
        ScopeKind.REGION: {s.region for s in schools},
        ScopeKind.ALL: {""},
    }[scope.kind]
    if scope.name not in known:
        raise ActRefused(f"there is no {scope.kind} {scope.name!r}{nearest(scope.name, known)}")


def _refuse_years(from_ms: int, to_ms: int) -> None:
    days = (to_ms - from_ms) // (24 * _HOUR_MS)
    if days > _LONGEST_DAYS:
        raise ActRefused(f"that is {days} days; more than {_LONGEST_DAYS} are for the contract to change")


def _exclusions(contents: Contents) -> list[dict[str, Any]]:
    valid = {e.id for e in in_force(contents.exclusions)}
    return [_shown(e, is_in_force=e.id in valid) for e in contents.exclusions]


def _acts(contents: Contents) -> list[dict[str, Any]]:
    return [{"number": n, **form.plain} for n, form in enumerate(contents.acts, 1)]


def _shown(e: Exclusion, *, is_in_force: bool | None) -> dict[str, Any]:
    return {
        "id": e.id,
        "status": str(e.status),
        "in_force": is_in_force,
        "type": str(e.type),
        "scope": write_scope(e.scope),
        "from": write_time(e.from_ms),
        "to": write_time(e.to_ms),
        "declared_at": write_time(e.declared_at_ms),
        "declared_by": e.declared_by,
        "notice_h": round((e.from_ms - e.declared_at_ms) / _HOUR_MS, 1),
        "reason": e.reason,
        "evidence": list(e.evidence),
        "rule_ref": e.rule_ref,
        "supersedes": e.supersedes,
        "decided_at": None if e.decided_at_ms is None else write_time(e.decided_at_ms),
        "decided_by": e.decided_by,
        "disputed_at": None if e.disputed_at_ms is None else write_time(e.disputed_at_ms),
        "disputed_by": e.disputed_by,
        "dispute_reason": e.dispute_reason,
    }


def _now_ms() -> int:
    return int(time.time() * 1000)
