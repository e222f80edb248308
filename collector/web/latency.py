# SPDX-License-Identifier: Apache-2.0
"""How did latency and loss to each target go over the day, in slots that merge exactly?"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from agent.contract.histogram import merge, quantile_ms
from agent.contract.kinds import Latency
from collector.web.slots import Window
from collector.web.view import Stored

SLOT_CHOICES_MS = tuple(minutes * 60_000 for minutes in (5, 15, 30, 60))


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """What one slot's requests to one target came to; None where there is nothing to tell."""

    start_ms: int
    rtt_median_ms: float | None
    rtt_p95_ms: float | None
    loss_ratio: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetDay:
    """One target's day.

    Attributes:
        slots: ascending; slots without any record are absent.
        whole: the same figures over all of them.
        handshakes_ratio: share of the records whose times are those of TCP handshakes, not of echoes.
    """

    target: str
    slot_ms: int
    slots: tuple[Slot, ...]
    whole: Slot
    handshakes_ratio: float = 0.0


def by_target(stored: Iterable[Stored], window: Window, *, every_ms: int) -> tuple[TargetDay, ...]:
    """The day of each target, the gateway last."""
    slot_ms = next((s for s in SLOT_CHOICES_MS if s >= 2 * every_ms), SLOT_CHOICES_MS[-1])
    found: dict[str, list[tuple[int, Latency]]] = defaultdict(list)
    for each in stored:
        if isinstance(each.fields, Latency) and window.start_ms <= each.at_ms < window.end_ms:
            found[each.fields.target].append((each.at_ms, each.fields))
    return tuple(_target_day(t, found[t], slot_ms) for t in sorted(found, key=lambda t: (t == "gateway", t)))


def _target_day(target: str, found: Sequence[tuple[int, Latency]], slot_ms: int) -> TargetDay:
    by_slot: dict[int, list[Latency]] = defaultdict(list)
    for at_ms, fields in found:
        by_slot[at_ms // slot_ms * slot_ms].append(fields)
    slots = tuple(slot(start_ms, by_slot[start_ms]) for start_ms in sorted(by_slot))
    return TargetDay(
        target=target,
        slot_ms=slot_ms,
        slots=slots,
        whole=slot(0, [f for _, f in found]),
        handshakes_ratio=sum(f.method == "tcp" for _, f in found) / len(found),
    )


def slot(start_ms: int, found: Sequence[Latency]) -> Slot:
    """Figures of several records: from merged histograms; without any, the middle one of the medians."""
    merged = merge(f.rtt_histogram for f in found if f.rtt_histogram)
    return Slot(
        start_ms=start_ms,
        rtt_median_ms=quantile_ms(merged, 0.5) if merged else _middle(found),
        rtt_p95_ms=quantile_ms(merged, 0.95),
        loss_ratio=_loss(found),
    )


def _middle(found: Sequence[Latency]) -> float | None:
    medians = sorted(f.rtt_median_ms for f in found if f.rtt_median_ms is not None)
    return medians[math.ceil(len(medians) / 2) - 1] if medians else None


def _loss(found: Sequence[Latency]) -> float | None:
    """Neither received nor late, of what was sent."""
    told = [f for f in found if f.sent is not None and f.received is not None]
    sent = sum(f.sent or 0 for f in told)
    answered = sum((f.received or 0) + (f.late or 0) for f in told)
    return max(0.0, 1 - answered / sent) if sent else None
