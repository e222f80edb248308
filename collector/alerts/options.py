# SPDX-License-Identifier: Apache-2.0
"""What do all hooks have in their tables, and which events does one of them want?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from agent.contract.decoder import DecodeError
from agent.contract.option import option
from collector.alerts.event import SEVERITIES, AlertEvent, Severity
from collector.alerts.hours import read_hours
from collector.alerts.rule import RULES

_ALWAYS = frozenset({"heartbeat", "test"})


@dataclass(frozen=True, kw_only=True)
class AlertOptions:
    """The table `[alerts]`."""

    enabled: bool = option("whether alerts are made; any table [hooks.NAME] sets it too", default=False)
    directory: str = option(
        "folder of what fires and of what is still to be told", "/var/lib/schoolpulse/alerts"
    )
    service_hours: str = option(
        "when people may be called, such as `mon-sat 08:00-20:00`; what fires outside is told when they "
        "begin; empty: always",
        "",
    )
    time_zone: str = option("of the service hours, as in the tz database", "Asia/Almaty")
    look_every_s: float = option("how often it is decided what is told", 5.0, low=0.1, high=60)
    group_wait_s: int = option(
        "how long an outage or a silence waits to be told, since it may be one of many", 90, low=0, high=600
    )
    data_plan_gb: dict[str, float] = field(
        default_factory=dict,
        metadata={"doc": "a month's data plan in GB, by the schools' label `contract`", "example": None},
    )
    rules: dict[str, Any] = field(
        default_factory=dict, metadata={"doc": "what to change of the rules, by name: docs/alerts.md"}
    )
    keep_days: int = option("how long what is over and told is kept", 90, low=1, high=3650)

    def __post_init__(self) -> None:
        """An empty path is the folder the program happens to be in."""
        if not self.directory:
            raise DecodeError("directory", "must not be empty")
        for contract, plan_gb in self.data_plan_gb.items():
            if not plan_gb > 0:
                raise DecodeError(f"data_plan_gb.{contract}", "must be more than 0")
        try:
            read_hours(self.service_hours, self.time_zone)
        except ValueError as e:
            raise DecodeError("service_hours", str(e)) from e


@dataclass(frozen=True, kw_only=True)
class HookOptions:
    """Keys of every table `[hooks.NAME]`."""

    kind: str = option("webhook, alertmanager, alertmanager_webhook, pagerduty, smtp or apprise", "webhook")
    enabled: bool = option("whether anything is sent there", default=True)
    least_severity: Literal["info", "warning", "critical"] = option(
        "what is less severe is not sent there", "warning"
    )
    rules: tuple[str, ...] = option("names of the rules it wants; none: all", ())
    labels: dict[str, str] = field(
        default_factory=dict,
        metadata={"doc": 'only alerts with these, such as `operator = "op1"`', "example": None},
    )
    after_s: int = option(
        "an escalation step: it is told only of what still fires after so long and that nobody acknowledged",
        0,
        low=0,
        high=604_800,
    )
    heartbeat_s: int | None = option(
        "a sign of life when nothing else was sent for so long; unset: none",
        None,
        low=60,
        high=86_400,
        example=3600,
    )


def wants(options: HookOptions, event: AlertEvent) -> bool:
    """Whether an event is for this hook."""
    if event.state in _ALWAYS:
        return True
    return (
        options.enabled
        and _rank(event.severity) >= _rank(options.least_severity)
        and (not options.rules or event.rule in options.rules or event.state == "digest")
        and _has(event.labels, options.labels, is_many=_is_many(event))
    )


def _rank(severity: Severity) -> int:
    return -SEVERITIES.index(severity)


def _is_many(event: AlertEvent) -> bool:
    rule = RULES.get(event.rule)
    return event.state == "digest" or (rule is not None and rule.of == "many")


def _has(labels: Mapping[str, Any], wanted: Mapping[str, str], *, is_many: bool) -> bool:
    """Whether the labels are those that are wanted; where many schools differ in one, it may be any."""
    return all(labels.get(name, value if is_many else None) == value for name, value in wanted.items())
