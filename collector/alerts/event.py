# SPDX-License-Identifier: Apache-2.0
"""What is told to people and other systems, whatever the way it takes?

One alert has one id from firing to resolved; each thing told of it is an event with an id of its own, the
same however often it is sent. As JSON it is a CloudEvent 1.0 (structured mode, 64 KiB at most).
"""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, get_args

State = Literal["firing", "updated", "acknowledged", "resolved", "digest", "heartbeat", "test"]
Severity = Literal["critical", "warning", "info"]
STATES: tuple[str, ...] = get_args(State)
SEVERITIES: tuple[str, ...] = get_args(Severity)
MOST_SCHOOLS = 50
"""Of more, only so many are named; how many there are is always told."""
_TYPE = "org.schoolpulse.alert"
_LONGEST_SUMMARY = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Affected:
    """One school of an alert.

    Attributes:
        since_ms: since when, UTC.
        cause: of the outage; None where it is not known.
    """

    school: str
    name: str | None = None
    since_ms: int | None = None
    cause: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertEvent:
    """Something to tell.

    Attributes:
        id: of this event; the same on every try.
        alert: of the alert; the same from firing to resolved.
        group: what must arrive in order.
        rule: which rule said so.
        at_ms: when it was said; `starts_at_ms`, `ends_at_ms`: of what it is about. UTC.
        labels: operator, region, technology and the like, where all schools have the same.
        schools: the first `MOST_SCHOOLS`; `schools_total` of them are affected.
        details: figures of the rule, by name.
    """

    id: str
    alert: str
    group: str
    state: State
    rule: str
    severity: Severity
    at_ms: int
    starts_at_ms: int
    ends_at_ms: int | None = None
    summary: str
    labels: Mapping[str, str] = field(default_factory=dict)
    schools: tuple[Affected, ...] = ()
    schools_total: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """No list of schools grows without bound."""
        object.__setattr__(self, "schools_total", max(self.schools_total, len(self.schools)))
        object.__setattr__(self, "schools", self.schools[:MOST_SCHOOLS])
        object.__setattr__(self, "summary", self.summary[:_LONGEST_SUMMARY])

    @property
    def is_truncated(self) -> bool:
        """Whether not all schools are named."""
        return self.schools_total > len(self.schools)


_KNOWN = frozenset(f.name for f in dataclasses.fields(AlertEvent))


def new_id() -> str:
    """An id that nobody else makes."""
    return f"evt_{secrets.token_hex(12)}"


def new_alert() -> str:
    """The same for an alert."""
    return f"alert_{secrets.token_hex(12)}"


def to_json(event: AlertEvent) -> str:
    """For the outbox."""
    return json.dumps(dataclasses.asdict(event), ensure_ascii=False, sort_keys=True)


def from_json(text: str) -> AlertEvent:
    """From the outbox.

    Raises:
        TypeError, KeyError, ValueError, AttributeError: it is not what `to_json` wrote, in this version or a
            later one.
    """
    plain = {name: value for name, value in json.loads(text).items() if name in _KNOWN}
    plain["schools"] = tuple(Affected(**each) for each in plain["schools"])
    return AlertEvent(**plain)


def cloud_event(event: AlertEvent, *, source: str, sequence: int) -> dict[str, Any]:
    """CloudEvents 1.0; `sequence` grows with each event of this collector."""
    data = dataclasses.asdict(event) | {"truncated": event.is_truncated}
    for name in ("at_ms", "starts_at_ms", "ends_at_ms"):
        data[name.removesuffix("_ms")] = timestamp(data.pop(name))
    for school in data["schools"]:
        school["since"] = timestamp(school.pop("since_ms"))
    return {
        "specversion": "1.0",
        "id": data.pop("id"),
        "source": source,
        "type": f"{_TYPE}.{event.state}",
        "subject": event.alert,
        "time": timestamp(event.at_ms),
        "datacontenttype": "application/json",
        "sequence": f"{sequence:012d}",
        "data": data,
    }


def timestamp(at_ms: int | None) -> str | None:
    """RFC 3339 in UTC."""
    if at_ms is None:
        return None
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
