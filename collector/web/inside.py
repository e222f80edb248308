# SPDX-License-Identifier: Apache-2.0
"""How is the collector itself, for somebody who looks: its parts, its figures, each device's last word?

The same figures as `/metrics`, and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from collector.condition import Condition
from collector.web.fleet import SchoolNow
from collector.web.healthz import Part
from collector.web.metrics import COUNTERS, GAUGES
from collector.web.view import Health, SinkHealth, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One registered device.

    Attributes:
        heard_age_s: since something of it was last stored; None: not since the collector started.
        lost: records it said no longer exist.
        condition: how it said it was; None: not since the collector started.
        drops: messages not taken because it sent more than its share.
    """

    id: str
    school: SchoolNow
    heard_age_s: float | None
    lost: int
    drops: int
    condition: Condition | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Inside:
    """What the page shows; figures are name, value and meaning."""

    parts: tuple[Part, ...]
    sinks: tuple[tuple[str, SinkHealth], ...]
    figures: tuple[tuple[str, int, str], ...]
    refused: tuple[tuple[str, int], ...]
    devices: tuple[Device, ...]
    pause_s: int | None
    checkpoint: str | None


def make(
    view: View, parts: tuple[Part, ...], schools: tuple[SchoolNow, ...], lost: Mapping[str, int]
) -> Inside:
    """Everything of the page, devices that were silent longest first."""
    health = view.health
    devices = [d for school in schools for d in _devices(view, school, lost)]
    return Inside(
        parts=parts,
        sinks=tuple(sorted(health.sinks.items())),
        figures=_figures(health),
        refused=tuple(sorted((str(reason), count) for reason, count in health.messages_refused.items())),
        devices=tuple(sorted(devices, key=_silence, reverse=True)),
        pause_s=health.pause_s,
        checkpoint=health.checkpoint,
    )


def _figures(health: Health) -> tuple[tuple[str, int, str], ...]:
    found = ((name, getattr(health, name), doc) for name, doc in {**COUNTERS, **GAUGES}.items())
    return tuple((name.replace("_", " "), value, doc) for name, value, doc in found if value is not None)


def _devices(view: View, school: SchoolNow, lost: Mapping[str, int]) -> list[Device]:
    now_ms, health = view.now_ms(), view.health
    standing = [p.device for p in view.registry.devices_of(school.id) if p.covers(now_ms)]
    return [
        Device(
            id=device,
            school=school,
            heard_age_s=None if (ms := health.heard_ms.get(device)) is None else max(0, now_ms - ms) / 1000,
            lost=lost.get(device, 0),
            drops=health.device_drops.get(device, 0),
            condition=health.conditions.get(device),
        )
        for device in standing
    ]


def _silence(device: Device) -> float:
    return float("inf") if device.heard_age_s is None else device.heard_age_s
