# SPDX-License-Identifier: Apache-2.0
"""A rule of one's own: which field of which record does it look at?

[alerts.rules.hot]
figure = "host.cpu_temperature_c"
of = "device"
sentence = "{value:.0f} °C in the box"
raise_at = 80
clear_at = 70

Any number or flag of any record (docs/contract.md). Where records of a kind speak of several things, `where`
says of which, such as `where = { target = "gateway" }`.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agent.contract.decoder import DecodeError, decode, nearest
from agent.contract.kinds import KINDS, key_names
from collector.alerts.rule import RULES, Rule, read_rules
from collector.alerts.sign import Sign
from collector.sinks.base import Measurement

_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_VALUE = re.compile(r"\{value(:\.[0-3][f%])?\}")
_NOT_OWN = ("children", "silent_s")
_NUMBERS = (bool, int, float)


def all_rules(tables: Mapping[str, Any]) -> dict[str, Rule]:
    """The rules that there are, and those of one's own; those not enabled are left out.

    Raises:
        DecodeError: no such rule, or a table that does not fit.
    """
    own = {
        name: t for name, t in tables.items() if name not in RULES and isinstance(t, dict) and "figure" in t
    }
    made = {name: _own(name, table) for name, table in own.items()}
    known = read_rules({name: table for name, table in tables.items() if name not in own})
    return known | {name: rule for name, rule in made.items() if rule.enabled}


def _own(name: str, table: dict[str, Any]) -> Rule:
    path = f"alerts.rules.{name}"
    if not _NAME.fullmatch(name):
        raise DecodeError(path, "a rule's name is of a-z, 0-9 and _")
    for key in _NOT_OWN:
        if key in table:
            raise DecodeError(f"{path}.{key}", "is for the rules that there are")
    rule = decode(Rule, table, strict=True, path=path)
    hint = _hint(rule, path)
    if rule.of == "many":
        raise DecodeError(f"{path}.of", "must be school or device")
    if rule.raise_at is None and hint is not bool:
        raise DecodeError(f"{path}.raise_at", "must be set, and clear_at: the figure is a number")
    if rule.beneath and rule.beneath not in RULES:
        raise DecodeError(f"{path}.beneath", "unknown rule" + nearest(rule.beneath, RULES))
    _check_sentence(rule.sentence, path)
    return rule


def _hint(rule: Rule, path: str) -> type:
    """The type of the field."""
    kind, _, name = rule.figure.partition(".")
    if kind not in KINDS:
        raise DecodeError(f"{path}.figure", f"is KIND.FIELD; no kind {kind!r}" + nearest(kind, KINDS))
    numbers = _types(kind, _NUMBERS)
    if name not in numbers:
        raise DecodeError(f"{path}.figure", f"{kind} has no number or flag {name!r}" + nearest(name, numbers))
    texts = _types(kind, (str,))
    for key in rule.where:
        if key not in texts:
            raise DecodeError(f"{path}.where.{key}", f"{kind} has no text {key!r}" + nearest(key, texts))
    for key in key_names(KINDS[kind]):
        if key not in rule.where:
            raise DecodeError(f"{path}.where.{key}", f"must be set: records of {kind} are of one {key} each")
    return numbers[name]


@functools.cache
def _types(kind: str, wanted: tuple[type, ...]) -> dict[str, type]:
    """Fields of a kind that have one of these types."""
    hints = typing.get_type_hints(KINDS[kind])
    found = {}
    for field in dataclasses.fields(KINDS[kind]):
        plain = [h for h in typing.get_args(hints[field.name]) or (hints[field.name],) if h is not type(None)]
        if len(plain) == 1 and plain[0] in wanted:
            found[field.name] = plain[0]
    return found


def _check_sentence(sentence: str, path: str) -> None:
    plain = _VALUE.sub("", sentence)
    if not sentence.strip() or not sentence.isprintable() or set("{}") & set(plain):
        raise DecodeError(
            f"{path}.sentence",
            "must be words on one line, with {value} or such as {value:.1f} for the figure",
        )


@dataclass(frozen=True, slots=True)
class _Looked:
    field: str
    where: Mapping[str, str]
    watched: str


class OwnFigures:
    """What rules of one's own want to know of records."""

    def __init__(self, rules: Mapping[str, Rule]) -> None:
        self._by_kind: dict[str, list[_Looked]] = {}
        for rule in rules.values():
            kind, dot, field = rule.figure.partition(".")
            if dot:
                self._by_kind.setdefault(kind, []).append(_Looked(field, rule.where, rule.watched))

    def signs(self, measurement: Measurement) -> Iterator[Sign]:
        """What one record says to them; a value that is missing says nothing."""
        fields = measurement.record.fields
        for looked in self._by_kind.get(measurement.record.kind, ()) if fields is not None else ():
            value = getattr(fields, looked.field)
            is_meant = all(getattr(fields, key) == wanted for key, wanted in looked.where.items())
            if is_meant and value is not None and math.isfinite(value):
                at_ms = min(measurement.at_ms, measurement.received_ms)
                school, device = measurement.school.id, measurement.device
                yield Sign(looked.watched, school, at_ms, float(value), device=device)
