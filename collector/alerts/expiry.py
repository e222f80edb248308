# SPDX-License-Identifier: Apache-2.0
"""Which devices will soon have no certificate any more? What the authority's ledger says, as signs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from collector.alerts.sign import Sign
from collector.registry import Registry


def certificate_signs(lives: Mapping[str, tuple[int, int]], registry: Registry, now_ms: int) -> list[Sign]:
    """One for each device that stands somewhere; who has none, or may not speak any more, needs none.

    Args:
        lives: from when until when a device's newest certificate holds, Unix times.
        registry: where devices stand.
        now_ms: wall clock.
    """
    found = []
    for device in registry.devices():
        school = registry.school_of(device, now_ms)
        if school is not None:
            ratio, until = _left(lives.get(device), now_ms)
            found.append(Sign("certificate_left_ratio", school.id, now_ms, ratio, until, device=device))
    return found


def _left(life: tuple[int, int] | None, now_ms: int) -> tuple[float, str | None]:
    if life is None:
        return 1.0, None
    begin_s, end_s = life
    until = f"until {datetime.fromtimestamp(end_s, UTC):%Y-%m-%d %H:%M} UTC"
    return (end_s - now_ms / 1000) / max(1, end_s - begin_s), until
