# SPDX-License-Identifier: Apache-2.0
"""PagerDuty, by its Events API v2, or whoever takes the same.

    [hooks.duty]
    kind = "pagerduty"
    routing_key_file = "/etc/schoolpulse/pagerduty.key"

A resolved alert resolves the incident, an acknowledged one acknowledges it; `dedup_key` is the alert's id.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from agent.contract.option import option
from collector.alerts.event import AlertEvent, timestamp
from collector.alerts.hooks.webhook import UrlOptions
from collector.alerts.post import post
from collector.alerts.secret import secret_text

_ACTIONS = {"resolved": "resolve", "acknowledged": "acknowledge"}
_QUIET = frozenset({"heartbeat", "digest"})
_MOST_SUMMARY, _MOST_KEY = 1024, 255


@dataclass(frozen=True, kw_only=True)
class PagerDutyOptions(UrlOptions):
    """The table `[hooks.NAME]` with `kind = "pagerduty"`."""

    url: str = option("where to", "https://events.pagerduty.com/v2/enqueue")
    routing_key_file: str | None = option(
        "file with the integration's routing key, or the name of a systemd credential",
        None,
        example="/etc/schoolpulse/pagerduty.key",
    )
    page_url: str = option("the page that incidents lead to", "")


class PagerDutyHook:
    """See the module."""

    OPTIONS: ClassVar = PagerDutyOptions
    refresh_s: ClassVar[float | None] = None

    def __init__(self, options: PagerDutyOptions) -> None:
        self._options = options
        self._key = secret_text("routing_key_file", options.routing_key_file).strip()

    def send(self, event: AlertEvent, sequence: int) -> None:
        """Trigger, acknowledge or resolve; what asks for nobody is not sent."""
        if event.state in _QUIET:
            return
        told = payload(event, sequence) | {"routing_key": self._key}
        if self._options.page_url:
            told["links"] = [{"href": self._options.page_url, "text": "schoolpulse"}]
        post(
            self._options.target(),
            json.dumps(told, ensure_ascii=False).encode(),
            {"Content-Type": "application/json"},
        )

    def refresh(self, firing: Sequence[AlertEvent]) -> None:
        """PagerDuty remembers."""


def payload(event: AlertEvent, sequence: int) -> dict[str, Any]:
    """Without the routing key."""
    return {
        "event_action": _ACTIONS.get(event.state, "trigger"),
        "dedup_key": event.alert[:_MOST_KEY],
        "client": "schoolpulse",
        "payload": {
            "summary": event.summary[:_MOST_SUMMARY],
            "source": event.labels.get("school") or event.labels.get("operator") or "schoolpulse",
            "severity": event.severity,
            "timestamp": timestamp(event.starts_at_ms),
            "component": event.labels.get("technology") or "internet",
            "group": event.labels.get("operator") or event.group,
            "class": event.rule,
            "custom_details": {
                "event": event.id,
                "sequence": sequence,
                "state": event.state,
                "schools_total": event.schools_total,
                "schools": [each.name or each.school for each in event.schools],
                **dict(event.labels),
                **dict(event.details),
            },
        },
    }
