# SPDX-License-Identifier: Apache-2.0
"""What is worth an alert, from when on, and until when? Rules are data; a table may change each of them.

[alerts.rules.outage]
open_after = 3         # bad signs in a row until it fires
close_after = 3        # good ones until it is over
severity = "critical"
always = false         # true: also outside the service hours
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agent.contract.decoder import DecodeError, decode, nearest
from collector.alerts.event import Severity

Subject = Literal["school", "device", "many"]
_DAY_S = 86_400
_FIXED = ("sentence", "figure", "where", "of", "beneath", "children")
_SLOTS_MOST = 1000


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule.

    Attributes:
        sentence: what it says, with `{value}` for the figure.
        figure: what it looks at, one of `collector.alerts.sign.FIGURES`; empty where it is about many.
        where: which records it looks at, by their texts; of a rule of one's own only.
        of: what it fires for: a school, a device, or many schools together.
        open_after: signs in a row that must be bad before it fires; close_after: good before it is over.
        raise_at: a figure at or beyond it is bad; clear_at: one at or beyond it on the other side is good,
            and what lies between changes nothing. None where signs have no figure.
        apart_s: signs further apart are not in a row.
        silent_s: it fires when nothing was heard for so long; None where silence means nothing.
        always: whether it is told outside the service hours too.
        beneath: a rule that says more: while that fires for the same school or device, this is not told.
        children: of a rule about many: the rule of those that it stands for.
    """

    sentence: str = ""
    enabled: bool = True
    figure: str = ""
    where: dict[str, str] = field(default_factory=dict)
    of: Subject = "school"
    severity: Severity = "warning"
    open_after: int = 1
    close_after: int = 1
    raise_at: float | None = None
    clear_at: float | None = None
    apart_s: int = 600
    silent_s: int | None = None
    always: bool = False
    beneath: str = ""
    children: str = ""

    def __post_init__(self) -> None:
        """Refuse what would fire for ever, or never."""
        if not (1 <= self.open_after <= _SLOTS_MOST and 1 <= self.close_after <= _SLOTS_MOST):
            raise ValueError(f"open_after and close_after must be at least 1 and at most {_SLOTS_MOST}")
        if (self.raise_at is None) != (self.clear_at is None):
            raise ValueError("raise_at and clear_at go together")
        if self.raise_at is not None and self.raise_at == self.clear_at:
            raise ValueError("raise_at and clear_at must differ: between them nothing changes")
        if self.silent_s is not None and self.silent_s < 1:
            raise ValueError("silent_s must be at least 1")
        if self.apart_s < 1:
            raise ValueError("apart_s must be at least 1")

    @property
    def watched(self) -> str:
        """The figure, with what chooses among records."""
        return self.figure + "".join(f",{key}={text}" for key, text in sorted(self.where.items()))

    def judges(self, value: float) -> bool | None:
        """Whether a figure is bad; None where it is neither that nor good."""
        if self.raise_at is None or self.clear_at is None:
            return bool(value)
        is_upwards = self.raise_at > self.clear_at
        if value >= self.raise_at if is_upwards else value <= self.raise_at:
            return True
        is_good = value <= self.clear_at if is_upwards else value >= self.clear_at
        return False if is_good else None


RULES: dict[str, Rule] = {
    "outage": Rule(sentence="no internet", figure="down", severity="critical", open_after=3, close_after=3),
    "degraded": Rule(
        sentence="the internet is poor", figure="degraded", open_after=10, close_after=10, beneath="outage"
    ),
    "throughput_low": Rule(
        sentence="tests reach {value:.0%} of what the contract asks of one",
        figure="throughput_ratio",
        open_after=3,
        close_after=2,
        raise_at=0.99,
        clear_at=1.05,
        apart_s=2 * _DAY_S,
    ),
    "upload_low": Rule(
        sentence="tests reach {value:.0%} of what the contract asks of an upload",
        figure="upload_ratio",
        open_after=3,
        close_after=2,
        raise_at=0.99,
        clear_at=1.05,
        apart_s=2 * _DAY_S,
    ),
    "budget_50": Rule(
        sentence="{value:.0%} of the month's downtime budget is spent",
        figure="budget_spent_ratio",
        raise_at=0.5,
        clear_at=0.45,
        beneath="budget_75",
    ),
    "budget_75": Rule(
        sentence="{value:.0%} of the month's downtime budget is spent",
        figure="budget_spent_ratio",
        raise_at=0.75,
        clear_at=0.7,
        beneath="budget_100",
    ),
    "budget_100": Rule(
        sentence="the month's downtime budget is spent: {value:.0%}",
        figure="budget_spent_ratio",
        severity="critical",
        raise_at=1.0,
        clear_at=0.95,
    ),
    "silent": Rule(
        sentence="nothing is heard of the device", figure="heard", of="device", silent_s=900, beneath="outage"
    ),
    "spool_low": Rule(
        sentence="little space on the card: {value:.0f} MB",
        figure="spool_free_mb",
        of="device",
        raise_at=200,
        clear_at=400,
    ),
    "card_failed": Rule(
        sentence="the card takes no more writes", figure="card_failed", of="device", open_after=2
    ),
    "clock_bad": Rule(
        sentence="the clock is not known good", figure="clock_bad", of="device", open_after=30, close_after=3
    ),
    "undervoltage": Rule(
        sentence="the supply voltage is too low",
        figure="undervoltage",
        of="device",
        open_after=5,
        close_after=5,
    ),
    "certificate": Rule(
        sentence="the certificate was not renewed: {value:.0%} of its life is left",
        figure="certificate_left_ratio",
        of="device",
        raise_at=0.15,
        clear_at=0.25,
    ),
    "data_plan_80": Rule(
        sentence="{value:.0%} of the data plan is used",
        figure="data_plan_used_ratio",
        raise_at=0.8,
        clear_at=0.75,
        beneath="data_plan_100",
    ),
    "data_plan_100": Rule(
        sentence="the data plan is used up: {value:.0%}",
        figure="data_plan_used_ratio",
        severity="critical",
        raise_at=1.0,
        clear_at=0.95,
    ),
    "portal": Rule(
        sentence="a portal or a quota page stands before the internet",
        figure="portal",
        open_after=2,
        close_after=2,
        apart_s=_DAY_S,
    ),
    "operator_outage": Rule(
        sentence="many schools of one operator are down",
        of="many",
        severity="critical",
        always=True,
        children="outage",
    ),
    "region_outage": Rule(
        sentence="many schools of one region are down",
        of="many",
        severity="critical",
        always=True,
        children="outage",
    ),
    "operator_silent": Rule(
        sentence="nothing is heard of many schools of one operator",
        of="many",
        severity="critical",
        children="silent",
    ),
    "region_silent": Rule(
        sentence="nothing is heard of many schools of one region",
        of="many",
        severity="critical",
        children="silent",
    ),
    "collector_degraded": Rule(
        sentence="most schools of all operators fell silent together: it is probably us",
        of="many",
        severity="critical",
        always=True,
        children="silent",
    ),
}
"""By name. Those `of` many have no figure: `parents.py` and `silence.py` make them."""


def read_rules(tables: Mapping[str, Any]) -> dict[str, Rule]:
    """The rules with what the tables `[alerts.rules.NAME]` change; those not enabled are left out.

    Raises:
        DecodeError: no such rule, or a table that does not fit.
    """
    for name in tables:
        if name not in RULES:
            raise DecodeError(f"alerts.rules.{name}", "unknown rule" + nearest(name, RULES))
    read = {name: _changed(name, rule, tables.get(name, {})) for name, rule in RULES.items()}
    return {name: rule for name, rule in read.items() if rule.enabled}


def _changed(name: str, rule: Rule, table: Any) -> Rule:
    path = f"alerts.rules.{name}"
    if not isinstance(table, dict):
        raise DecodeError(path, "must be a table")
    for fixed in _FIXED:
        if fixed in table:
            raise DecodeError(f"{path}.{fixed}", "is not yours to change")
    plain = {f.name: getattr(rule, f.name) for f in dataclasses.fields(rule)}
    known = {key: value for key, value in plain.items() if value is not None}
    made = decode(Rule, {**known, **table}, strict=True, path=path)
    for key in ("raise_at", "clear_at", "silent_s"):
        if getattr(made, key) is not None and getattr(rule, key) is None:
            raise DecodeError(f"{path}.{key}", "this rule has no figure to compare it with")
    return made
