# SPDX-License-Identifier: Apache-2.0
"""school-collector alerts: what fires, who takes care of it, and of whom is nothing to be told?

What is said here is stored at once and heard by the collector that runs at its next look.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from collector.alerts.alarm import Alarm
from collector.alerts.commands.console import account, add_common, length, moment, name, opened, show
from collector.alerts.event import timestamp
from collector.alerts.memory import Memory
from collector.alerts.notice import sentence
from collector.alerts.outbox import Outbox
from collector.alerts.own import all_rules
from collector.alerts.rule import RULES, Rule
from collector.alerts.word import SCOPES, Acknowledgement, Mute, Words
from collector.config import Config, load_config
from collector.contracts.ledger import add
from collector.errors import CollectorError, ConfigError
from collector.sla.exclusion import Act as ExclusionAct
from collector.sla.exclusion import ActRefused

Act = Callable[[argparse.Namespace, Config, Outbox], int]


class NotSo(CollectorError):
    """What was named is not there."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The words after `alerts`."""
    words = parser.add_subparsers(dest="act", required=True, metavar="WHAT")
    listed = words.add_parser("list", help="what fires now, and who takes care of it")
    listed.add_argument("--all", action="store_true", help="also what is not told, and why")
    taken = words.add_parser("acknowledge", help="take care of an alert: it is not escalated meanwhile")
    taken.add_argument("alert", metavar="ALERT", help="its id, as `list` shows it")
    taken.add_argument("--owner", type=name, required=True, help="who takes care")
    taken.add_argument(
        "--for", dest="lasts_ms", type=length, default="4h", metavar="TIME", help="how long (default 4h)"
    )
    _add_mute(words.add_parser("mute", help="maintenance: tell nothing of somebody for a while"))
    ended = words.add_parser("unmute", help="end a maintenance before its time")
    ended.add_argument("number", type=int, metavar="NUMBER", help="its number, as `mutes` shows it")
    mutes = words.add_parser("mutes", help="maintenance that goes on or is to come, and what it proposes")
    mutes.add_argument("--all", action="store_true", help="also what is over")
    words.add_parser("rules", help="every rule as it holds now, with its limits and counts")
    for word in words.choices.values():
        add_common(word)


def _add_mute(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scope", choices=SCOPES, help="what kind of thing is named")
    parser.add_argument("name", nargs="?", default="", metavar="NAME", help="which one; none with `all`")
    parser.add_argument("--owner", type=name, required=True, help="who says so")
    parser.add_argument("--reason", type=name, required=True, help="what is done there")
    parser.add_argument(
        "--from", dest="start_ms", type=moment, metavar="TIME", help="when it begins (default now)"
    )
    lasts = parser.add_mutually_exclusive_group(required=True)
    lasts.add_argument("--to", dest="end_ms", type=moment, metavar="TIME", help="when it ends")
    lasts.add_argument("--for", dest="lasts_ms", type=length, metavar="TIME", help="how long, such as 4h")


def run(options: argparse.Namespace) -> int:
    """One of the words."""
    config = load_config(options.config, with_broker=False)
    with opened(config) as outbox:
        return _ACTS[options.act](options, config, outbox)


def _now_ms() -> int:
    return int(time.time() * 1000)


def _list(options: argparse.Namespace, config: Config, outbox: Outbox) -> int:
    names = {school.id: school.name for school in config.registry.schools()}
    found = [a for a in Memory(outbox).alarms() if a.is_told or (options.all and a.fires)]
    rules = RULES | all_rules(config.options.alerts.rules)
    for alarm in sorted(found, key=lambda a: (not a.is_told, a.since_ms or 0, a.key)):
        show(listed(alarm, rules.get(alarm.rule), names.get(alarm.school, "")), as_json=options.json)
    return 0


def listed(alarm: Alarm, rule: Rule | None, school_name: str) -> dict[str, Any]:
    """One alarm, for people and programs."""
    return {
        "alert": alarm.alert,
        "state": _state(alarm),
        "rule": alarm.rule,
        "severity": rule.severity if rule is not None else None,
        "subject": alarm.subject,
        "name": school_name or None,
        "since": timestamp(alarm.began_ms or alarm.since_ms),
        "says": sentence(alarm, rule) if rule is not None else None,
        "cause": alarm.cause,
        "owner": alarm.owner if alarm.is_owned(_now_ms()) else None,
        "owned_until": timestamp(alarm.acknowledged_until_ms) if alarm.is_owned(_now_ms()) else None,
        "parent": alarm.parent,
    }


def _state(alarm: Alarm) -> str:
    if alarm.is_told:
        return "flapping" if alarm.flaps else "firing"
    if alarm.parent is not None:
        return "part of another"
    return "waits for the service hours" if alarm.night_ms is not None else "not told"


def _acknowledge(options: argparse.Namespace, _: Config, outbox: Outbox) -> int:
    firing = {a.alert: a for a in Memory(outbox).alarms() if a.is_told}
    if options.alert not in firing:
        raise NotSo(f"no alert {options.alert!r} fires; `school-collector alerts list` shows those that do")
    said = Acknowledgement(alert=options.alert, owner=options.owner, until_ms=_now_ms() + options.lasts_ms)
    Words(outbox).acknowledge(said, _now_ms())
    show({"alert": said.alert, "owner": said.owner, "until": timestamp(said.until_ms)}, as_json=options.json)
    return 0


def _mute(options: argparse.Namespace, config: Config, outbox: Outbox) -> int:
    start_ms = options.start_ms if options.start_ms is not None else _now_ms()
    try:
        said = Mute(
            scope=options.scope,
            name=_known(options, config),
            from_ms=start_ms,
            to_ms=options.end_ms if options.end_ms is not None else start_ms + options.lasts_ms,
            said_ms=_now_ms(),
            owner=options.owner,
            reason=options.reason,
        )
    except ValueError as e:
        raise NotSo(f"mute {options.scope}: {e}") from e
    if said.to_ms <= _now_ms():
        raise NotSo("mute: that is over already; what was told is not taken back")
    muted = dataclasses.replace(said, id=Words(outbox).mute(said))
    _add(config, muted.proposal)
    show(_shown(muted), as_json=options.json)
    return 0


def _add(config: Config, act: ExclusionAct) -> None:
    """Propose, in the ledger where somebody else decides."""
    try:
        add(Path(config.options.contracts.exclusions_file), act, account())
    except (ConfigError, ActRefused) as e:
        raise NotSo(f"it is done, but the ledger of exclusions could not be told of it: {e}") from e


def _known(options: argparse.Namespace, config: Config) -> str:
    """The name, when the registry has such a one: a misspelt maintenance would mute nobody."""
    schools = config.registry.schools()
    known = {
        "school": {s.id for s in schools},
        "operator": {s.operator for s in schools},
        "region": {s.region for s in schools},
    }.get(options.scope)
    if known is not None and options.name and options.name not in known:
        raise NotSo(f"the registry has no {options.scope} {options.name!r}")
    return str(options.name)


def _unmute(options: argparse.Namespace, config: Config, outbox: Outbox) -> int:
    words = Words(outbox)
    if not words.unmute(options.number, _now_ms()):
        raise NotSo(
            f"no mute {options.number} goes on or is to come; `school-collector alerts mutes` shows them"
        )
    for ended in (mute for mute in words.mutes() if mute.id == options.number):
        _add(config, ended.correction(_now_ms()))
    show({"mute": options.number, "ended": timestamp(_now_ms())}, as_json=options.json)
    return 0


def _mutes(options: argparse.Namespace, _: Config, outbox: Outbox) -> int:
    for said in Words(outbox).mutes(0 if options.all else _now_ms()):
        show(_shown(said), as_json=options.json)
    return 0


def _shown(said: Mute) -> dict[str, Any]:
    return {
        "mute": said.id,
        "scope": said.scope,
        "name": said.name or None,
        "from": timestamp(said.from_ms),
        "to": timestamp(said.ends_ms),
        "owner": said.owner,
        "reason": said.reason,
        "proposes_exclusion": said.proposal.id,
    }


def _rules(options: argparse.Namespace, config: Config, _: Outbox) -> int:
    held = all_rules(config.options.alerts.rules)
    for rule_name in {**RULES, **held}:
        rule = held.get(rule_name)
        found = {"rule": rule_name, **({"enabled": False} if rule is None else dataclasses.asdict(rule))}
        show(
            {key: value for key, value in found.items() if value not in (None, "", {})}, as_json=options.json
        )
    return 0


_ACTS: dict[str, Act] = {
    "list": _list,
    "acknowledge": _acknowledge,
    "mute": _mute,
    "unmute": _unmute,
    "mutes": _mutes,
    "rules": _rules,
}
