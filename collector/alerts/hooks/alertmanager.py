# SPDX-License-Identifier: Apache-2.0
"""Prometheus' Alertmanager, or whatever takes what it sends.

`alertmanager` pushes to Alertmanager itself (`POST /api/v2/alerts`), which groups, inhibits and silences;
`alertmanager_webhook` posts what Alertmanager would post to a receiver (version 4).

    [hooks.alertmanager]
    kind = "alertmanager"
    url = "http://alertmanager:9093"
    allow_http = true
    allow_private = true

Alertmanager forgets when it starts anew, so what fires is told again each minute. It resolves by itself what
it was not told for a day: an outage of this collector is no recovery of a school.

A sign of life (`heartbeat_s`) is an alert `heartbeat` that is over once three in a row are missing.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from agent.contract.option import option
from collector.alerts.event import AlertEvent, timestamp
from collector.alerts.hooks.webhook import UrlOptions
from collector.alerts.post import post

_DAY_MS, _TEST_MS = 86_400_000, 300_000
_BEATS_MISSED = 3
_JSON = {"Content-Type": "application/json"}
_OVER = frozenset({"resolved"})
_AT_ONCE = 100


@dataclass(frozen=True, kw_only=True)
class AlertmanagerOptions(UrlOptions):
    """The table `[hooks.NAME]` with `kind = "alertmanager"` or `"alertmanager_webhook"`."""

    generator_url: str = option("the page that alerts lead to", "")


class AlertmanagerHook:
    """Pushes; see the module."""

    OPTIONS: ClassVar = AlertmanagerOptions
    refresh_s: ClassVar[float | None] = 60.0

    def __init__(self, options: AlertmanagerOptions) -> None:
        self._options = options

    def send(self, event: AlertEvent, sequence: int) -> None:
        """One alert; a digest is none."""
        del sequence
        if event.state != "digest":
            self._push([event])

    def refresh(self, firing: Sequence[AlertEvent]) -> None:
        """All that fires."""
        for start in range(0, len(firing), _AT_ONCE):
            self._push(firing[start : start + _AT_ONCE])

    def _push(self, events: Sequence[AlertEvent]) -> None:
        now_ms, page = int(time.time() * 1000), self._options.generator_url
        told = [_alert(event, now_ms + self._lasts_ms(event), page) for event in events]
        post(self._options.target("/api/v2/alerts"), json.dumps(told, ensure_ascii=False).encode(), _JSON)

    def _lasts_ms(self, event: AlertEvent) -> int:
        """A sign of life that does not come again is missed; a test is soon forgotten."""
        if event.state == "heartbeat":
            return _BEATS_MISSED * 1000 * (self._options.heartbeat_s or 0)
        return _TEST_MS if event.state == "test" else _DAY_MS


class AlertmanagerWebhookHook:
    """Posts as Alertmanager posts (version 4), one alert a message."""

    OPTIONS: ClassVar = AlertmanagerOptions
    refresh_s: ClassVar[float | None] = None

    def __init__(self, options: AlertmanagerOptions) -> None:
        self._options = options

    def send(self, event: AlertEvent, sequence: int) -> None:
        """One message."""
        del sequence
        body = json.dumps(_message(event, self._options.generator_url), ensure_ascii=False).encode()
        post(self._options.target(), body, {**_JSON, "webhook-id": event.id})

    def refresh(self, firing: Sequence[AlertEvent]) -> None:
        """Receivers remember."""


def labels(event: AlertEvent) -> dict[str, str]:
    """What Alertmanager groups and inhibits by; equal from firing to resolved."""
    own = {"alertname": event.rule, "severity": event.severity, "alert": event.alert}
    return {name: value for name, value in {**event.labels, **own}.items() if value}


def _alert(event: AlertEvent, until_ms: int, page: str) -> dict[str, Any]:
    ends_ms = (event.ends_at_ms or event.at_ms) if event.state in _OVER else until_ms
    told = {
        "labels": labels(event),
        "annotations": _annotations(event),
        "startsAt": timestamp(event.starts_at_ms),
        "endsAt": timestamp(ends_ms),
    }
    return told | ({"generatorURL": page} if page else {})


def _annotations(event: AlertEvent) -> dict[str, str]:
    named = ", ".join(each.name or each.school for each in event.schools)
    more = f" and {event.schools_total - len(event.schools)} more" if event.is_truncated else ""
    told = {"summary": event.summary, "schools": named + more, "schools_total": str(event.schools_total)}
    return {name: value for name, value in told.items() if value}


def _message(event: AlertEvent, page: str) -> dict[str, Any]:
    is_over = event.state in _OVER
    status = "resolved" if is_over else "firing"
    alert = _alert(event, 0, page)
    ends_at = timestamp(event.ends_at_ms or event.at_ms) if is_over else "0001-01-01T00:00:00Z"
    grouped = {"alertname": event.rule}
    return {
        "version": "4",
        "groupKey": f"{{}}:{{alertname={json.dumps(event.rule)}, alert={json.dumps(event.alert)}}}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "schoolpulse",
        "groupLabels": grouped,
        "commonLabels": alert["labels"],
        "commonAnnotations": alert["annotations"],
        "externalURL": page,
        "alerts": [
            alert
            | {
                "status": status,
                "endsAt": ends_at,
                "generatorURL": page,
                "fingerprint": fingerprint(alert["labels"]),
            }
        ],
    }


def fingerprint(named: Mapping[str, str]) -> str:
    """Sixteen hexadecimal digits that stand for a set of labels."""
    text = "\0".join(f"{name}\1{value}" for name, value in sorted(named.items()))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
