# SPDX-License-Identifier: Apache-2.0
"""Does the collector work: what does `/healthz` answer, and which part has failed?"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from collector.authority.certificates import CRL_ALARM_DAYS
from collector.web.view import Health, SinkHealth


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the collector; `detail` says in words what is wrong or how it is."""

    name: str
    ok: bool
    detail: str


def parts(health: Health, store_problem: str | None) -> tuple[Part, ...]:
    """Every part, in the order a record passes them."""
    return (
        Part("mqtt", health.mqtt_connected, _mqtt(health)),
        Part("journal", health.journal_problem is None, health.journal_problem or _journal(health)),
        Part("registry", health.registry_problem is None, health.registry_problem or "as written"),
        Part("archive", health.upkeep_problem is None, health.upkeep_problem or "in order"),
        *(_sink(name, sink) for name, sink in sorted(health.sinks.items())),
        *_revocation_list(health),
        Part("page", store_problem is None, store_problem or "store readable"),
    )


def failing(found: tuple[Part, ...]) -> tuple[Part, ...]:
    """Those that do not work."""
    return tuple(p for p in found if not p.ok)


def answer(found: tuple[Part, ...]) -> dict[str, object]:
    """The JSON of `/healthz`: `status` is ok or failing, `failing` names the parts."""
    return {
        "status": "failing" if failing(found) else "ok",
        "failing": [p.name for p in failing(found)],
        "parts": {p.name: {"ok": p.ok, "detail": p.detail} for p in found},
    }


def _revocation_list(health: Health) -> Iterator[Part]:
    """Past its date it locks every device out."""
    if health.crl_until_s is not None:
        days = (health.crl_until_s - time.time()) / 86400
        yield Part("revocation list", days >= CRL_ALARM_DAYS, f"good for {days:.0f} days")


def _mqtt(health: Health) -> str:
    if health.mqtt_connected:
        return "connected"
    return health.mqtt_problem or "not connected"


def _journal(health: Health) -> str:
    damaged = f", damaged in {health.journal_damaged} places" if health.journal_damaged else ""
    free = health.journal_free_bytes
    space = "" if free is None else f", {free / 1e9:.1f} GB free"
    return f"writable{space}{damaged}"


def _sink(name: str, sink: SinkHealth) -> Part:
    """A sink that was not asked yet has not failed."""
    how = "not asked yet" if sink.available is None else f"{sink.lag_entries} entries behind"
    return Part(f"sink {name}", sink.available is not False, sink.problem or how)
